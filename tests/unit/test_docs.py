"""README and docs say what the code does: options, verbs, exit codes, commands, links, files."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import tomllib

from dynamodb_pipeline import __version__, cli
from dynamodb_pipeline.emr.settings_file import words_with_settings
from dynamodb_pipeline.emr.troubleshooting import troubleshooting_rows
from dynamodb_pipeline.errors import MEANING, UsageError
from dynamodb_pipeline.job_main import KINDS
from dynamodb_pipeline.options import Parser
from dynamodb_pipeline.transfer import budget, capacity, capacity_watch, rate_meter, rate_window, throttle_response
from dynamodb_pipeline.transfer.progress import Counts, Goal, progress_line
from sandbox.__main__ import _parser as sandbox_parser

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = [
    README,
    PROJECT / "CHANGELOG.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
    *(PROJECT / folder / "README.md" for folder in ("cluster_configs", "policies", "schedules")),
]
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: (\S+)", MAKEFILE, re.MULTILINE))
# Options of other programs that the documents show.
FOREIGN_OPTIONS = {
    *("--master", "--deploy-mode", "--conf", "--jars", "--py-files", "--packages", "--archives"),  # spark-submit
    *("--stack-name", "--template-file", "--capabilities", "--bucket", "--cluster-ids", "--policy-document"),  # aws
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


def parsed(words: tuple[str, ...]) -> argparse.Namespace:
    """The words as the command line takes them, the job's values checked as well."""
    args = cli.build_parser().parse_args(list(words))
    if getattr(args, "kind", None) in KINDS:
        KINDS[args.kind][1](args)
    return args


