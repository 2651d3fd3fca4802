"""Out of one table, into another, on the process engine: every type, every item, every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_check import differences, items_by_key
from sandbox.demo_data import demo_tables
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.tables import NONE, Table, make_bucket, make_table, numbered

LOCAL = ["--local", "--engine", "process", "--region", "us-east-1"]
HARD = next(t for t in demo_tables() if t.name == "HardCases")


@pytest.fixture
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


def export(sandbox: Sandbox, *tables: Table, output: str, more: tuple[str, ...] = (), **env: str) -> Outcome:
    words = ["export", *LOCAL, *(w for t in tables for w in ("--table", t.name)), "--output", output]
    return run_cli([*words, "--throughput-percent", "100", *more], env=sandbox.process_env(**env))


def import_into(sandbox: Sandbox, table: Table, source: str, *more: str, **env: str) -> Outcome:
    words = ["import", *LOCAL, "--table", table.name, "--input", source, "--throughput-percent", "100", "--yes"]
    return run_cli([*words, *more], env=sandbox.process_env(**env))


def objects(sandbox: Sandbox, folder: str) -> dict[str, bytes]:
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    s3 = sandbox.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {o["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed}


def independent_items(folder: dict[str, bytes]) -> list[dict[str, object]]:
    """Reads an export with nothing but `json`: manifest, files, lines, tags made upper case."""
    manifest = json.loads(folder["manifest"])
    names = [entry["url"].rpartition("/")[2] for entry in manifest["entries"]]
    lines = [line for name in names for line in folder[name].split(b"\n") if line]
    return [{k: upper(v) for k, v in json.loads(line).items()} for line in lines]


def upper(value: dict[str, object]) -> dict[str, object]:
    ((tag, content),) = value.items()
    if tag == "m":
        return {"M": {k: upper(v) for k, v in content.items()}}  # type: ignore[attr-defined]
    if tag == "l":
        return {"L": [upper(v) for v in content]}  # type: ignore[attr-defined]
    return {tag.upper(): content}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_hard_cases_survive_both_ways(sandbox: Sandbox, bucket: str, compression: str) -> None:
    """Empty lists and maps, nulls, 38 digits, control characters, 400-KB items: zero differences."""
    source = make_table(sandbox, HARD.keys, read_units=4000)
    source.put(HARD.items)
    out = export(sandbox, source, output=f"s3://{bucket}/x", more=("--compression", compression))
    assert out.code == ExitCode.DONE, out.text
    assert "ends itself after 12 h (--timeout); without --logs it cannot be resumed" in out.text

    target = make_table(sandbox, HARD.keys, write_units=8000)
    done = import_into(sandbox, target, out.result["export_uri"])

    assert done.code == ExitCode.DONE, done.text
    assert done.result["items_written"] == len(HARD.items)
    assert target.differences(HARD.items) == NONE


def test_export_is_what_an_independent_reader_expects(sandbox: Sandbox, bucket: str) -> None:
    source = make_table(sandbox, HARD.keys, read_units=4000)
    source.put(HARD.items)
    out = export(sandbox, source, output=f"s3://{bucket}/x")

    folder = objects(sandbox, out.result["export_uri"])
    read = items_by_key(independent_items(folder), tuple(n for n, _ in HARD.keys))

    assert differences(source.by_key(), read) == NONE
    assert {"manifest", "_export.json", "_SUCCESS", "_claim.json"} <= folder.keys()


def test_import_replaces_keeps_and_adds(sandbox: Sandbox, bucket: str) -> None:
    """Same-key items are replaced, all others kept, new ones added."""
    source = make_table(sandbox)
    source.put(numbered(40))
    out = export(sandbox, source, output=f"s3://{bucket}/x")
    target = make_table(sandbox)
    target.put([{"id": {"S": "item-000003"}, "old": {"S": "to be replaced"}}, {"id": {"S": "mine"}, "n": {"N": "1"}}])

    done = import_into(sandbox, target, out.result["export_uri"])

    assert done.code == ExitCode.DONE
    assert target.differences([*numbered(40), {"id": {"S": "mine"}, "n": {"N": "1"}}]) == NONE


def test_finished_folder_is_refused_for_no_units(sandbox: Sandbox, bucket: str) -> None:
    source = make_table(sandbox)
    source.put(numbered(10))
    first = export(sandbox, source, output=f"s3://{bucket}/x", more=("--exact-output",))
    assert first.code == ExitCode.DONE, first.text
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        again = export(
            sandbox, source, output=f"s3://{bucket}/x", more=("--exact-output",), AWS_ENDPOINT_URL_DYNAMODB=proxy.url
        )
        scans = proxy.of("Scan")

    assert again.code == ExitCode.PRECONDITION
    assert first.result["run_id"] in again.result["error"]
    assert scans == []


def test_two_exports_of_three_tables_make_six_finished_exports(sandbox: Sandbox, bucket: str) -> None:
    tables = [make_table(sandbox) for _ in range(3)]
    for number, table in enumerate(tables):
        table.put(numbered(3 + number))
    output = f"s3://{bucket}/all"
    runs = [
        export(sandbox, *tables, output=output, more=("--scheduled-time", f"2026-11-2{day}T03:00:00Z"))
        for day in (1, 2)
    ]
    assert [run.code for run in runs] == [0, 0], runs[1].text

    manifests = [name for name in objects(sandbox, f"{output}/") if name.endswith("/manifest")]
    assert len(manifests) == 6
    assert all(name.split("/")[1] in ("2026-11-21-03-00-00", "2026-11-22-03-00-00") for name in manifests)

    target = make_table(sandbox, name=f"{tables[1].name}-copy")
    from_table = ("--from-table", tables[1].name)
    for words, missing in (((), "--from-table"), (("--latest",), "--from-table"), (from_table, "--latest")):
        refused = import_into(sandbox, target, output, *words)
        assert refused.code == ExitCode.PRECONDITION
        assert missing in refused.result["error"]
    done = import_into(sandbox, target, output, "--latest", *from_table)
    assert done.code == ExitCode.DONE, done.text
    assert target.differences(numbered(4)) == NONE


def test_other_key_schema_is_refused_without_a_write(sandbox: Sandbox, bucket: str) -> None:
    source = make_table(sandbox)
    source.put(numbered(5))
    out = export(sandbox, source, output=f"s3://{bucket}/x")
    target = make_table(sandbox, (("id", "S"), ("n", "N")))

    refused = import_into(sandbox, target, out.result["export_uri"])

    assert refused.code == ExitCode.PRECONDITION
    assert "n (N, RANGE)" in refused.result["error"]
    assert target.by_key() == {}


def test_empty_table_is_a_valid_export(sandbox: Sandbox, bucket: str) -> None:
    source, target = make_table(sandbox), make_table(sandbox)
    out = export(sandbox, source, output=f"s3://{bucket}/x")
    assert out.code == ExitCode.DONE
    done = import_into(sandbox, target, out.result["export_uri"])
    assert (done.code, done.result["items"]) == (0, 0), done.text


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "swap"])
def test_damaged_export_is_refused_before_the_first_write(sandbox: Sandbox, bucket: str, damage: str) -> None:
    source = make_table(sandbox)
    source.put(numbered(60))
    out = export(sandbox, source, output=f"s3://{bucket}/x", more=("--segments", "4"))
    folder = objects(sandbox, out.result["export_uri"])
    prefix = out.result["export_uri"].removeprefix(f"s3://{bucket}/")
    files = sorted(n for n in folder if n.endswith("_000000"))
    s3, name, data = sandbox.client("s3"), files[0], folder[files[0]]
    if damage == "delete":
        s3.delete_object(Bucket=bucket, Key=prefix + name)
    else:
        flipped = data[:40] + bytes([data[40] ^ 1]) + data[41:]
        changed = {"flip": flipped, "truncate": data[:-1], "swap": folder[files[1]]}
        s3.put_object(Bucket=bucket, Key=prefix + name, Body=changed[damage])
    target = make_table(sandbox)

    refused = import_into(sandbox, target, out.result["export_uri"])

    assert refused.code == ExitCode.INTEGRITY
    assert name in refused.result["error"]
    assert target.by_key() == {}


def test_copied_export_is_restored_without_editing_the_manifest(sandbox: Sandbox, bucket: str) -> None:
    source, other = make_table(sandbox), make_bucket(sandbox)
    source.put(numbered(10))
    out = export(sandbox, source, output=f"s3://{bucket}/x")
    for name, data in objects(sandbox, out.result["export_uri"]).items():
        sandbox.client("s3").put_object(Bucket=other, Key=f"moved/{name}", Body=data)
    target = make_table(sandbox)
    done = import_into(sandbox, target, f"s3://{other}/moved")
    assert done.code == ExitCode.DONE, done.text
    assert target.differences(numbered(10)) == NONE


def test_missing_table_is_named_within_seconds(sandbox: Sandbox, bucket: str) -> None:
    missing = Table(None, "NoSuchTable", (("id", "S"),))
    out = export(sandbox, missing, output=f"s3://{bucket}/x")
    assert out.code == ExitCode.PRECONDITION
    assert "table 'NoSuchTable' not found in us-east-1" in out.result["error"]


def test_run_record_tells_the_whole_story(sandbox: Sandbox, bucket: str) -> None:
    source = make_table(sandbox)
    source.put(numbered(10))
    out = export(sandbox, source, output=f"s3://{bucket}/x", more=("--logs", f"s3://{bucket}/logs"))
    record = json.loads(objects(sandbox, f"s3://{bucket}/logs/runs/{out.result['run_id']}/")["run.json"])
    assert record["state"] == "done"
    assert record["exit_code"] == 0
    assert record["tables"][0]["items"] == 10


def test_project_needs_no_machine_path() -> None:
    """The command under test is this checkout's, wherever it lies."""
    import dynamodb_pipeline

    assert Path(dynamodb_pipeline.__file__).is_relative_to(Path(__file__).parents[2])
