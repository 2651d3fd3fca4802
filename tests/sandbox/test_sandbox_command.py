"""`python -m sandbox`: up, status, env, down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from sandbox.processes import PROJECT

pytestmark = pytest.mark.sandbox

NAME = "test-command"
Command = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command() -> Iterator[Command]:
    """Run `python -m sandbox VERB` on a sandbox of its own, taken down at the end."""

    def run(verb: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "sandbox", verb, "--name", NAME]
        return subprocess.run(arguments, capture_output=True, text=True, cwd=PROJECT, timeout=60)

    yield run
    run("down")


def test_up_leaves_servers_that_the_printed_environment_reaches(command: Command) -> None:
    started = command("up")
    assert started.returncode == 0, started.stderr
    shell = f"{command('env').stdout}\n{sys.executable} -c '{LIST_TABLES}'"
    listed = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60)
    assert listed.stdout.strip() == "[]", listed.stderr


LIST_TABLES = 'import boto3; print(boto3.client("dynamodb").list_tables()["TableNames"])'


def test_up_twice_is_one_sandbox(command: Command) -> None:
    assert command("up").stdout == command("up").stdout


def test_down_stops_what_up_started(command: Command) -> None:
    command("up")
    assert command("down").returncode == 0
    assert command("status").returncode == 3
    assert "is not up: run `python -m sandbox up`" in command("env").stderr


def test_down_without_up_is_no_error(command: Command) -> None:
    assert command("down").returncode == 0
