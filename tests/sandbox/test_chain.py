"""A chain of native exports imported into a table and verified against it, as a user runs it."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.stack import Sandbox
from tests.sandbox.backups import put_objects
from tests.sandbox.in_process import LOCAL, Outcome, Pipeline
from tests.sandbox.tables import NONE, Table, make_bucket, make_table
from tests.unit.chain.histories import Model, at, full, incremental, iso, item

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


def history() -> Model:
    """Forty items; then some change, two go, one comes and goes, one comes back."""
    model = Model()
    for number in range(40):
        model.write(1, f"k{number:02}", item(f"k{number:02}", 0))
    model.write(12, "k00", item("k00", 1))
    model.write(13, "k01", None)
    model.write(14, "k02", None)
    model.write(15, "new", item("new", 1))
    model.write(22, "new", None)
    model.write(23, "k02", item("k02", 2))
    return model


def put_chain(sandbox: Sandbox, folder: str, model: Model) -> str:
    """A full export of second 10 and windows to 20 and 30."""
    parts = (full(model, 10), incremental(model, 10, 20), incremental(model, 20, 30, view="NEW_IMAGE"))
    objects = {uri.partition("/p/")[2]: data for part in parts for uri, data in part.items()}
    return put_objects(sandbox, folder, objects)


def run_import(sandbox: Sandbox, table: Table, place: str, logs: str, *more: str) -> Outcome:
    words = ("--table", table.name, "--chain", place, "--from-table", "Tab", "--logs", logs, "--yes", *more, *LOCAL)
    return Pipeline(sandbox).run("import", *words)


def test_a_chain_is_restored_to_any_of_its_ends_and_verified(sandbox: Sandbox, bucket: str) -> None:
    model, logs = history(), f"s3://{bucket}/logs"
    table, place = make_table(sandbox), put_chain(sandbox, f"s3://{bucket}/chain", model)
    table.put([*model.table(10).values(), item("foreign", 9)])
    done = run_import(sandbox, table, place, logs, "--until", iso(at(20)))
    assert (done.code, done.result["items"], done.result["items_deleted"]) == (ExitCode.DONE, 39, 2), done.text
    assert table.differences([*model.table(20).values(), item("foreign", 9)]) == NONE
    assert "of 41 keys 2 were deleted by its end" in done.text
    verify = ("verify", place, "--chain", "--table", table.name, "--from-table", "Tab", "--logs", logs, *LOCAL)
    unequal = Pipeline(sandbox).run(*verify)
    assert unequal.code == ExitCode.INTEGRITY
    mirrored = run_import(sandbox, table, place, logs, "--mirror")
    assert (mirrored.code, mirrored.result["items_deleted"]) == (ExitCode.DONE, 2), mirrored.text
    assert table.differences(model.table(30).values()) == NONE
    equal = Pipeline(sandbox).run(*verify)
    assert (equal.code, equal.result["items"]) == (ExitCode.DONE, 39), equal.text


def test_what_a_chain_would_delete_is_capped_and_nothing_is_written(sandbox: Sandbox, bucket: str) -> None:
    model = history()
    table, place = make_table(sandbox), put_chain(sandbox, f"s3://{bucket}/capped", model)
    table.put(model.table(10).values())
    done = run_import(sandbox, table, place, f"s3://{bucket}/logs", "--until", iso(at(20)), "--max-deletions", "1")
    assert done.code == ExitCode.PRECONDITION
    assert "nothing was deleted or written" in done.result["error"]
    assert table.differences(model.table(10).values()) == NONE


def test_a_moment_between_two_ends_is_refused_with_both(sandbox: Sandbox, bucket: str) -> None:
    table, place = make_table(sandbox), put_chain(sandbox, f"s3://{bucket}/between", history())
    done = run_import(sandbox, table, place, f"s3://{bucket}/logs", "--until", iso(at(25)))
    assert done.code == ExitCode.PRECONDITION
    assert f"{iso(at(20))} and {iso(at(30))}" in done.result["error"]
    assert table.by_key() == {}


def test_a_finished_run_is_gone_on_with_from_its_own_copy(sandbox: Sandbox, bucket: str) -> None:
    model, logs = history(), f"s3://{bucket}/logs"
    table, place = make_table(sandbox), put_chain(sandbox, f"s3://{bucket}/again", model)
    table.put(model.table(10).values())
    first = run_import(sandbox, table, place, logs, "--run-id", "chain-run")
    assert first.code == ExitCode.DONE, first.text
    again = run_import(sandbox, table, place, logs, "--run-id", "chain-run")
    assert again.code == ExitCode.DONE, again.text
    assert "chain: read" in first.text
    assert "chain: read" not in again.text
    assert again.result["items_deleted"] == 0
    assert table.differences(model.table(30).values()) == NONE
