"""Import modes on the emulators: skip-existing, last-wins and mirror, their refusals, and how they are resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, get_objects, put_backup, put_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, Table, make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

COMPOSITE = (("id", "S"), ("sort", "N"))
MIRROR = ("--mirror", "--from-table", "unknown")  # of backups that name no table
WRITES = ("BatchWriteItem", "PutItem", "DeleteItem")


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture
def pipeline(sandbox: Sandbox) -> Pipeline:
    return Pipeline(sandbox)


@pytest.fixture(scope="module")
def baseline(sandbox: Sandbox, bucket: str) -> str:
    """A backup of 40 items in two files."""
    items = numbered(40)
    files = {"one": connector_lines(items[:25]), "two": connector_lines(items[25:])}
    return put_backup(sandbox, f"s3://{bucket}/baseline", files)


def writes(proxy: MeteringProxy) -> list[str]:
    return [call.operation for call in proxy.calls if call.operation in WRITES]


def variants(key: str, *values: str) -> list[dict]:
    return [{"id": {"S": key}, "v": {"S": value}} for value in values]


def test_skip_existing_leaves_what_is_there(sandbox: Sandbox, baseline: str) -> None:
    table = make_table(sandbox)
    mine = [{"id": {"S": f"item-{n:06d}"}, "mine": {"BOOL": True}} for n in (0, 30)]
    table.put(mine)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, baseline, "--skip-existing")
        assert set(writes(proxy)) == {"PutItem"}
    assert done.code == ExitCode.DONE, done.text
    assert (done.result["items_written"], done.result["items_skipped"]) == (38, 2)
    assert table.differences([*mine, *numbered(40)[1:30], *numbered(40)[31:]]) == NONE


@pytest.fixture(scope="module")
def colliding(sandbox: Sandbox, bucket: str) -> str:
    """Keys that stand twice in a file, in two files, and once as `1` and once as `1.0`; the manifest lists b first."""
    first = variants("in both", "b") + variants("twice in b", "b1", "b2") + variants("once", "b")
    second = variants("in both", "a1") + variants("x", "a") + variants("in both", "a2")
    return put_backup(sandbox, f"s3://{bucket}/colliding", {"b": connector_lines(first), "a": connector_lines(second)})


def test_a_key_that_stands_twice_is_refused_with_both_places(sandbox: Sandbox, colliding: str) -> None:
    table = make_table(sandbox)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, colliding)
        assert writes(proxy) == []
    assert done.code == ExitCode.INTEGRITY
    error = done.result["error"]
    in_b, in_both = (
        f"{colliding}/b line 2 and at {colliding}/b line 3",
        f"{colliding}/b line 1 and at {colliding}/a line 1",
    )
    assert in_b in error or in_both in error
    assert "--duplicates last-wins" in error


def test_last_wins_by_the_manifests_order_whatever_the_workers_do(
    sandbox: Sandbox, colliding: str, pipeline: Pipeline
) -> None:
    table = make_table(sandbox)
    done = pipeline.import_into(table, colliding, "--duplicates", "last-wins")
    assert done.code == ExitCode.DONE, done.text
    expected = [*variants("in both", "a2"), *variants("twice in b", "b2"), *variants("once", "b"), *variants("x", "a")]
    assert table.differences(expected) == NONE
    assert (done.result["items"], done.result["items_written"], done.result["duplicates_dropped"]) == (7, 4, 3)


def test_last_wins_sees_one_key_in_two_spellings(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    items = [{"id": {"S": "x"}, "sort": {"N": n}, "v": {"N": str(v)}} for v, n in enumerate(("1", "1.0", "10E-1", "2"))]
    folder = put_backup(sandbox, f"s3://{bucket}/spellings", {"a": connector_lines(items)})
    table = make_table(sandbox, COMPOSITE)
    done = pipeline.import_into(table, folder, "--duplicates", "last-wins")
    assert done.code == ExitCode.DONE, done.text
    assert table.differences(items[2:]) == NONE


def test_last_wins_is_resumed(sandbox: Sandbox, bucket: str, colliding: str, pipeline: Pipeline) -> None:
    """The second run of the same id finds everything done and writes nothing."""
    table, state = make_table(sandbox), ("--logs", f"s3://{bucket}/logs", "--run-id", "last-wins-1")
    first = pipeline.import_into(table, colliding, "--duplicates", "last-wins", *state)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        again = Pipeline(sandbox, proxy.url).import_into(table, colliding, "--duplicates", "last-wins", *state)
        assert writes(proxy) == []
    assert (first.code, again.code) == (ExitCode.DONE, ExitCode.DONE), again.text
    assert again.result["items_written"] == first.result["items_written"] == 4
    refused = pipeline.import_into(table, colliding, *state)
    assert refused.code == ExitCode.PRECONDITION
    assert "duplicates" in refused.result["error"]


def extras(table: Table, count: int) -> None:
    table.put([{"id": {"S": f"extra-{n}"}, "v": {"S": "x"}} for n in range(count)])


def test_mirror_makes_the_table_what_the_export_is(sandbox: Sandbox, bucket: str) -> None:
    source, target = make_table(sandbox), make_table(sandbox)
    source.put(numbered(60))
    Pipeline(sandbox).export(source, f"s3://{bucket}/mirrored")
    target.put(numbered(70)[20:])
    extras(target, 30)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        pipeline = Pipeline(sandbox, proxy.url)
        done = pipeline.import_into(
            target,
            f"s3://{bucket}/mirrored",
            "--mirror",
            "--yes",
            "--max-deletions",
            "50%",
            "--from-table",
            source.name,
        )
        first_write = min(number for number, call in enumerate(proxy.calls) if call.operation in WRITES)
        last_scan = max(number for number, call in enumerate(proxy.calls) if call.operation == "Scan")
        scanned, written = proxy.units(operation="Scan"), proxy.units(operation="BatchWriteItem")
    assert done.code == ExitCode.DONE, done.text
    assert target.differences(numbered(60)) == NONE
    assert (done.result["table_items_before"], done.result["deletions_planned"]) == (80, 40)
    assert (done.result["items_deleted"], done.result["items_written"]) == (40, 60)
    assert last_scan < first_write
    assert done.result["read_units_consumed"] == scanned
    assert done.result["write_units_consumed"] + done.result["delete_units_consumed"] == written
    assert "40 of them are not in the export" in done.text


def test_mirror_over_its_cap_writes_and_deletes_nothing(sandbox: Sandbox, baseline: str) -> None:
    table = make_table(sandbox)
    extras(table, 12)
    before = table.by_key()
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        pipeline = Pipeline(sandbox, proxy.url)
        for cap in ("10%", "11"):
            done = pipeline.import_into(table, baseline, *MIRROR, "--yes", "--max-deletions", cap)
            assert done.code == ExitCode.PRECONDITION
            assert "12 of them are not in the export" in done.result["error"]
        assert writes(proxy) == []
    assert table.by_key() == before


def test_mirror_needs_a_yes_and_excludes_other_modes(baseline: str, pipeline: Pipeline) -> None:
    for words, named in (
        ((), "--yes"),
        (("--yes", "--skip-existing"), "--skip-existing"),
        (("--yes", "--set-aside", "s3://bucket/aside"), "--set-aside"),
    ):
        done = pipeline.import_into(Table(None, "Any", ()), baseline, "--mirror", *words)
        assert done.code == ExitCode.USAGE
        assert named in done.text


def test_a_dry_run_shows_the_plan_and_writes_nothing(sandbox: Sandbox, baseline: str) -> None:
    table = make_table(sandbox)
    extras(table, 3)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        pipeline = Pipeline(sandbox, proxy.url)
        done = pipeline.import_into(table, baseline, *MIRROR, "--dry-run", "--max-deletions", "3")
        assert writes(proxy) == []
    assert done.code == ExitCode.DONE, done.text
    assert (done.result["deletions_planned"], done.result["items_written"]) == (3, 0)


def test_a_resumed_mirror_keeps_to_the_cap_of_the_whole_run(sandbox: Sandbox, bucket: str, baseline: str) -> None:
    """What an attempt deleted counts against the cap of the next: 5 and then 6 are more than 10."""
    table, pipeline = make_table(sandbox), Pipeline(sandbox)
    state = ("--logs", f"s3://{bucket}/logs", "--run-id", "mirror-1", *MIRROR, "--yes", "--max-deletions", "10")
    extras(table, 5)
    first = pipeline.import_into(table, baseline, *state)
    assert (first.code, first.result["items_deleted"]) == (ExitCode.DONE, 5), first.text
    extras(table, 6)
    refused = pipeline.import_into(table, baseline, *state)
    assert refused.code == ExitCode.PRECONDITION
    assert "11 of them are not in the export" in refused.result["error"]
    for number in range(2):
        table.client.delete_item(TableName=table.name, Key={"id": {"S": f"extra-{number}"}})
    again = pipeline.import_into(table, baseline, *state)
    assert (again.code, again.result["items_deleted"]) == (ExitCode.DONE, 9), again.text
    assert table.differences(numbered(40)) == NONE


@pytest.mark.parametrize("kind", ["N", "B"])
def test_mirror_deletes_keys_of_every_type(sandbox: Sandbox, bucket: str, pipeline: Pipeline, kind: str) -> None:
    keep, extra = {"N": ("1.50", "-7E+20"), "B": ("aGk=", "AP8=")}[kind]
    table = make_table(sandbox, (("id", "S"), ("sort", kind)))
    kept = {"id": {"S": 'quote " and \u2028'}, "sort": {kind: keep}}
    table.put([kept, {"id": {"S": 'quote " and \u2028'}, "sort": {kind: extra}}])
    folder = put_backup(sandbox, f"s3://{bucket}/types-{kind}", {"a": connector_lines([kept])})
    done = pipeline.import_into(table, folder, *MIRROR, "--yes", "--max-deletions", "1")
    assert (done.code, done.result["items_deleted"]) == (ExitCode.DONE, 1), done.text
    assert table.differences([kept]) == NONE


def test_state_of_a_run_holds_no_keys(sandbox: Sandbox, bucket: str, baseline: str, pipeline: Pipeline) -> None:
    table = make_table(sandbox)
    extras(table, 2)
    state = ("--logs", f"s3://{bucket}/quiet", *MIRROR, "--yes", "--max-deletions", "2")
    assert pipeline.import_into(table, baseline, *state).code == ExitCode.DONE
    assert b"extra-" not in b"".join(get_objects(sandbox, f"s3://{bucket}/quiet").values())


def test_a_stopped_mirror_is_resumed_where_it_was(sandbox: Sandbox, bucket: str) -> None:
    """250 deletions at 100 units/s take longer than the deadline; the next attempt does the rest and no more."""
    folder = put_backup(sandbox, f"s3://{bucket}/small", {"a": connector_lines(numbered(2))})
    table = make_table(sandbox, write_units=100)
    extras(table, 250)
    state = (
        "--logs",
        f"s3://{bucket}/logs",
        "--run-id",
        "mirror-stopped",
        *MIRROR,
        "--yes",
        "--max-deletions",
        "100%",
    )

    stopped = Pipeline(sandbox).import_into(table, folder, *state, "--timeout", "2s")
    left = sum("extra-" in repr(key) for key in table.by_key())
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, folder, *state)
        rewritten = proxy.units(operation="BatchWriteItem")

    assert stopped.code == ExitCode.DEADLINE, stopped.text
    assert stopped.result["resume"].endswith("--timeout 1m")  # not the one that was too short
    assert 0 < left <= 250
    assert done.code == ExitCode.DONE, done.text
    assert table.differences(numbered(2)) == NONE
    assert rewritten <= left + 2  # the 2 items too where the deadline came before they were noted


def test_a_local_copy_is_imported_like_the_original(sandbox: Sandbox, bucket: str, tmp_path: Path) -> None:
    source, target = make_table(sandbox), make_table(sandbox)
    source.put(numbered(30))
    Pipeline(sandbox).export(source, f"s3://{bucket}/for-a-copy")
    for name, data in get_objects(sandbox, f"s3://{bucket}/for-a-copy").items():
        (tmp_path / name).write_bytes(data)
    done = Pipeline(sandbox).import_into(target, str(tmp_path))
    assert done.code == ExitCode.DONE, done.text
    assert target.differences(numbered(30)) == NONE
    assert Pipeline(sandbox).verify(str(tmp_path), table=target).code == ExitCode.DONE


@pytest.mark.parametrize("own", [True, False], ids=["own export", "old backup"])
def test_only_what_differs_is_written(sandbox: Sandbox, bucket: str, pipeline: Pipeline, own: bool) -> None:
    """Of 60 items 2 were changed, 1 was deleted and 1 added since: 3 puts; the added one stays until a mirror."""
    table, items = make_table(sandbox), numbered(60)
    table.put(items)
    folder = f"s3://{bucket}/only-changes-{own}"
    if own:
        assert pipeline.export(table, folder).code == ExitCode.DONE
    else:
        put_backup(sandbox, folder, {"a": connector_lines(items[:35]), "b": connector_lines(items[35:])})
    changed = [{**items[n], "changed": {"BOOL": True}} for n in (7, 50)]
    extra = {"id": {"S": "extra"}}
    table.put([*changed, extra])
    sandbox.client("dynamodb").delete_item(TableName=table.name, Key={"id": items[20]["id"]})
    words = ("--only-changes", "--from-table", "unknown") if not own else ("--only-changes",)
    plan = pipeline.import_into(table, folder, *words, "--dry-run")
    assert (plan.result["items_unchanged"], plan.result["items_written"]) == (57, 0)
    assert "57 of 60 items stand in" in plan.text
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, folder, *words)
        assert proxy.units(operation="BatchWriteItem") == 3
    assert done.code == ExitCode.DONE, done.text
    assert [done.result[f"items{name}"] for name in ("", "_written", "_unchanged")] == [60, 3, 57]
    assert done.result["read_units_consumed"] > 0
    assert table.differences([*items, extra]) == NONE
    done = pipeline.import_into(table, folder, *words, "--mirror", "--yes")
    assert (done.result["items_written"], done.result["items_deleted"]) == (0, 1)
    assert table.differences(items) == NONE


def test_what_an_earlier_attempt_wrote_is_not_counted_as_unchanged_too(
    sandbox: Sandbox, bucket: str, pipeline: Pipeline
) -> None:
    """A resumed run compares the table anew, and finds in it what it wrote before."""
    table, items = make_table(sandbox), numbered(20)
    table.put(items[:15])
    folder = put_backup(sandbox, f"s3://{bucket}/only-changes-resumed", {"a": connector_lines(items)})
    words = ("--only-changes", "--from-table", "unknown", "--logs", f"s3://{bucket}/logs", "--run-id", "changes-twice")
    first, again = (pipeline.import_into(table, folder, *words) for _ in range(2))
    for done in (first, again):
        assert done.code == ExitCode.DONE, done.text
        assert [done.result[f"items{name}"] for name in ("", "_written", "_unchanged")] == [20, 5, 15]


def test_a_key_that_stands_twice_is_written_last_whatever_the_table_holds(
    sandbox: Sandbox, colliding: str, pipeline: Pipeline
) -> None:
    table = make_table(sandbox)
    first = pipeline.import_into(table, colliding, "--duplicates", "last-wins")
    again = pipeline.import_into(table, colliding, "--duplicates", "last-wins", "--only-changes")
    assert (first.result["items_written"], again.result["items_written"]) == (4, 2)
    assert again.result["items_unchanged"] == 2


def test_some_keys_of_a_backup(sandbox: Sandbox, bucket: str, baseline: str, pipeline: Pipeline) -> None:
    """What verify misses is given to import as it is; what was not asked for stays as it is."""
    table, items = make_table(sandbox), numbered(40)
    table.put([*items[:12], *({**item, "mine": {"BOOL": True}} for item in items[12:15])])
    found = pipeline.verify(baseline, "--from-table", "unknown", "--limit", "4", table=table)
    assert (found.result["missing"], found.result["different"], len(found.result["differences"])) == (25, 3, 4)
    keys = put_objects(sandbox, f"s3://{bucket}/keys", {"k": json.dumps(found.result).encode()}) + "/k"
    done = pipeline.import_into(table, baseline, "--keys", keys)
    assert done.code == ExitCode.DONE, done.text
    assert [done.result[f"items{name}"] for name in ("", "_written", "_left_out")] == [40, 4, 36]
    again = pipeline.verify(baseline, "--from-table", "unknown", table=table)
    assert again.result["missing"] + again.result["different"] == 24
    absent = '{"id": {"S": "nowhere"}}\n{"id": {"S": "item-000039"}}\n'
    put_objects(sandbox, f"s3://{bucket}/keys", {"k": absent.encode()})
    plan = pipeline.import_into(table, baseline, "--keys", keys, "--dry-run")
    assert (plan.result["keys_absent"], plan.result["items_left_out"]) == (1, 39)
    assert "1 key asked for and not in the export: {'id': 'nowhere'}" in plan.text


def test_some_items_by_the_beginning_of_their_key(sandbox: Sandbox, baseline: str, pipeline: Pipeline) -> None:
    table = make_table(sandbox)
    done = pipeline.import_into(table, baseline, "--key-prefix", "item-00001")
    assert done.code == ExitCode.DONE, done.text
    assert table.differences(numbered(40)[10:20]) == NONE
    refused = pipeline.import_into(table, baseline, "--sort-key-prefix", "x")
    assert refused.code == ExitCode.PRECONDITION
    assert "the table has no sort key" in refused.text


def test_a_reset_pays_one_pass_and_what_changed(sandbox: Sandbox, bucket: str) -> None:
    """1 % of the items changed; by DynamoDB's own counts, against the plain import that came before."""
    items, table = numbered(2000, size=900), make_table(sandbox)
    folder = put_backup(sandbox, f"s3://{bucket}/reset", {"one": connector_lines(items)})
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        plain = Pipeline(sandbox, proxy.url).import_into(table, folder)
        table.put({**item, "changed": {"BOOL": True}} for item in items[::100])
        written = proxy.units(operation="BatchWriteItem")
        proxy.clear()
        reset = Pipeline(sandbox, proxy.url).import_into(
            table, folder, "--only-changes", "--mirror", "--yes", *MIRROR[1:]
        )
        scanned, rewritten = proxy.units(operation="Scan"), proxy.units(operation="BatchWriteItem")
    assert (plain.code, reset.code) == (ExitCode.DONE, ExitCode.DONE), reset.text
    assert (written, rewritten) == (2000, 20)
    assert scanned < 2000 / 4  # eventually consistent pages: half a unit for 4 KB
    assert table.differences(items) == NONE
