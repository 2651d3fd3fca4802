"""What `make setup` installs is pinned to the last byte and names no machine; `make` says what it can do."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest
import tomllib
import yaml

from dynamodb_pipeline import __version__
from sandbox.jars import JarFolders
from tests.unit.make_command import INHERITED, make, words_made

PROJECT = Path(__file__).parents[2]
POM = "{http://maven.apache.org/POM/4.0.0}"
REQUIREMENTS = ["node", "dev", "docs"]
TARGETS = {
    *("help", "setup", "demo", "clean", "sandbox-up", "sandbox-down"),
    *("export", "import", "verify", "bundle"),
    *("test", "test-unit", "lint", "faults", "bench", "bench-quick"),
}


def pins(name: str) -> dict[str, str]:
    """Return {package: version} of requirements/`name`.txt."""
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ \\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_python_package_is_pinned_by_hash_and_no_index_is_named(name: str) -> None:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    entries = re.findall(r"^\S.*(?:\n {4}--hash=\S+.*)*", text, re.MULTILINE)
    assert len(entries) > 5
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_the_laptop_has_the_versions_that_the_nodes_get() -> None:
    """The bundle copies boto3 and its closure from the development environment."""
    node, dev = pins("node"), pins("dev")
    assert {name: dev[name] for name in node} == node


def test_nodes_never_get_pyspark() -> None:
    """A second pyspark would shadow the cluster's own."""
    assert "pyspark" not in pins("node")


def test_every_jar_version_is_exact() -> None:
    root = ElementTree.parse(PROJECT / "pom.xml").getroot()
    properties = {element.tag.removeprefix(POM): element.text or "" for element in root.iterfind(f"{POM}properties/*")}
    written = [element.text or "" for element in root.iter(f"{POM}version")]
    versions = [re.sub(r"\$\{([^}]+)\}", lambda found: properties[found[1]], text) for text in written]
    assert len(versions) > 15
    assert [text for text in versions if not re.fullmatch(r"\d+(\.\d+)*(-\d+)?", text)] == []


def test_the_maven_plugin_is_pinned_too() -> None:
    root = ElementTree.parse(PROJECT / "pom.xml").getroot()
    assert [plugin.findtext(f"{POM}version") for plugin in root.iter(f"{POM}plugin")] == ["3.6.1"]


