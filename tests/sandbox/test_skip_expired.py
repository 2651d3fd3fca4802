"""`--skip-expired` of exports and imports: which items are left out, decided here by DynamoDB's own rule in Python."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, get_objects, put_backup
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, Table, make_bucket, make_table

pytestmark = pytest.mark.sandbox

Item = dict[str, Any]
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
NOW = int(time.time())
TTL = {"DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}}}
# From the developer guide: a number of seconds in the past has expired, unless it is more than five years ago; every
# other type, and none at all, never does.
VALUES: list[tuple[Item | None, bool]] = [
    (None, False),
    ({"N": str(NOW - HOUR)}, True),
    ({"N": str(NOW - 4 * YEAR)}, True),
    ({"N": f"{NOW - HOUR}.5"}, True),
    ({"N": str(NOW - 6 * YEAR)}, False),
    ({"N": "0"}, False),
    ({"N": "-5"}, False),
    ({"N": str(NOW + HOUR)}, False),
    ({"N": str(NOW + 30 * DAY)}, False),
    ({"S": str(NOW - HOUR)}, False),
    ({"BOOL": True}, False),
    ({"NULL": True}, False),
    ({"M": {"ttl": {"N": str(NOW - HOUR)}}}, False),
    ({"L": [{"N": str(NOW - HOUR)}]}, False),
]


def item(number: int, value: Item | None) -> Item:
    inner = {"M": {"ttl": {"N": str(NOW - HOUR)}}}  # an attribute of that name inside of another
    made: Item = {"id": {"S": f"k{number:03d}"}, "inner": inner, "text": {"S": 'a "quote" and \u00e9'}}
    return made if value is None else {**made, "ttl": value}


ITEMS = [(item(number, value), expired) for number, (value, expired) in enumerate(VALUES * 3)]
KEPT = [one for one, expired in ITEMS if not expired]
EXPIRED = len(ITEMS) - len(KEPT)
ALL = [one for one, _ in ITEMS]
SOON = EXPIRED + 3  # and one of each round an hour from now


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture(scope="module")
def table(sandbox: Sandbox) -> Table:
    table = make_table(sandbox)
    table.put(ALL)
    return table


@contextmanager
def with_ttl(sandbox: Sandbox) -> Iterator[Pipeline]:
    with MeteringProxy(sandbox.dynamodb_url, answers=TTL) as proxy:
        yield Pipeline(sandbox, proxy.url)


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox, table: Table, bucket: str) -> str:
    """A whole export of ours; it says how many would expire."""
    with with_ttl(sandbox) as pipeline:
        done = pipeline.export(table, f"s3://{bucket}/whole")
    assert done.code == ExitCode.DONE, done.text
    assert f"{SOON} of {len(ITEMS)} items expire within a day, or have (TTL attribute 'ttl')" in done.text
    return f"s3://{bucket}/whole"


def imported(sandbox: Sandbox, folder: str, *words: str) -> tuple[dict[str, int], Any, str]:
    target = make_table(sandbox)
    with with_ttl(sandbox) as pipeline:
        done = pipeline.import_into(target, folder, *words)
    assert done.code == ExitCode.DONE, done.text
    return target.differences(KEPT), done.result, done.text


def test_an_export_leaves_out_what_has_expired(sandbox: Sandbox, table: Table, bucket: str) -> None:
    with MeteringProxy(sandbox.dynamodb_url, answers=TTL) as proxy:
        done = Pipeline(sandbox, proxy.url).export(table, f"s3://{bucket}/kept", "--skip-expired")
        asked = proxy.of("DescribeTimeToLive")
    assert done.code == ExitCode.DONE, done.text
    assert len(asked) == 1
    definition = json.loads(get_objects(sandbox, f"s3://{bucket}/kept")["_table.json"])
    assert definition["time_to_live"]["AttributeName"] == "ttl"
    (result,) = done.result["tables"]
    assert (result["items"], result["items_read"]) == (len(KEPT), len(ITEMS))
    record = json.loads(get_objects(sandbox, f"s3://{bucket}/kept")["_export.json"])
    assert (record["format_version"], record["items_read"]) == (2, len(ITEMS))
    assert record["part"]["ttl_attribute"] == "ttl"
    assert abs(record["part"]["expired_at"] - time.time()) < HOUR
    target = make_table(sandbox)
    assert Pipeline(sandbox).import_into(target, f"s3://{bucket}/kept").code == ExitCode.DONE
    assert target.differences(KEPT) == NONE


@pytest.mark.slow
def test_a_filter_and_the_expiry_are_both_met(sandbox: Sandbox, table: Table, bucket: str) -> None:
    words = (
        "--filter",
        "id < :a OR id > :b",
        "--expression-attribute-values",
        '{":a": {"S": "k005"}, ":b": {"S": "k030"}}',
    )
    with with_ttl(sandbox) as pipeline:
        done = pipeline.export(table, f"s3://{bucket}/both", "--skip-expired", *words)
    (result,) = done.result["tables"]
    wanted = [one for one in KEPT if one["id"]["S"] < "k005" or one["id"]["S"] > "k030"]
    assert (done.code, result["items"], result["items_read"]) == (ExitCode.DONE, len(wanted), len(ITEMS))


def test_an_import_of_our_own_files_leaves_out_what_has_expired(sandbox: Sandbox, whole: str) -> None:
    differences, result, text = imported(sandbox, whole, "--skip-expired")
    assert differences == NONE
    assert (result["items"], result["items_written"], result["items_expired"]) == (len(ITEMS), len(KEPT), EXPIRED)
    assert f"{EXPIRED} of {len(ITEMS)} items have expired and are left out" in text


@pytest.mark.parametrize(
    "words",
    [
        ("--only-changes",),
        *(pytest.param(words, marks=pytest.mark.slow) for words in ((), ("--key-prefix", "k"), ("--skip-existing",))),
    ],
    ids=lambda words: "".join(words[:1]) or "plain",
)
def test_an_import_of_foreign_files_leaves_out_what_has_expired(
    sandbox: Sandbox, bucket: str, words: tuple[str, ...]
) -> None:
    folder = put_backup(sandbox, f"s3://{bucket}/foreign{len(words)}{words[:1]}", {"a": connector_lines(ALL)})
    differences, result, _ = imported(sandbox, folder, "--skip-expired", *words)
    assert differences == NONE
    assert (result["items_written"], result["items_expired"]) == (len(KEPT), EXPIRED)


def test_an_import_without_the_option_says_how_many_expire(sandbox: Sandbox, whole: str) -> None:
    _, result, text = imported(sandbox, whole)
    assert result["items_written"] == len(ITEMS)
    assert "items_expired" not in result
    assert f"{SOON} of {len(ITEMS)} items expire within a day, or have (TTL attribute 'ttl')" in text


def test_where_nothing_expires_the_option_is_refused_and_nothing_is_said(
    sandbox: Sandbox, table: Table, bucket: str, whole: str
) -> None:
    """The emulator says of every table that its TTL is disabled."""
    target = make_table(sandbox)
    for done in (
        Pipeline(sandbox).export(table, f"s3://{bucket}/none", "--skip-expired"),
        Pipeline(sandbox).import_into(target, whole, "--skip-expired"),
    ):
        assert done.code == ExitCode.PRECONDITION
        assert "has no TTL" in done.result["error"]
    assert "expire" not in Pipeline(sandbox).import_into(target, whole).text
