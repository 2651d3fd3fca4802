"""`.ci/check-tools`: one line that names everything missing, nothing when all is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / ".ci" / "check-tools"
GOOD = {
    "python3.11": "exit 0",
    "java": "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2",
    "mvn": "exit 0",
    "node": "echo v20.20.2",
    "npm": "exit 0",
}
SYSTEM_TOOLS = ("sh", "sed", "head", "tr", "grep")


def run_check(folder: Path, commands: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the check where only `commands` (name -> shell script) and the bare system tools exist."""
    for tool in SYSTEM_TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return subprocess.run([CHECK], env={"PATH": str(folder)}, capture_output=True, text=True)


def test_nothing_is_said_when_all_is_there(tmp_path: Path) -> None:
    result = run_check(tmp_path, GOOD)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("tool", "named"),
    [
        ("python3.11", "Python 3.11"),
        ("java", "Java 17"),
        ("mvn", "Maven"),
        ("node", "Node 20"),
        ("npm", "npm"),
    ],
    ids=lambda value: value.split()[0],
)
def test_a_missing_tool_is_named_in_one_line(tmp_path: Path, tool: str, named: str) -> None:
    result = run_check(tmp_path, {name: script for name, script in GOOD.items() if name != tool})
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr
    assert "run `make setup` again" in result.stderr


def test_all_missing_tools_are_named_at_once(tmp_path: Path) -> None:
    result = run_check(tmp_path, {})
    assert len(result.stderr.splitlines()) == 1
    assert [name in result.stderr for name in ("Python", "Java", "Maven", "Node", "npm")] == [True] * 5


@pytest.mark.parametrize(
    ("tool", "script", "found"),
    [
        ("java", "echo 'java version \"1.8.0_402\"' >&2", "(found 1)"),
        ("java", "echo 'openjdk version \"25\" 2025-09-16' >&2", "(found 25)"),
        ("node", "echo v18.20.4", "(found 18)"),
    ],
    ids=["java 8", "java 25", "node 18"],
)
def test_a_wrong_version_is_refused_with_what_was_found(tmp_path: Path, tool: str, script: str, found: str) -> None:
    result = run_check(tmp_path, {**GOOD, tool: script})
    assert result.returncode == 1
    assert found in result.stderr
