"""Verification by itself and against a table: what is right passes, every difference is counted and named by key."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_data import demo_tables
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, get_objects, put_backup, put_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import Table, make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

HARD = next(table for table in demo_tables() if table.name == "HardCases")
WITHOUT_THE_BIGGEST = [item for item in HARD.items if item["pk"]["S"] != "near 400 KB"]


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture
def pipeline(sandbox: Sandbox) -> Pipeline:
    return Pipeline(sandbox)


@pytest.fixture(scope="module")
def exported(sandbox: Sandbox, bucket: str) -> tuple[Table, str]:
    """A table of 60 items and its export."""
    table = make_table(sandbox)
    table.put(numbered(60))
    folder = f"s3://{bucket}/exported"
    assert Pipeline(sandbox).export(table, folder).code == ExitCode.DONE
    return table, folder


def test_every_type_is_the_same_on_both_sides(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    source = make_table(sandbox, HARD.keys, read_units=4000)
    source.put(WITHOUT_THE_BIGGEST)
    folder = f"s3://{bucket}/hard"
    pipeline.export(source, folder)

    done = pipeline.verify(folder, table=source)

    assert done.code == ExitCode.DONE, done.text
    assert done.result["items"] == done.result["table_items"] == len(WITHOUT_THE_BIGGEST)
    assert done.result["digest"] == done.result["table_digest"]
    assert done.result["not_proven"] == []


def test_a_verification_without_a_table_asks_no_table(sandbox: Sandbox, exported: tuple[Table, str]) -> None:
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).verify(exported[1])
        assert proxy.calls == []
    assert (done.code, done.result["items"], done.result["problems"]) == (ExitCode.DONE, 60, [])


def test_units_are_those_that_dynamodb_charged_and_the_rate_holds(sandbox: Sandbox, bucket: str) -> None:
    """40 units of read capacity: 80 units of data take two seconds, whatever the emulator could do."""
    table = make_table(sandbox, read_units=40)
    table.put(numbered(110, size=6000))
    folder = put_backup(sandbox, f"s3://{bucket}/rate", {"a": connector_lines(numbered(110, size=6000))})
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).verify(folder, table=table)
        units = proxy.units(operation="Scan")
    assert done.code == ExitCode.DONE, done.text
    assert done.result["read_units_consumed"] == units > 70
    assert proxy.most_ahead(40, operation="Scan") <= 10


def test_missing_extra_and_different_keys_are_named(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    table = make_table(sandbox)
    table.put([*numbered(60)[2:], {"id": {"S": "extra"}, "v": {"S": "a secret value"}}])
    table.put([{"id": {"S": "item-000030"}, "n": {"N": "30"}, "text": {"S": "another secret"}}])
    folder = put_backup(sandbox, f"s3://{bucket}/differs", {"a": connector_lines(numbered(60))})

    done = pipeline.verify(folder, table=table)

    assert done.code == ExitCode.INTEGRITY
    counts = {kind: done.result[kind] for kind in ("missing", "extra", "different")}
    assert counts == {"missing": 2, "extra": 1, "different": 1}
    named = {(found["kind"], found["key"]["id"]) for found in done.result["differences"]}
    assert named == {
        ("missing", "item-000000"),
        ("missing", "item-000001"),
        ("extra", "extra"),
        ("different", "item-000030"),
    }
    assert "2 missing, 1 extra, 1 different" in done.result["error"]
    assert "secret" not in json.dumps(done.result) + done.text


def test_only_so_many_keys_are_listed_and_long_ones_are_cut(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    items = [{"id": {"S": f"{n}-" + "k" * 100}} for n in range(9)]
    folder = put_backup(sandbox, f"s3://{bucket}/limit", {"a": connector_lines(items)})

    done = pipeline.verify(folder, "--limit", "3", table=make_table(sandbox))

    assert (done.code, done.result["missing"], done.result["counts_complete"]) == (ExitCode.INTEGRITY, 9, True)
    shown = [found["key"]["id"] for found in done.result["differences"]]
    assert len(shown) == 3
    assert all(len(text) == 64 + len("...") for text in shown)


def test_numbers_and_sets_are_compared_by_value(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    table = make_table(sandbox, (("id", "N"),))
    table.put(
        [{"id": {"N": "1"}, "n": {"N": "100"}, "s": {"SS": ["b", "a"]}, "m": {"M": {"y": {"S": ""}, "x": {"L": []}}}}]
    )
    lines = b'{"m":{"m":{"x":{"l":[]},"y":{"s":""}}},"s":{"sS":["a","b"]},"n":{"n":"1.00E2"},"id":{"n":"1.0"}}\n'
    folder = put_backup(sandbox, f"s3://{bucket}/by-value", {"a": lines})
    done = pipeline.verify(folder, table=table)
    assert done.code == ExitCode.DONE, done.text


@pytest.mark.parametrize("damage", ["a bit", "last byte", "gone", "other file", "record"])
def test_a_damaged_export_is_named_before_the_table_is_read(
    sandbox: Sandbox, exported: tuple[Table, str], damage: str
) -> None:
    table, folder = exported
    files = get_objects(sandbox, folder)
    first, second = sorted(name for name in files if name.endswith("_000000"))[:2]
    data = files[first]
    changed = {
        "a bit": {first: data[:30] + bytes([data[30] ^ 1]) + data[31:]},
        "last byte": {first: data[:-1]},
        "gone": {},
        "other file": {first: files[second]},
        "record": {"_export.json": files["_export.json"].replace(b'"item_count": 6', b'"item_count": 7', 1)},
    }[damage]
    copy = f"s3://{make_bucket(sandbox)}/copy"
    kept = {name: data for name, data in files.items() if damage != "gone" or name != first}
    put_objects(sandbox, copy, {**kept, **changed})

    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).verify(copy, table=table)
        assert proxy.of("Scan") == []

    assert done.code == ExitCode.INTEGRITY
    assert ("_export.json" if damage == "record" else first) in done.result["error"]


def test_a_foreign_backup_says_what_could_not_be_proven(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    folder = put_backup(sandbox, f"s3://{bucket}/foreign", {"a": connector_lines(numbered(5))})
    put_objects(sandbox, folder, {"leftover": connector_lines(numbered(1))})

    done = pipeline.verify(folder)

    assert done.code == ExitCode.DONE
    assert done.result["orphans"] == [f"{folder}/leftover"]
    said = " ".join(done.result["not_proven"])
    assert "no hashes" in said
    assert "no key schema" in said
    assert "taken out of the manifest" in said


def test_the_tables_key_schema_judges_a_foreign_backup(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    """A key that stands twice, in two files, and an item without the key: all named, and nothing is scanned."""
    files = {"a": connector_lines(numbered(3)), "b": connector_lines([{"n": {"N": "1"}}, numbered(2)[1]])}
    folder = put_backup(sandbox, f"s3://{bucket}/foreign-keys", files)

    done = pipeline.verify(folder, table=make_table(sandbox))

    assert done.code == ExitCode.INTEGRITY
    assert done.result["problem_count"] == 2
    bad, twice = done.result["problems"]
    assert f"{folder}/b: line 1 (byte 0): id: HASH key is missing" in bad
    assert twice == f"the same key stands at {folder}/a line 2 and at {folder}/b line 2"


def test_a_folder_without_manifest_is_read_only_when_told_so(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    folder = put_objects(sandbox, f"s3://{bucket}/bare", {"a": connector_lines(numbered(4))})
    refused = pipeline.verify(folder)
    assert refused.code == ExitCode.PRECONDITION
    command = f"dynamodb-pipeline verify {folder} --local --engine process --throughput-percent 100 --without-manifest"
    assert command in refused.result["error"]

    done = pipeline.verify(folder, "--without-manifest")

    assert (done.code, done.result["items"], done.result["source"]) == (ExitCode.DONE, 4, "folder")
    assert "no manifest" in done.result["not_proven"][0]


def test_a_table_with_other_keys_is_refused(sandbox: Sandbox, exported: tuple[Table, str], pipeline: Pipeline) -> None:
    done = pipeline.verify(exported[1], table=make_table(sandbox, (("id", "S"), ("n", "N"))))
    assert done.code == ExitCode.PRECONDITION
    assert "another key schema" in done.result["error"]


def test_an_empty_export_equals_an_empty_table(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    table = make_table(sandbox)
    pipeline.export(table, f"s3://{bucket}/empty")
    assert pipeline.verify(f"s3://{bucket}/empty", table=table).code == ExitCode.DONE
    table.put(numbered(1))
    found = pipeline.verify(f"s3://{bucket}/empty", table=table)
    assert (found.code, found.result["extra"]) == (ExitCode.INTEGRITY, 1)