def test_the_npm_lock_has_hashes_and_no_registry() -> None:
    lock = json.loads((PROJECT / "sandbox" / "npm" / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert len(packages) > 10
    assert [package for package in packages if "integrity" not in package or "resolved" in package] == []


def test_a_changed_missing_or_added_jar_is_named(tmp_path: Path) -> None:
    jars = JarFolders(tmp_path / "jars", tmp_path / "jars.sha256")
    folder = tmp_path / "jars" / "yarn"
    folder.mkdir(parents=True)
    for name in ("kept", "changed", "removed"):
        (folder / f"{name}.jar").write_text(name)
    jars.record()
    assert jars.differences("yarn") == []
    (folder / "changed.jar").write_text("other")
    (folder / "removed.jar").unlink()
    (folder / "added.jar").write_text("new")
    assert jars.differences("yarn") == [
        "jars/yarn/added.jar: not in sandbox/jars.sha256",
        "jars/yarn/changed.jar: content differs from sandbox/jars.sha256",
        "jars/yarn/removed.jar: missing",
    ]


def test_help_lists_every_target() -> None:
    text = make("-s")
    listed = re.findall(r"^  make (\S+) +\S", text, re.MULTILINE)
    assert set(listed) >= TARGETS
    phony = re.findall(r"^\.PHONY: (\S+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert listed == phony


FORUM = ["--table=Forum"]
PLACES = {"OUTPUT": "s3://b/f", "TABLES": "Forum  Thread", "PERCENT": "25", "LOCAL": "1", "ARGS": "--resume latest"}
EXPORTED = ["export", *FORUM, "--table=Thread", "--output=s3://b/f", "--throughput-percent=25", "--local"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", *(f"{name}={value}" for name, value in PLACES.items())], [*EXPORTED, "--resume", "latest"]),
        (["export", "TABLES=Forum"], ["export", *FORUM]),
        (["export", "TABLE=Forum"], ["export", *FORUM]),
        (["export", "TABLE=Other", "TABLES=Forum"], ["export", *FORUM]),
        (["import", "TABLE=Forum", "INPUT=s3://b/f"], ["import", *FORUM, "--input=s3://b/f"]),
        (["verify", "INPUT=s3://b/f", "TABLE=Forum", "ARGS=--latest"], ["verify", "s3://b/f", *FORUM, "--latest"]),
    ],
    ids=["export local", "export", "export of TABLE", "export of both", "import", "verify"],
)
def test_make_passes_its_variables_as_options(arguments: list[str], words: list[str]) -> None:
    assert words_made(*arguments) == words


def test_make_takes_its_variables_from_the_environment_too() -> None:
    assert words_made("export", variables=PLACES) == [*EXPORTED, "--resume", "latest"]


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that no value may make."""
    return tmp_path / "made"


HOSTILE = {
    "end of a quotation": "s3://b/x'; touch {trap}; '",
    "end of a double quotation": 's3://b/x"; touch {trap}; "',
    "shell substitution": "s3://b/$(touch {trap})",
    "doubled dollar": "s3://b/$$(touch {trap})",
    "backquotes": "s3://b/`touch {trap}`",
    "function of make": "s3://b/$(shell touch {trap})",
    "function of make in braces": "s3://b/${{shell touch {trap}}}",
    "assignment of make": "$(eval X := $(shell touch {trap}))",
    "command behind": "Forum; touch {trap}",
    "background": "Forum & touch {trap} &",
    "comment": "Forum # $(shell touch {trap})",
    "line end": "Forum\n\ttouch {trap}",
}


@pytest.mark.parametrize("name", ["OUTPUT", "PERCENT", "TABLES", "LOCAL"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_value_in_the_environment_is_run(name: str, text: str, trap: Path) -> None:
    value = text.format(trap=trap)
    words = words_made("export", variables={name: value})
    assert not trap.exists()
    expected = {"LOCAL": ["--local"], "TABLES": [f"--table={word}" for word in value.split()]}
    option = "output" if name == "OUTPUT" else "throughput-percent"
    assert words[1:] == expected.get(name, [f"--{option}={value}"])


@pytest.mark.parametrize("text", [text for name, text in HOSTILE.items() if name != "line end"])
def test_no_value_on_the_command_line_is_run(text: str, trap: Path) -> None:
    value = text.format(trap=trap)
    assert words_made("import", f"TABLE={value}") == ["import", f"--table={value}"]
    assert not trap.exists()


@pytest.mark.parametrize(("code", "said"), [(3, "precondition refused"), (0, ""), (77, "killed by a signal")])
def test_make_names_the_code_that_it_turns_into_2(tmp_path: Path, code: int, said: str) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    program = tmp_path / "dynamodb-pipeline"
    program.write_text(f"#!/bin/sh\necho '{{}}'\nread line && exit 99\nexit {code}\n")
    program.chmod(0o700)
    command = ["make", "-o", ".build/package", f"RUN={tmp_path / 'python'}", "export", "TABLES=Forum"]
    env = {name: value for name, value in os.environ.items() if name not in INHERITED}
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=env, input="y\n", check=False)
    assert done.stdout == "{}\n"
    assert done.returncode == (2 if code else 0)
    lines = done.stderr.splitlines()
    assert len(lines) == (2 if code else 0)
    assert not code or lines[0].startswith(f"export ended with exit code {code} ({said}")


def test_what_installs_speaks_on_stderr() -> None:
    """`make export LOCAL=1` may install first, and its stdout is one document."""
    lines = make("-n", "-B", "export", "LOCAL=1").splitlines()
    speaking = [line for line in lines if line.lstrip().startswith("echo ")]
    assert len(speaking) >= 5
    assert [line for line in speaking if not line.endswith(">&2")] == []


def test_args_are_split_and_nothing_in_them_is_run(trap: Path) -> None:
    words = words_made("verify", f"ARGS=--latest; touch {trap} $(shell touch {trap}) `touch {trap}` 'a b'")
    assert words[1:3] == ["--latest;", "touch"]
    assert words[-1] == "a b"
    assert not trap.exists()


def test_args_that_end_inside_a_quotation_are_a_usage_error() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        words_made("verify", "ARGS=--set-aside 's3://b")
    assert (
        "ERROR 2 (usage or configuration): ARGS cannot be split into words: No closing quotation" in caught.value.stderr
    )


RELEASED = "# Changelog\n\n## 1.2.3 (2026-01-31)\n\n- New.\n"


@pytest.mark.parametrize(
    ("version", "changelog", "uncommitted", "said"),
    [
        ("1.2.3", RELEASED, "", []),
        ("1.2.4", RELEASED, "", ["'1.2.3 (2026-01-31)'"]),
        ("1.2.3", RELEASED.replace("2026-01-31", "unreleased"), "", ["'1.2.3 (unreleased)'"]),
        ("1.2.3", "", "", ["'nothing'"]),
        ("1.2.3", RELEASED, " M README.md\n?? left\n", ["README.md", "left"]),
    ],
    ids=["fine", "other version", "unreleased", "empty", "not committed"],
)
def test_a_release_needs_its_line_in_the_changelog_and_commits(
    version: str, changelog: str, uncommitted: str, said: list[str]
) -> None:
    problems = runpy.run_path(str(PROJECT / ".ci" / "release.py"))["problems"](version, changelog, uncommitted)
    assert len(problems) == len(said)
    assert all(word in problem for word, problem in zip(said, problems))


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dynamodb_pipeline.__version__"}
    assert metadata.version("dynamodb-pipeline") == __version__


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "dynamodb_pipeline", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.strip().endswith(__version__)


def test_every_hook_before_a_commit_runs_a_tool_of_make_setup() -> None:
    (repo,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = {Path(shlex.split(hook["entry"])[0]) for hook in repo["hooks"]}
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    assert programs == {Path(f".venv/bin/{name}") for name in ("ruff", "mypy", "python")}
    assert {path.name for path in programs} <= {path.name for path in Path(sys.executable).parent.iterdir()}


def test_the_ci_runs_make_test_without_input() -> None:
    text = (PROJECT / ".ci" / "run").read_text()
    assert "exec make test </dev/null" in text
    subprocess.run(["bash", "-n", PROJECT / ".ci" / "run"], check=True)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("from itertools import pairwise\n", 1),
        ("for pair in zip([1], [2], strict=True):\n    print(pair)\n", 1),
        ("from dataclasses import dataclass\n@dataclass(slots=True)\nclass Fast:\n    count = 0\n", 1),
        ("match 1:\n    case 1:\n        pass\n", 1),
        ("from __future__ import annotations\ndef half(count: int | None) -> None: ...\n", 0),
    ],
    ids=["function", "argument", "decorator", "syntax", "fine"],
)
def test_lint_refuses_what_the_python_of_the_nodes_has_not(tmp_path: Path, source: str, code: int) -> None:
    (line,) = [line for line in make("-n", "lint").splitlines() if "vermin" in line]
    tool, *options = shlex.split(line)
    assert (tool, options[-2:]) == (".venv/bin/vermin", ["dynamodb_pipeline", "jobs"])
    (tmp_path / "example.py").write_text(source)
    command = [Path(sys.executable).parent / "vermin", *options[:-2], tmp_path]
    assert subprocess.run(command, capture_output=True, check=False).returncode == code
