"""
Two runs that commit 59e4d16 began and that were killed half-way are gone on with by today's code.

state_of_59e4d16.json has every object that they left in S3, as that commit wrote it: an export by the direct reader,
with one of three segments done, and a scheduled import of four files, two of them done, begun with
`--set-aside s3a://...`. Only the times and the host are other ones. The emulator gives each table an id of its own, so
that id is put in the place of theirs, and what has a hash is sealed again as 59e4d16 sealed it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_data import Item
from sandbox.stack import Sandbox
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, Table, make_table

BUCKET = "state-of-59e4d16"
STATE = json.loads((Path(__file__).parent / "state_of_59e4d16.json").read_text("utf-8"))
EXPORTED: list[Item] = [{"id": {"S": f"item-{n:02}"}, "text": {"S": "x" * 900}} for n in range(24)]
ROWS = (1, 2, 3, 10)  # lines of f0 to f3
BAD_ROW = 4  # the second line of f2: its text has a tag that nobody knows
OF_DONE_FILES = ("row-00", "row-01", "row-02")
LOGS = ("--logs", f"s3://{BUCKET}/logs")
IMPORT = (f"s3://{BUCKET}/backup", "--without-manifest", *LOGS, "--max-set-aside", "2", "--yes")
MOMENT = ("--scheduled-time", "2026-11-23T03:00:00Z")


def row(number: int) -> Item:
    return {"id": {"S": f"row-{number:02d}"}, "text": {"S": "y" * 500}}


def line(number: int) -> bytes:
    tag = "x" if number == BAD_ROW else "s"
    return f'{{"id":{{"s":"row-{number:02d}"}},"text":{{"{tag}":"{"y" * 500}"}}}}\n'.encode()


def of_this_table(name: str, text: str, table_ids: dict[str, str]) -> str:
    """The object with the ids of the tables as they are here."""
    for theirs, ours in table_ids.items():
        text = text.replace(theirs, ours)
    if not name.endswith("header.json"):
        return text
    members = json.loads(text)
    sealed = f"header.json\n{json.dumps(members['record'], sort_keys=True)}"
    return json.dumps({**members, "sha256": hashlib.sha256(sealed.encode()).hexdigest()}, sort_keys=True) + "\n"


@pytest.fixture(scope="module")
def tables(sandbox: Sandbox) -> dict[str, Table]:
    """The state in S3, and the tables as the killed runs left them, but without the rows of files that were done."""
    tables = {name: make_table(sandbox, name=name) for name in STATE["table_ids"]}
    tables["golden-export"].put(EXPORTED)
    tables["golden-import"].put(row(int(text[-2:])) for text in STATE["written"] if text not in OF_DONE_FILES)
    client: Any = tables["golden-export"].client
    ids = {
        theirs: client.describe_table(TableName=name)["Table"]["TableId"] for name, theirs in STATE["table_ids"].items()
    }
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for name, text in STATE["objects"].items():
        s3.put_object(Bucket=BUCKET, Key=name, Body=of_this_table(name, text, ids).encode())
    begin = 0
    for number, count in enumerate(ROWS):
        body = b"".join(map(line, range(begin, begin + count)))
        s3.put_object(Bucket=BUCKET, Key=f"backup/f{number}", Body=body)
        begin += count
    return tables


def test_an_export_goes_on_where_it_was(sandbox: Sandbox, tables: dict[str, Table]) -> None:
    table, folder = tables["golden-export"], f"s3://{BUCKET}/exports/golden"
    more = (*LOGS, "--run-id", "golden-export", "--reader", "direct", "--segments", "3")
    done = Pipeline(sandbox).export(table, folder, *more)
    assert done.code == ExitCode.DONE, done.text
    (result,) = done.result["tables"]
    assert (result["resumed"], result["items"]) == (True, len(EXPORTED))
    (theirs,) = [name for name in STATE["objects"] if name.startswith("exports/golden/") and "_claim" not in name]
    manifest = sandbox.client("s3").get_object(Bucket=BUCKET, Key="exports/golden/manifest")["Body"].read().decode()
    assert theirs in manifest
    assert Pipeline(sandbox).verify(folder, table=table).code == ExitCode.DONE


def test_another_run_is_refused_what_a_scheduled_import_has_claimed(sandbox: Sandbox, tables: dict[str, Table]) -> None:
    more = (*MOMENT, "--set-aside", f"s3://{BUCKET}/aside", "--run-id", "another")
    refused = Pipeline(sandbox).import_into(tables["golden-import"], *IMPORT, *more)
    assert refused.code == ExitCode.PRECONDITION, refused.text
    assert "--run-id golden-import" in refused.text


def test_an_import_goes_on_where_it_was(sandbox: Sandbox, tables: dict[str, Table]) -> None:
    """Its place for bad items was written down as s3a://, which is s3:// today; files that were done stay done."""
    table = tables["golden-import"]
    more = (*MOMENT, "--set-aside", f"s3a://{BUCKET}/aside", "--run-id", "golden-import")
    done = Pipeline(sandbox).import_into(table, *IMPORT, *more)
    assert done.code == ExitCode.SET_ASIDE, done.text
    assert (done.result["items_written"], done.result["items_set_aside"]) == (15, 1)
    left = [row(number) for number in range(sum(ROWS)) if number != BAD_ROW]
    assert table.differences([item for item in left if item["id"]["S"] not in OF_DONE_FILES]) == NONE
    aside = sandbox.client("s3").get_object(Bucket=BUCKET, Key="aside/golden-import/0000002-f2.items")["Body"].read()
    assert aside == line(BAD_ROW)
