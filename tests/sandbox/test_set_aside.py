"""Bad items set aside on the emulators: kept byte for byte, explained, bounded, and importable after a repair."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_line, connector_lines, get_objects, manifest, put_backup, put_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

UNKNOWN_TAG = b'{"id":{"s":"item-000007"},"n":{"x":"1"}}\n'
NO_KEY = b'{"n":{"n":"1"}}\n'
CUT = b'{"id":{"s":"item-000009"},"n":{"n":"9"\n'


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture
def pipeline(sandbox: Sandbox) -> Pipeline:
    return Pipeline(sandbox)


@pytest.fixture(scope="module")
def backup(sandbox: Sandbox, bucket: str) -> str:
    """20 items in two files, three of them bad."""
    lines = [connector_line(item) for item in numbered(20)]
    lines[7], lines[9] = UNKNOWN_TAG, CUT
    files = {"one": b"".join(lines[:10]), "two": NO_KEY + b"".join(lines[10:])}
    return put_backup(sandbox, f"s3://{bucket}/three-bad", files)


def aside_of(sandbox: Sandbox, folder: str, run_id: str) -> dict[str, bytes]:
    return get_objects(sandbox, f"{folder}/{run_id}")


def test_bad_items_are_kept_and_explained_and_the_rest_is_imported(
    sandbox: Sandbox, bucket: str, backup: str, pipeline: Pipeline
) -> None:
    table, aside = make_table(sandbox), f"s3://{bucket}/aside-1"

    done = pipeline.import_into(table, backup, "--set-aside", aside)

    assert done.code == ExitCode.SET_ASIDE, done.text
    counts = {name: done.result[name] for name in ("items", "items_bad", "items_set_aside", "items_written", "status")}
    assert counts == {"items": 21, "items_bad": 3, "items_set_aside": 3, "items_written": 18, "status": "done"}
    assert table.differences([item for n, item in enumerate(numbered(20)) if n not in (7, 9)]) == NONE
    kept = aside_of(sandbox, aside, done.result["run_id"])
    assert kept["0000000-one.items"] == UNKNOWN_TAG + CUT
    assert kept["0000001-two.items"] == NO_KEY
    reasons = json.loads(kept["_0000000-one.reasons.json"])
    assert reasons["file"] == f"{backup}/one"
    assert [(reason["line"], reason["path"]) for reason in reasons["items"]] == [(8, "n"), (10, "")]
    assert reasons["items"][0]["offset_bytes"] == len(connector_lines(numbered(7)))


def test_what_was_set_aside_imports_after_a_repair(
    sandbox: Sandbox, bucket: str, backup: str, pipeline: Pipeline
) -> None:
    table, aside = make_table(sandbox), f"s3://{bucket}/aside-2"
    folder = f"{aside}/{pipeline.import_into(table, backup, '--set-aside', aside).result['run_id']}"
    refused = pipeline.import_into(table, folder, "--without-manifest")
    assert refused.code == ExitCode.INTEGRITY

    repaired = connector_line(numbered(20)[7]) + connector_line(numbered(20)[9])
    put_objects(sandbox, folder, {"0000000-one.items": repaired, "0000001-two.items": connector_line(numbered(21)[20])})
    done = pipeline.import_into(table, folder, "--without-manifest")

    assert done.code == ExitCode.DONE, done.text
    assert table.differences(numbered(21)) == NONE


@pytest.mark.parametrize(("limit", "code"), [("3", 8), ("2", 4), ("0", 4), ("15%", 8), ("14%", 4), ("0%", 4)])
def test_more_bad_items_than_allowed_are_refused_before_the_first_write(
    sandbox: Sandbox, bucket: str, backup: str, limit: str, code: int
) -> None:
    """3 of 21 items are 14.3 %."""
    words = ("--set-aside", f"s3://{bucket}/aside-limit", "--max-set-aside", limit)
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(make_table(sandbox), backup, *words)
        assert bool(proxy.of("BatchWriteItem")) is (code == ExitCode.SET_ASIDE)
    assert done.code == code
    if code == ExitCode.INTEGRITY:
        assert f"3 of 21 items are bad, --max-set-aside allows {limit}; nothing was written" in done.result["error"]


def test_a_resumed_run_says_the_same_and_writes_nothing_again(
    sandbox: Sandbox, bucket: str, backup: str, pipeline: Pipeline
) -> None:
    table, aside = make_table(sandbox), f"s3://{bucket}/aside-3"
    words = ("--set-aside", aside, "--logs", f"s3://{bucket}/logs", "--run-id", "aside-3")
    first = pipeline.import_into(table, backup, *words)
    before = aside_of(sandbox, aside, "aside-3")
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        again = Pipeline(sandbox, proxy.url).import_into(table, backup, *words)
        assert proxy.of("BatchWriteItem") == []
    assert first.code == again.code == ExitCode.SET_ASIDE
    assert again.result["items_set_aside"] == 3
    assert aside_of(sandbox, aside, "aside-3") == before
    record = json.loads(get_objects(sandbox, f"s3://{bucket}/logs/runs/aside-3")["run.json"])
    assert (record["state"], record["exit_code"], record["items_set_aside"]) == ("done", 8, 3)


def test_files_of_one_name_do_not_share_their_bad_items(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    folder, aside = f"s3://{bucket}/same-name", f"s3://{bucket}/aside-4"
    first, second = connector_line(numbered(2)[0]), connector_line(numbered(2)[1])
    put_objects(sandbox, folder, {"x/part": first + UNKNOWN_TAG, "y/part": second + NO_KEY})
    put_objects(sandbox, folder, {"manifest": manifest(folder, ["x/part", "y/part"])})
    done = pipeline.import_into(make_table(sandbox), folder, "--set-aside", aside)
    assert done.code == ExitCode.SET_ASIDE, done.text
    kept = aside_of(sandbox, aside, done.result["run_id"])
    assert (kept["0000000-part.items"], kept["0000001-part.items"]) == (UNKNOWN_TAG, NO_KEY)


@pytest.mark.parametrize("dialect", ["hive", "native"])
def test_bad_lines_of_every_dialect_are_kept_as_they_stand(
    sandbox: Sandbox, bucket: str, pipeline: Pipeline, dialect: str
) -> None:
    good, bad = {
        "hive": (b'id\x03{"s":"a"}\x02n\x03{"n":"1"}\n', b'id\x03{"s":"b"}\x02n\x03{"n":"1x"}\n'),
        "native": (b'{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}\n', b'{"Item":{"id":{"S":"b"},"n":{"N":"1x"}}}\n'),
    }[dialect]
    aside = f"s3://{bucket}/aside-{dialect}"
    folder = put_backup(sandbox, f"s3://{bucket}/bad-{dialect}", {"part": good + bad})
    done = pipeline.import_into(make_table(sandbox), folder, "--set-aside", aside)
    assert done.code == ExitCode.SET_ASIDE, done.text
    assert aside_of(sandbox, aside, done.result["run_id"])["0000000-part.items"] == bad


def test_without_bad_items_nothing_is_kept(sandbox: Sandbox, bucket: str, pipeline: Pipeline) -> None:
    folder = put_backup(sandbox, f"s3://{bucket}/good", {"a": connector_lines(numbered(3))})
    done = pipeline.import_into(make_table(sandbox), folder, "--set-aside", f"s3://{bucket}/aside-none")
    assert done.code == ExitCode.DONE
    assert get_objects(sandbox, f"s3://{bucket}/aside-none") == {}


@pytest.mark.parametrize("option", ["--set-aside", "--logs"])
def test_a_folder_inside_the_input_is_refused(bucket: str, backup: str, pipeline: Pipeline, option: str) -> None:
    done = pipeline.run("import", "--table", "Any", "--input", backup, "--local", option, f"{backup}/inside")
    assert done.code == ExitCode.USAGE
    assert f"{option} {backup}/inside lies inside" in done.text
