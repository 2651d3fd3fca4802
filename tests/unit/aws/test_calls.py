"""Every call of AWS that a job makes goes through one policy: on the syntax trees, and reply by reply."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from dynamodb_pipeline.aws.request_errors import BadReply
from dynamodb_pipeline.aws.retry import CALLS, ErrorKind, GaveUp, Pacing, call_with_retry
from dynamodb_pipeline.dynamodb import requests
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.store.s3 import S3ObjectStore
from tests.unit.dynamodb.scripted_server import reply
from tests.unit.dynamodb.table_replies import provisioned_table
from tests.unit.dynamodb.wire_fixtures import consumed, wire_to
from tests.unit.import_graph import PACKAGE, Module, library
from tests.unit.store.s3_world import S3World, ScriptedS3
from tests.unit.test_module_rules import NOT_ON_NODES

SERVICES = ("dynamodb", "s3", "sts", "kms", "emr", "cloudwatch", "logs", "secretsmanager")
SENDERS = {
    "scan_page",
    "scan_with_units",
    "batch_write",
    "put_item",
    "delete_item",
    "describe_table",
    "describe_time_to_live",
}
ROUNDS = {"call_with_retry", "pause"}  # what sends again within the bounds of a policy


@cache
def methods() -> frozenset[str]:
    """Every method of botocore's clients of these services that sends a request."""
    session = botocore.session.get_session()
    models = (session.get_service_model(service) for service in SERVICES)
    names = {xform_name(name) for model in models for name in model.operation_names}
    return frozenset(names | {"get_paginator", "get_waiter"})


def calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in module.nodes if isinstance(node, ast.Call))


def client_calls(module: Module) -> list[str]:
    """Requests by a client of botocore, by name or by a name worked out."""
    named = (c.func for c in calls(module) if isinstance(c.func, ast.Attribute) and c.func.attr in methods())
    chosen = (c for c in calls(module) if ast.unparse(c.func) == "getattr" and not isinstance(c.args[1], ast.Constant))
    clients = (c for c in chosen if "client" in ast.unparse(c.args[0]))
    return [*map(ast.unparse, named), *map(ast.unparse, clients)]


def wire_calls(module: Module) -> list[str]:
    """Requests over our own wire."""
    attributes = (c.func for c in calls(module) if isinstance(c.func, ast.Attribute))
    return [ast.unparse(func) for func in attributes if func.attr == "call" and "wire" in ast.unparse(func.value)]


def unbounded(module: Module) -> set[str]:
    """What sends one request, used in a module that sends nothing again."""
    used = {node.id for node in module.nodes if isinstance(node, ast.Name)}
    return set() if used & ROUNDS else used & SENDERS


def job_modules() -> Iterable[Module]:
    found = [m for m in library().modules.values() if m.package.partition(".")[0] not in NOT_ON_NODES]
    assert len(found) >= 100
    return found


def places(rule: Callable[[Module], Any]) -> dict[str, Any]:
    return {module.name: found for module in job_modules() if (found := rule(module))}


def words(name: str) -> set[str]:
    module = library().modules[f"{PACKAGE}.{name}"]
    return {node.value for node in module.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_clients_send_where_it_is_known() -> None:
    listing = "clients.client('dynamodb', attempts=LISTING_ATTEMPTS).get_paginator"
    assert places(client_calls) == {
        # Keys, which botocore asks for in the middle of a request: one of ours that comes of it is sent again.
        f"{PACKAGE}.aws.keys": ["sts.assume_role"],
        # Which tables there are, before the run has begun anything: ten attempts of botocore's, then it has not begun.
        f"{PACKAGE}.dynamodb.table": [listing, listing],
        # A courtesy to the export: its failures are noted, never repeated and never raised.
        f"{PACKAGE}.exporting.definition": [
            "client.describe_time_to_live",
            "client.describe_continuous_backups",
        ],
        f"{PACKAGE}.store.anywhere": ["client.head_bucket"],
        f"{PACKAGE}.store.s3": ["getattr(self._client_for(where.bucket), operation)"],
    }


def test_the_wire_sends_in_one_place() -> None:
    assert set(places(wire_calls)) == {f"{PACKAGE}.dynamodb.requests"}


def test_what_sends_once_is_used_where_it_is_sent_again() -> None:
    assert places(unbounded) == {f"{PACKAGE}.dynamodb.requests": SENDERS & {"scan_page"}}


def test_every_operation_has_its_row_and_every_row_its_operation() -> None:
    sent = {*words("dynamodb.requests"), *words("store.s3"), *words("store.anywhere")}
    operations = {name for name in sent if name in methods() or xform_name(name) in methods()}
    assert operations - SENDERS == CALLS.keys()


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (client_calls, "def f(client):\n    return client.describe_table(TableName='t')"),
        (client_calls, "def f(clients):\n    return clients.client('sts').get_caller_identity()"),
        (client_calls, "def f(client, name):\n    return getattr(client, name)()"),
        (client_calls, "def f(client):\n    return client.get_paginator('scan')"),
        (wire_calls, "def f(wire):\n    return wire.call('DescribeTable', b'')"),
        (wire_calls, "def f(self):\n    return self._wire.call('DescribeTable', b'')"),
        (unbounded, "def f(wire, name):\n    return describe_table(wire, name)"),
    ],
)
def test_each_rule_bites(rule: Callable[[Module], Any], source: str) -> None:
    assert rule(Module(f"{PACKAGE}.passes.example", source))


