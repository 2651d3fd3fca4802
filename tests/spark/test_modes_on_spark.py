"""Verification and import modes with Spark's workers in place of threads: the same results."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, put_backup
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.tables import NONE, Table, make_bucket, make_table, numbered

pytestmark = [pytest.mark.sandbox, pytest.mark.spark, pytest.mark.slow]

ON_SPARK = ("--local", "--engine", "spark", "--tasks", "2", "--throughput-percent", "100")


def run(sandbox: Sandbox, *words: str) -> Outcome:
    return run_cli([*words, *ON_SPARK], env=sandbox.process_env())


def changed(table: Table) -> None:
    """One item less, one more, one other."""
    table.client.delete_item(TableName=table.name, Key={"id": {"S": "item-000000"}})
    table.put([{"id": {"S": "item-000001"}, "n": {"N": "-1"}}, {"id": {"S": "more"}}])


def test_spark_workers_do_what_threads_do(sandbox: Sandbox) -> None:
    """A key in two files, a mirror with deletions, then both kinds of verification."""
    items = numbered(40)
    old = [{"id": {"S": "item-000005"}, "old": {"BOOL": True}}]
    files = {"a": connector_lines([*old, *items[:20]]), "b": connector_lines(items[20:])}
    folder = put_backup(sandbox, f"s3://{make_bucket(sandbox)}/x", files)
    table = make_table(sandbox)
    table.put([{"id": {"S": f"extra-{n}"}} for n in range(7)])

    modes = ("--duplicates", "last-wins", "--mirror", "--yes", "--max-deletions", "100%", "--from-table", "unknown")
    done = run(sandbox, "import", "--table", table.name, "--input", folder, *modes)
    assert done.code == ExitCode.DONE, done.text
    assert (done.result["duplicates_dropped"], done.result["items_deleted"]) == (1, 7)
    assert table.differences(items) == NONE

    changed(table)
    same = put_backup(sandbox, f"{folder}-same", {"a": connector_lines(items)})
    found = run(sandbox, "verify", same, "--table", table.name)
    assert found.code == ExitCode.INTEGRITY
    assert {(d["kind"], d["key"]["id"]) for d in found.result["differences"]} == {
        ("missing", "item-000000"),
        ("different", "item-000001"),
        ("extra", "more"),
    }
