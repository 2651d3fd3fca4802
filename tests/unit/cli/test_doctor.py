"""`doctor` and `init` against AWS as moto has it, and a machine that has no Java."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import tomllib
from moto import mock_aws

from dynamodb_pipeline.cli import command_line as cli
from dynamodb_pipeline.cli.main import main, settings_of
from dynamodb_pipeline.cli.settings_file import SettingsFile, read_settings_file
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.workers.spark_session import java_version

REGION = "eu-west-1"
SCHEMA = {
    "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Two tables and a bucket; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        for name in ("Forum", "Thread"):
            client.create_table(TableName=name, **SCHEMA)
        where = {"LocationConstraint": REGION}
        boto3.client("s3", region_name=REGION).create_bucket(Bucket="my-bucket", CreateBucketConfiguration=where)
        yield tmp_path


def without_java(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)


def test_init_writes_settings_that_the_command_takes(aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--region", REGION, "--table", "Forum", "--table", "Thread", "--output", "s3://my-bucket/exports"]
    assert main(["init", *words]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == ["Forum", "Thread"]
    assert main(["init", *words, "--to", "my own.toml"]) == 0
    assert "next: dynamodb-pipeline preflight export --settings 'my own.toml'\n" in capsys.readouterr().err
    path = aws / "pipeline.toml"
    assert tomllib.loads(path.read_text())["logs"] == "s3://my-bucket/logs"
    file = SettingsFile(str(path), read_settings_file(path), cli.keys_by_verb())
    settings = settings_of(cli.line_of(["plan", "export"], file=file))
    assert settings.tables == ("Forum", "Thread")
    uncommented = path.read_text().replace('# config = "m5"', 'config = "m5"').replace("# max-cost", "max-cost")
    path.write_text(
        uncommented.replace("# [import]", "[import]").replace("# table", "table").replace("# input", "input")
    )
    file = SettingsFile(str(path), read_settings_file(path), cli.keys_by_verb())
    for kind in ("export", "import"):
        assert settings_of(cli.line_of(["plan", kind], file=file))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["--table", "Forums", "--output", "s3://my-bucket/x"],
            3,
            "no table Forums in eu-west-1; there are: Forum, Thread",
        ),
        (["--table", "Forum", "--output", "s3://no-such-bucket/x"], 3, "no-such-bucket"),
        (["--table", "Forum"], 2, "--output is missing"),
        (["--output", "s3://my-bucket/x"], 2, "there are: Forum, Thread"),
    ],
    ids=["no such table", "no such bucket", "no output", "no table"],
)
def test_init_says_what_is_missing_and_writes_nothing(
    aws: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert main(["init", "--region", REGION, *words]) == code
    assert said in capsys.readouterr().err
    assert list(aws.iterdir()) == []


def test_init_never_writes_over_a_file(aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (aws / "mine.toml").write_text("mine")
    words = ["--to", "mine.toml", "--region", REGION, "--table", "Forum", "--output", "s3://my-bucket/x"]
    assert main(["init", *words]) == 3
    assert (aws / "mine.toml").read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


def test_doctor_of_a_good_machine_names_tables_and_region(aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--region", REGION]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {name: checks[name]["verdict"] for name in ("python", "region", "credentials", "tables")} == dict.fromkeys(
        ("python", "region", "credentials", "tables"), "ok"
    )
    assert checks["tables"]["detail"] == "2 in eu-west-1"


@pytest.fixture
def no_region(aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, and nothing that names a region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws / "none"))


@pytest.mark.usefixtures("no_region")
def test_doctor_without_a_region_looks_at_credentials_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 2
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["region"]["verdict"], checks["region"]["remedy"]) == ("failed", "give --region, or set AWS_REGION")
    assert checks["credentials"]["verdict"] == "ok"
    assert "(keys from AWS_ACCESS_KEY_ID; asked of STS in us-east-1)" in checks["credentials"]["detail"]
    assert "tables" not in checks


@pytest.mark.usefixtures("no_region")
def test_backups_in_s3_are_listed_without_a_region(capsys: pytest.CaptureFixture[str]) -> None:
    """A bucket is found wherever it is; only tables and clusters have to be looked for in one."""
    assert main(["list", "s3://my-bucket/exports"]) == 3
    assert "s3://my-bucket/exports holds nothing" in capsys.readouterr().err
    assert main(["runs"]) == 2


def test_doctor_without_java_and_credentials_names_remedies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_java(monkeypatch, tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert main(["doctor", "--region", REGION]) == 7
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["java"]["verdict"] == "warning"
    assert "--engine process" in checks["java"]["remedy"]
    assert checks["credentials"]["verdict"] == "failed"
    assert "AWS_PROFILE" in checks["credentials"]["remedy"]


def test_a_local_run_without_java_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_java(monkeypatch, tmp_path)
    with pytest.raises(PreconditionError, match=r"no java on PATH.*Java 17.*--engine process"):
        java_version()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PreconditionError, match="without bin/java"):
        java_version()


def test_doctor_names_what_the_report_page_lacks(
    aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for lacking, said in ((False, "jinja2 and matplotlib are there"), (True, "pip install jinja2 matplotlib")):
        for name in ("jinja2", "matplotlib") if lacking else ():
            monkeypatch.setitem(sys.modules, name, None)  # as the import system notes what cannot be imported
        assert main(["doctor", "--region", REGION]) == 0
        checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
        assert said in " ".join(checks["report page"].values())