# the replies

KEYS = KeySchema.from_description(provisioned_table())
ITEM = b'{"Id":{"S":"a"},"At":{"N":"1"}}'
WHOLE: dict[str, dict[str, Any]] = {
    "Scan": {"Items": [], "Count": 0, "ScannedCount": 0, "ConsumedCapacity": consumed(0.5)},
    "BatchWriteItem": {"UnprocessedItems": {}, "ConsumedCapacity": [consumed(1.0)]},
    "PutItem": {"ConsumedCapacity": consumed(1.0)},
    "DeleteItem": {"ConsumedCapacity": consumed(1.0)},
    "DescribeTable": {"Table": provisioned_table()},
    "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
}
SENT: dict[str, Callable[[DynamoDbWire], object]] = {
    "Scan": lambda wire: requests.scan_page(wire, requests.ScanRequest("orders")),
    "BatchWriteItem": lambda wire: requests.batch_write(wire, "orders", puts=[ITEM], key_of=KEYS.key_of),
    "PutItem": lambda wire: requests.put_item(wire, "orders", item=ITEM),
    "DeleteItem": lambda wire: requests.delete_item(wire, "orders", key=ITEM),
    "DescribeTable": lambda wire: requests.describe_table(wire, "orders"),
    "DescribeTimeToLive": lambda wire: requests.describe_time_to_live(wire, "orders"),
}
STORED: dict[str, Callable[[S3ObjectStore], object]] = {
    "head_object": lambda store: store.head("s3://bucket/key"),
    "get_object": lambda store: store.get("s3://bucket/key"),
    "put_object": lambda store: store.put("s3://bucket/key", b"new"),
    "list_objects_v2": lambda store: list(store.list("s3://bucket/")),
    "delete_object": lambda store: store.delete("s3://bucket/key"),
}


def members(of: Iterable[str]) -> list[tuple[str, str]]:
    return [(operation, name) for operation in of for name in CALLS[operation].reply]


def pacing(operation: str) -> Pacing:
    return Pacing(CALLS[operation].policy, sleep=lambda _: None)


@pytest.mark.parametrize(("operation", "member"), members(SENT))
def test_a_reply_of_dynamodb_without_a_member_is_asked_for_again(operation: str, member: str) -> None:
    lacking = {name: value for name, value in WHOLE[operation].items() if name != member}
    with wire_to(reply(lacking)) as (wire, _), pytest.raises(BadReply):
        SENT[operation](wire)
    with wire_to(reply(lacking), reply(WHOLE[operation])) as (wire, server):
        call_with_retry(lambda: SENT[operation](wire), pacing=pacing(operation))
        assert len(server.requests) == 2


@pytest.mark.parametrize("operation", SENT)
def test_damaged_replies_of_dynamodb_without_end_leave_a_run_that_can_go_on(operation: str) -> None:
    count = CALLS[operation].policy.attempts_max[ErrorKind.BAD_REPLY]
    with wire_to(*[reply({})] * count) as (wire, server):
        with pytest.raises(GaveUp) as caught:
            call_with_retry(lambda: SENT[operation](wire), pacing=pacing(operation))
        assert len(server.requests) == count
    assert caught.value.exit_code is ExitCode.STOPPED
    assert caught.value.exit_code.row.resumable
    assert caught.value.exit_code.row.retried


class LackingS3(ScriptedS3):
    """An S3 whose first replies to one operation lack a member."""

    def __init__(self, operation: str, member: str, *, times: int) -> None:
        super().__init__(stored=b"old")
        whole = getattr(self, operation)
        self.sent, self.times = 0, times

        def lacking(**arguments: Any) -> dict[str, Any]:
            self.sent += 1
            answer: dict[str, Any] = whole(**arguments)
            return answer if self.sent > times else {n: v for n, v in answer.items() if n != member}

        setattr(self, operation, lacking)


@pytest.mark.parametrize(("operation", "member"), members(STORED))
def test_a_reply_of_s3_without_a_member_is_asked_for_again(operation: str, member: str) -> None:
    client = LackingS3(operation, member, times=2)
    STORED[operation](S3World().store(client))
    assert client.sent == 3


@pytest.mark.parametrize(("operation", "member"), members(STORED))
def test_damaged_replies_of_s3_without_end_leave_a_run_that_can_go_on(operation: str, member: str) -> None:
    client = LackingS3(operation, member, times=100)
    with pytest.raises(GaveUp, match=member) as caught:
        STORED[operation](S3World().store(client))
    assert client.sent == CALLS[operation].policy.attempts_max[ErrorKind.BAD_REPLY]
    assert caught.value.exit_code is ExitCode.STOPPED


@pytest.mark.parametrize("entry", [{"Size": 1, "ETag": '"e"'}, {"Key": "k", "ETag": '"e"'}, {"Key": "k", "Size": 1}])
def test_a_listing_with_half_an_entry_is_asked_for_again(entry: dict[str, Any]) -> None:
    client = ScriptedS3()
    pages = [{"IsTruncated": False, "Contents": [entry]}, {"IsTruncated": True}, client.list_objects_v2()]
    client.list_objects_v2 = lambda **_: pages.pop(0)  # type: ignore[method-assign]
    assert [info.uri for info in S3World().store(client).list("s3://bucket/")] == ["s3://bucket/key"]
    assert pages == []


def test_every_operation_is_tried() -> None:
    assert SENT.keys() | STORED.keys() | {"head_bucket"} == CALLS.keys()
