"""The sandbox's servers: they answer as AWS does where the jobs care, and nothing outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox import state
from sandbox.active_table import create_active_table
from sandbox.processes import PROJECT, SandboxError, start_time
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

OWNER_SCRIPT = """
import sys
from sandbox.stack import Sandbox
with Sandbox() as sandbox:
    print(sandbox.state.name, *(server.pid for server in sandbox.state.servers), flush=True)
    {ending}
"""


def create_table(client: Any, name: str) -> dict[str, Any]:
    return create_active_table(
        client,
        TableName=name,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_a_table_lives_in_one_region_only(sandbox: Sandbox) -> None:
    oregon, ireland = (sandbox.client("dynamodb", region=region) for region in ("us-west-2", "eu-west-1"))
    arn = create_table(oregon, "OneRegion")["TableArn"]
    assert arn == "arn:aws:dynamodb:us-west-2:123456789012:table/OneRegion"
    assert oregon.describe_table(TableName="OneRegion")["Table"]["TableStatus"] == "ACTIVE"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        ireland.describe_table(TableName="OneRegion")


def test_items_survive_a_round_trip(sandbox: Sandbox) -> None:
    client = sandbox.client("dynamodb")
    create_table(client, "RoundTrip")
    item = {"Id": {"S": "k"}, "empty": {"L": []}, "none": {"NULL": True}, "b": {"B": b"\x00\xff"}}
    client.put_item(TableName="RoundTrip", Item=item)
    assert client.scan(TableName="RoundTrip")["Items"] == [item]


def test_s3_refuses_a_second_object_of_the_same_name_when_asked(sandbox: Sandbox) -> None:
    client = sandbox.client("s3")
    client.create_bucket(Bucket="put-if-absent")
    client.put_object(Bucket="put-if-absent", Key="k", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="put-if-absent", Key="k", Body=b"second", IfNoneMatch="*")
    assert client.get_object(Bucket="put-if-absent", Key="k")["Body"].read() == b"first"


def test_env_alone_leads_boto3_to_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in sandbox.env().items():
        monkeypatch.setenv(key, value)
    services = ("dynamodb", "s3", "emr", "sts", "cloudwatch")
    session: Any = boto3.session.Session()
    hosts = {service: session.client(service).meta.endpoint_url for service in services}
    assert hosts.pop("dynamodb") == sandbox.dynamodb_url
    assert set(hosts.values()) == {sandbox.s3_url}


def test_process_env_carries_no_foreign_credentials(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "somebody's")
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment = sandbox.process_env(EXTRA="1")
    assert {"AWS_SESSION_TOKEN", "AWS_PROFILE"}.isdisjoint(environment)
    assert environment["EXTRA"] == "1"


def own_sandbox(ending: str) -> tuple[subprocess.Popen[str], str, list[int]]:
    """Start a process that holds a sandbox; return it with the sandbox's name and server ids."""
    script = OWNER_SCRIPT.format(ending=ending)
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT,
    )
    assert owner.stdout
    name, *pids = owner.stdout.readline().split()
    return owner, name, [int(pid) for pid in pids]


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_no_server_outlives_its_owner(stop_signal: signal.Signals) -> None:
    owner, name, pids = own_sandbox("sys.stdin.read()")
    with owner:
        assert all(start_time(pid) for pid in pids)
        groups = [os.getpgid(pid) for pid in pids]
        owner.send_signal(stop_signal)
    for group in groups:
        wait_until_group_is_gone(group)
    state.sweep()  # what the next start does
    assert state.load(name) is None


def wait_until_group_is_gone(group: int) -> None:
    """Return when no process of `group` runs; fail after 10 s."""
    probe = f"while kill -0 -- -{group} 2>/dev/null; do sleep 0.05; done"
    subprocess.run(["sh", "-c", probe], timeout=10, check=True)


def test_an_exception_stops_the_servers_and_keeps_the_logs() -> None:
    with pytest.raises(ZeroDivisionError), Sandbox() as sandbox:
        raise ZeroDivisionError
    assert not any(server.is_alive for server in sandbox.state.servers)
    assert (sandbox.state.folder / "logs" / "s3.log").exists()
    sandbox.stop()


def test_a_second_sandbox_of_the_same_name_is_refused_and_the_first_lives_on() -> None:
    with Sandbox("test-twice") as first:
        with pytest.raises(SandboxError, match="already up"):
            Sandbox("test-twice").start()
        assert first.client("dynamodb").list_tables()["TableNames"] == []