def with_readme_settings(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words with the options of README's pipeline.toml, as a user of it would run them."""
    options = cli.options_by_verb(cli.build_parser())
    return words_with_settings(words, readme_settings(), options=options, where="README")


def readme_settings() -> dict[str, object]:
    (block,) = (block for block in blocks(README) if block.language == "toml")
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
    for verb, names in cli.options_by_verb(cli.build_parser()).items():
        for option in names - {"--help"}:
            found.setdefault(option, set()).add(verb)
    found["--version"] = set()
    return found


def options_in(text: str) -> set[str]:
    return set(OPTION.findall(text))


# What can be run, runs


def test_the_documents_show_commands_of_every_kind() -> None:
    verbs = {command.words[1] for command in commands_of("dynamodb-pipeline")}
    assert verbs >= {*KINDS, "plan", "preflight", "policy", "schedule", "wait", "status", "logs", "terminate"}
    assert len(commands_of("spark-submit")) >= 2
    assert len(commands_of("make")) >= 10


@pytest.mark.parametrize("command", commands_of("dynamodb-pipeline"), ids=str)
def test_every_command_line_parses(command: Command) -> None:
    with pytest.raises(UsageError) if command.refused else nullcontext():
        parsed(with_readme_settings(command.words[1:]))


@pytest.mark.parametrize("command", commands_of("spark-submit"), ids=str)
def test_every_spark_submit_runs_a_job_with_its_options(command: Command) -> None:
    (place,) = [number for number, word in enumerate(command.words) if word.endswith("_table.py")]
    script = PROJECT / "jobs" / Path(command.words[place]).name
    assert script.is_file()
    add, check = KINDS[script.name.removesuffix("_table.py")]
    parser = Parser(allow_abbrev=False)
    add(parser)
    check(parser.parse_args(command.words[place + 1 :]))


@pytest.mark.parametrize("command", commands_of("make"), ids=str)
def test_every_make_command_names_a_target_and_variables_it_reads(command: Command) -> None:
    target, *variables = command.words[1:]
    assert target in TARGETS
    unknown = [word for word in variables if f"$({word.partition('=')[0]})" not in MAKEFILE]
    assert unknown == []


@pytest.mark.parametrize("command", [c for c in commands_of("make") if c.words[1] in KINDS], ids=str)
def test_every_make_job_comes_to_a_command_line_that_parses(command: Command) -> None:
    done = subprocess.run(["make", "-n", *command.words[1:]], capture_output=True, text=True, cwd=PROJECT, check=True)
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words[0].endswith("dynamodb-pipeline")
    parsed(with_readme_settings(tuple(words[1:])))


def test_every_sandbox_command_parses() -> None:
    shown = [words for path in DOCS for words in re.findall(r"python -m sandbox ((?:[a-z-]+ ?)+)", text_of(path))]
    assert shown
    for words in shown:
        assert sandbox_parser().parse_args(words.split())


def test_targets_named_in_the_text_exist() -> None:
    """`make x` in running text or in a cron line, not only in blocks."""
    named = {
        (name_of(path), target)
        for path in DOCS
        for target in re.findall(r"(?:`|\b)make (?:-C \S+ )?([a-z][a-z0-9-]+)", _code_of(text_of(path)))
    }
    assert len(named) > 10
    assert {(where, target) for where, target in named if target not in TARGETS} == set()


def _code_of(text: str) -> str:
    """Only what stands in back quotes or blocks: "make" is a word too."""
    fenced = re.findall(r"^```[\w.-]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*fenced, *re.findall(r"(`[^`\n]+`)", text)])


def test_variables_of_make_named_in_cron_lines_are_read() -> None:
    lines = [line for path in DOCS for line in text_of(path).splitlines() if re.search(r"\bmake -C \S+ ", line)]
    assert lines
    for line in lines:
        variables = set(re.findall(r" ([A-Z]+)=", line))
        assert {name for name in variables if f"$({name})" not in MAKEFILE} == set(), line


def test_the_settings_file_shown_is_accepted_and_read_by_the_jobs() -> None:
    args = parsed(with_readme_settings(("plan", "export")))
    assert args.tables == ["Forum", "Thread", "Reply"]
    assert args.logs.startswith("s3://")


# What is there is told, and what is told is there


def test_every_option_is_in_readme() -> None:
    text = section(README, "Options")
    assert set(all_options()) - options_in(text) == set()


def test_every_option_in_the_documents_exists() -> None:
    known = set(all_options()) | FOREIGN_OPTIONS
    found = {name_of(path): options_in(text_of(path)) - known for path in DOCS}
    assert {where: unknown for where, unknown in found.items() if unknown} == {}


def test_the_options_of_jobs_are_told_for_the_right_jobs() -> None:
    rows = table_rows(section(README, "Options").partition("### Of the jobs")[2].partition("### ")[0])
    told = {option: set(row[1].split(", ")) for row in rows for option in options_in(row[0])}
    real = {option: verbs & set(KINDS) for option, verbs in all_options().items() if option in told}
    assert told == real
    (own,) = ({option for option, verbs in all_options().items() if verbs & set(KINDS)},)
    assert own - set(told) <= options_in(section(README, "Options").partition("### Of a run on this machine")[2])


def test_the_options_of_other_verbs_are_told_for_the_right_verbs() -> None:
    rows = table_rows(section(README, "Options").partition("### Of the other verbs")[2])
    real = all_options()
    for names, verbs, _ in (row for row in rows if row[1] and row[0] != "Option" and not row[0].startswith("---")):
        for option in options_in(names):
            missing = {verb.split(" ")[0] for verb in verbs.split(", ")} - real.get(option, set())
            assert missing == set(), (option, missing)


def test_every_verb_is_in_readme() -> None:
    text = section(README, "Verbs")
    verbs = set(cli.options_by_verb(cli.build_parser()))
    assert {verb for verb in verbs if f"`{verb}" not in text} == set()


def test_the_defaults_told_are_the_real_ones() -> None:
    """The last brackets of an option's row, where they hold a plain value."""
    parsers = cli._subparsers(cli.build_parser())
    defaults = {
        action.option_strings[-1]: str(action.default)
        for verb in (*KINDS, "bundle")
        for action in parsers[verb]._actions
        if action.option_strings and action.default not in (None, False, [])
    }
    told = {
        option: found[1]
        for row in table_rows(section(README, "Options"))
        if (found := re.search(r"\(([^()]+)\)$", row[-1]))
        for option in options_in(row[0])
        if option in defaults and " " not in found[1]
    }
    assert len(told) > 12
    assert told == {option: defaults[option] for option in told}


def test_exit_codes_in_readme_are_those_of_the_code() -> None:
    rows = table_rows(section(README, "Exit codes"))
    told = {int(code): meaning for code, meaning in rows if code.isdigit()}
    assert told == {int(code): meaning for code, meaning in MEANING.items()}


def test_every_exit_code_has_a_row_on_what_to_do() -> None:
    rows = table_rows(text_of(PROJECT / "docs" / "operations.md"))
    assert {row[0] for row in rows} >= {str(int(code)) for code in MEANING}


def test_the_troubleshooting_table_is_the_one_the_tool_matches_against() -> None:
    rows = table_rows(text_of(PROJECT / "docs" / "operations.md").partition("## Troubleshooting")[2])
    told = {row[0]: tuple(cell.replace("\\|", "|") for cell in row[1:]) for row in rows if row[0].startswith("`")}
    real = {f"`{r.name}`" + (", *page*" if r.from_page else ""): (r.cause, r.remedy) for r in troubleshooting_rows()}
    assert told == real


def test_the_progress_line_shown_is_one() -> None:
    goal, counts = Goal("export Orders", 100.0, "read units", 40_000), Counts(12_400, 0.0)
    assert progress_line(goal, counts, elapsed_s=120.0, recent_units_s=99.1) in text_of(
        PROJECT / "docs" / "operations.md"
    )


def test_the_numbers_of_the_rate_are_those_of_the_code() -> None:
    text = " ".join(text_of(PROJECT / "docs" / "rate.md").split())
    told = [
        f"at {rate_meter.PACE} R, from nothing",
        f"within {rate_window.WINDOW_LIMIT} windows' worth",
        f"window of {rate_window.WINDOW_S:.0f} seconds",
        f"Up to {rate_window.SLOW_RATE:.0f} units/s the window has {rate_window.SLOW_WINDOW_S:.0f} seconds",
        f"more than {rate_window.LARGE_SHARE:.0%} of a window".replace("%", " %"),
        f"to {throttle_response.CUT:.0%}".replace("%", " %") + ", at most once a second",
        f"never below {throttle_response.FLOOR:.0%}".replace("%", " %"),
        f"by {throttle_response.CLIMB_PER_S:.1%} of R a second".replace("%", " %"),
        "{read:,.0f} read, {write:,.0f} write units".format(**capacity.NEW_TABLE_UNITS),
        f"A percent is {capacity.PERCENT_MIN} to {capacity.PERCENT_MAX}",
        "`25% of 400 read units (provisioned) = 100/s`",
    ]
    assert [phrase for phrase in told if phrase not in text] == []
    assert (budget.REQUEST_SHARE, capacity_watch.INTERVAL_S) == (1 / 50, 60)
    assert "a fiftieth of a window" in text
    assert "once a minute" in text
    provisioned = capacity.Capacity(provisioned=capacity.Throughput(400, 400))
    assert capacity.read_rate(provisioned, capacity.RateChoice.of("25", None)).derivation in text


def test_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", text_of(PROJECT / "CHANGELOG.md"), re.MULTILINE)[0] == __version__


# Links, files, and what must not be there


def _headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if re.match(r"https://", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), target
        assert not anchor or anchor in _headings(place), target


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_files_named_exist(path: Path) -> None:
    """Paths in back quotes and plain ones in brackets that begin with a folder of this project."""
    folders = {entry.name for entry in PROJECT.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    named = re.findall(r"(?<![\w/.-])([a-z_]+(?:/[\w.-]+)+)", re.sub(r"\]\([^)]*\)", "]", text_of(path)))
    ours = {name.rstrip(".") for name in named if name.partition("/")[0] in folders - {"dist"}}
    assert {name for name in ours if not (PROJECT / name).exists() and not _built(name)} == set()


def _built(name: str) -> bool:
    """Folders that `make setup` fills."""
    return name.startswith("jars/")


def test_decisions_are_numbered_and_short() -> None:
    names = [path.name for path in DECISIONS]
    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    lengths = {path.name: len(text_of(path).splitlines()) for path in DECISIONS}
    assert {name: length for name, length in lengths.items() if not 15 <= length <= 30} == {}


def tracked_texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=PROJECT, check=True).stdout
    for name in listed.decode().split("\0"):
        path = PROJECT / name
        if name and path.is_file():
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


# Each pattern is written so that it does not match itself.
NOT_FOR_OTHERS = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|home/[a-z]+|tmp/[w])/"),
    "the host of a registry": re.compile(
        r"(?:registry\.npm[j]s|pyp[i]\.org|pythonhoste[d]|rep[o]1?\.maven|maven\.org[/]|artifactor[y]|nexu[s]\.)"
    ),
}


@pytest.mark.parametrize("what", NOT_FOR_OTHERS)
def test_no_machine_and_no_registry_is_named_in_any_tracked_file(what: str) -> None:
    found = {name: sorted(set(NOT_FOR_OTHERS[what].findall(text))) for name, text in tracked_texts()}
    assert len(found) > 100
    assert {name: words for name, words in found.items() if words} == {}
