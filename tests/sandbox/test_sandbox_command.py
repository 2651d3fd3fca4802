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


@pytest.mark.yarn
@pytest.mark.slow
def test_up_with_emr_is_ready_for_a_launch(command: Command) -> None:
    """Roles, bucket and the line for the shell are there: preflight of an export finds nothing that refuses it."""
    arguments = [sys.executable, "-m", "sandbox", "up", "--emr", "--name", NAME, "--region", "eu-west-1"]
    started = subprocess.run(arguments, capture_output=True, text=True, cwd=PROJECT, timeout=180)
    assert started.returncode == 0, started.stderr
    assert started.stdout.splitlines()[-1].startswith('eval "$(')
    preflight = f"{sys.executable} -m dynamodb_pipeline.cli.main preflight export --table Forum --region eu-west-1"
    places = "--output s3://my-bucket/exports --logs s3://my-bucket/logs"
    shell = f"{started.stdout.splitlines()[-1]}\n{sys.executable} -c '{MAKE_FORUM}'\n{preflight} {places}"
    looked = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=PROJECT, timeout=180)
    assert looked.returncode == 0, looked.stderr
    assert "FAILED" not in looked.stderr


MAKE_FORUM = """import boto3; boto3.client("dynamodb").create_table(TableName="Forum", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}])"""
