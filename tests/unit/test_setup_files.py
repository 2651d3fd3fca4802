"""What `make setup` installs is pinned to the last byte and names no machine; `make` says what it can do."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from sandbox.jars import JarFolders
from tests.unit.make_command import make

PROJECT = Path(__file__).parents[2]
POM = "{http://maven.apache.org/POM/4.0.0}"
REQUIREMENTS = ["node", "dev"]
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


def dry_run(*arguments: str) -> str:
    """Return the last command `make` would run."""
    output = make("-n", *arguments)
    return " ".join(output.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (
            ["export", "TABLES=Forum Thread", "OUTPUT=s3://b/f", "PERCENT=25", "LOCAL=1"],
            "export --table Forum --table Thread --output 's3://b/f' --throughput-percent 25 --local",
        ),
        (["export", "TABLES=Forum"], "export --table Forum"),
        (["import", "TABLE=Forum", "INPUT=s3://b/f"], "import --table Forum --input 's3://b/f'"),
        (["verify", "INPUT=s3://b/f", "TABLE=Forum", "ARGS=--latest"], "verify 's3://b/f' --table Forum --latest"),
    ],
    ids=["export local", "export", "import", "verify"],
)
def test_make_passes_its_variables_as_options(arguments: list[str], command: str) -> None:
    assert dry_run(*arguments) == f".venv/bin/dynamodb-pipeline {command}"


def test_the_ci_runs_make_test_without_input() -> None:
    text = (PROJECT / ".ci" / "run").read_text()
    assert "exec make test </dev/null" in text
    subprocess.run(["bash", "-n", PROJECT / ".ci" / "run"], check=True)
