"""The verb finds the right records and nothing else, writes one file and says where."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from dynamodb_pipeline.cli import main as cli
from dynamodb_pipeline.errors import DeniedError, IntegrityError, PreconditionError, StoppedError
from dynamodb_pipeline.report.read import parse_record, read_run
from tests.unit.report.records import RUN, exported, record

LOGS = "s3://my-bucket/logs"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="my-bucket")
        yield client


def put(s3: Any, name: str, body: bytes | None = None, *, file: str = "run.json", **facts: Any) -> None:
    data = json.dumps(record(run_id=name, **facts).facts).encode() if body is None else body
    s3.put_object(Bucket="my-bucket", Key=f"logs/runs/{name}/{file}", Body=data)


def test_the_records_of_a_run_and_its_tables_are_read_and_no_others(s3: Any) -> None:
    for name in (RUN, f"{RUN}.Reply", f"{RUN}.Forum", f"{RUN}5", "20261123T030000Z-00000000"):
        put(s3, name)
    put(s3, RUN, b"{}", file="ledger/export/Forum/run.json")
    put(s3, f"{RUN}.Starting", b"{}", file="ledger/header.json")
    found = [entry.facts["run_id"] for entry in read_run(s3, RUN, logs=f"{LOGS}/")]
    assert found == [RUN, f"{RUN}.Forum", f"{RUN}.Reply"]


def test_no_record_is_refused_with_the_place_looked_at(s3: Any) -> None:
    with pytest.raises(PreconditionError, match=rf"no run\.json in {LOGS}/runs/{RUN}"):
        read_run(s3, RUN, logs=LOGS)


def test_no_bucket_is_refused_by_name(s3: Any) -> None:
    with pytest.raises(PreconditionError, match="bucket 'other-bucket' does not exist"):
        read_run(s3, RUN, logs="s3://other-bucket/logs")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"state": "done"}', b"\xff", b"[" * 100_000], ids=lambda d: str(d[:9]))
def test_what_is_no_record_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"there/run\.json .*not the record of a run"):
        parse_record(data, where="there/run.json")


class RefusingS3:
    """An S3 that answers every listing with one error."""

    def __init__(self, code: str):
        self._code = code

    def get_paginator(self, _: str) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "ListObjectsV2")


@pytest.mark.parametrize(("code", "error"), [("AccessDenied", DeniedError), ("SlowDown", StoppedError)])
def test_what_s3_refuses_ends_with_the_codes_of_jobs(code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_run(RefusingS3(code), RUN, logs=LOGS)


def report(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the document of stdout, stderr."""
    code = cli.main(["report", *words])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_a_run_in_s3_becomes_a_page(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(s3, f"{RUN}.Forum", tables=[exported("Forum")])
    put(s3, f"{RUN}.Reply", state="failed", exit_code=5, error="cut", table_names=["Reply"])
    target = tmp_path / "night.html"
    code, document, said = report(capsys, RUN, "--logs", LOGS, "--region", "us-east-1", "--to", str(target))
    assert code == 0
    assert document == {
        "kind": "report",
        "exit_code": 0,
        "path": str(target),
        "run_id": RUN,
        "run_kind": "export",
        "run_state": "failed",
        "run_exit_code": 5,
        "tables": ["Forum", "Reply"],
    }
    assert said == f"export {RUN}: failed; page in {target}\n"
    assert f"--logs {LOGS} --run-id {RUN}" in target.read_text(encoding="utf-8")


def test_a_run_that_was_killed_is_not_said_to_be_running(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"dynamodb-pipeline export --local --table Orders --logs {LOGS} --run-id {RUN}"
    put(s3, RUN, state="running", exit_code=None, ended=None, heartbeat="2026-11-23T03:05:00Z", command=command)
    target = tmp_path / "killed.html"
    code, document, said = report(capsys, RUN, "--logs", LOGS, "--region", "us-east-1", "--to", str(target))
    assert (code, document["run_state"], document["run_exit_code"]) == (0, "dead", None)
    why = "ended without a result: its process has given no sign of life since 2026-11-23 03:05:00 UTC"
    assert said == f"export {RUN}: dead; {why}; page in {target}\nto go on: {command}\n"
    page = target.read_text(encoding="utf-8")
    assert why in page
    assert command in page
    assert "running" not in page


def test_the_log_folder_may_stand_in_the_settings_file(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(s3, RUN)
    monkeypatch.chdir(tmp_path)
    Path("pipeline.toml").write_text(f'logs = "{LOGS}"\nregion = "us-east-1"\n', encoding="utf-8")
    code, document, _ = report(capsys, RUN)
    assert (code, document["path"]) == (0, f"{RUN}.html")
    assert Path(f"{RUN}.html").is_file()


def test_a_local_record_needs_no_aws_even_with_a_log_folder_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps(record(tables=[exported("Café\ud800")]).facts), encoding="utf-8")
    code, document, _ = report(capsys, "run.json", "--logs", LOGS)
    assert (code, document["path"]) == (0, "run.html")
    assert "Café\ufffd" in Path("run.html").read_text(encoding="utf-8")


def test_without_jinja2_the_page_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    Path("run.json").write_text(json.dumps(record().facts), encoding="utf-8")
    code, document, _ = report(capsys, "run.json")
    assert (code, "pip install jinja2 matplotlib" in document["error"]) == (3, True)
    assert not Path("run.html").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((RUN,), 2, "no region: give --region"),  # its cluster would be looked for there
        ((RUN,), 2, f"in any region: dynamodb-pipeline report {RUN} --logs s3://my-bucket/logs"),
        (("../../etc", "--logs", LOGS), 2, "must be 3-80"),
        (("missing.json",), 3, "missing.json cannot be read"),
        (("run.json", "--to", "no/such/folder/x.html"), 2, "cannot be written"),
    ],
    ids=["no logs", "no logs, command", "no run id", "no file", "no folder"],
)
def test_a_slip_is_told_and_writes_nothing(
    words: tuple[str, ...], code: int, said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps(record().facts), encoding="utf-8")
    found, document, _ = report(capsys, *words)
    assert (found, document["exit_code"]) == (code, code)
    assert said in document["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
