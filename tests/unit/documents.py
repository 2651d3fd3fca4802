"""Reads README and docs for their tests: blocks, commands, sections, tables, options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomllib

from dynamodb_pipeline.cli import command_line as cli
from dynamodb_pipeline.cli.launcher_options import REFRESH
from dynamodb_pipeline.cli.main import settings_of
from dynamodb_pipeline.cli.settings_file import SettingsFile

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = [
    README,
    PROJECT / "CHANGELOG.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
    *(PROJECT / folder / "README.md" for folder in ("cluster_configs", "policies", "schedules")),
]
SETTINGS_SHOWN = PROJECT / "docs" / "nightly-export.md"  # with the pipeline.toml that the documents run under
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("0*.md"))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: (\S+)", MAKEFILE, re.MULTILINE))
READ_BY_MAKE = set(re.findall(r"^VARIABLES := (.*)$", MAKEFILE, re.MULTILINE)[0].split())
# Options of other programs that the documents show.
FOREIGN_OPTIONS = {
    *("--master", "--deploy-mode", "--conf", "--jars", "--py-files", "--packages", "--archives"),  # spark-submit
    *(
        "--stack-name",
        "--template-file",
        "--capabilities",
        "--bucket",
        "--cluster-ids",
        "--policy-document",
        "--policy",
    ),  # aws
    *("--policy", "--state-machine-arn"),  # aws
    "--emr",  # the sandbox's own
    *("--role-name", "--policy-name", "--assume-role-policy-document", "--resource-arn"),  # aws
    *("--aws-service-name", "--s3-bucket", "--resources", "--tags", "--filters", "--query", "--output"),  # aws
    *("--name", "--yarn", "--all", "--quick"),  # python -m sandbox, python -m benchmarks
    "--help",
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: its language and its text."""

    where: str
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """One command line that a document shows, cut into words; `refused` when it shows what is refused (`|| ...`)."""

    where: str
    words: tuple[str, ...]
    refused: bool

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.where}: {shlex.join(self.words)}"


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path) -> Iterator[Block]:
    for language, text in re.findall(r"^```([\w.-]*)\n(.*?)^```$", text_of(path), re.DOTALL | re.MULTILINE):
        yield Block(name_of(path), language, text)


def commands() -> Iterator[Command]:
    """Every command of every shell block; lines with a place holder (...) show a form and are no commands."""
    for block in (block for path in DOCS for block in blocks(path) if block.language in ("", "sh")):
        text = re.sub(r"<<'EOF'\n.*?^EOF$", "", block.text, flags=re.DOTALL | re.MULTILINE).replace("\\\n", " ")
        for line in text.splitlines():
            if line.strip() and "..." not in line:
                yield _command(block.where, shlex.split(line, comments=True))


def _command(where: str, words: list[str]) -> Command:
    end = next((number for number, word in enumerate(words) if word in (">", "|", "||", "&&")), len(words))
    return Command(where, tuple(words[:end]), refused="||" in words)


COMMANDS = [command for command in commands() if command.words]


def commands_of(*programs: str) -> list[Command]:
    return [command for command in COMMANDS if command.program in programs]


def parsed(words: tuple[str, ...], *, file: SettingsFile | None = None) -> cli.CommandLine:
    """The words as the command line takes them, the job's values checked as well; a refresh gives none."""
    line = cli.line_of(words, file=file)
    if line.kind is not None and REFRESH.name not in words:
        settings_of(line)
    return line


def with_settings_shown(words: tuple[str, ...]) -> cli.CommandLine:
    """The words with the options of the pipeline.toml that is shown, as a user of it would run them."""
    return parsed(words, file=SettingsFile(name_of(SETTINGS_SHOWN), settings_shown(), cli.keys_by_verb()))


def settings_shown() -> dict[str, object]:
    (block,) = (block for block in blocks(SETTINGS_SHOWN) if block.language == "toml")
    return tomllib.loads(block.text)


def section(path: Path, heading: str) -> str:
    """The text below `## heading`, up to the next heading of that level."""
    return text_of(path).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def all_options() -> dict[str, set[str]]:
    """Every option of the command line with the verbs that have it."""
    found: dict[str, set[str]] = {}
    for verb, keys in cli.keys_by_verb().items():
        for key in keys:
            found.setdefault(f"--{key}", set()).add(verb)
    found["--version"] = set()
    return found


def options_in(text: str) -> set[str]:
    return set(OPTION.findall(text))
