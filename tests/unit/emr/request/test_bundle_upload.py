"""Code goes to S3 under its own hash and is compared, not trusted, when it lies there already."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.cluster.project_files import project_folder
from dynamodb_pipeline.emr.request.bundle_upload import (
    BOOTSTRAP_NAME,
    CodeFile,
    ShippedCode,
    shipped_code,
    upload_code,
)
from dynamodb_pipeline.errors import IntegrityError

FOLDER = S3Uri("pipeline-logs", "app/code")
FILES = [
    CodeFile("dynamodb_pipeline.zip", b"zip"),
    CodeFile("export_table.py", b"export"),
    CodeFile(BOOTSTRAP_NAME, b"#!/bin/bash"),
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pipeline-logs")
        yield client


def keys(s3: Any) -> list[str]:
    return sorted(found["Key"] for found in s3.list_objects_v2(Bucket="pipeline-logs").get("Contents", []))


def test_files_lie_under_their_common_hash(s3: Any) -> None:
    shipped = upload_code(s3, FILES, folder=FOLDER)
    assert keys(s3) == sorted(f"{shipped.folder.key}/{file.name}" for file in FILES)
    assert shipped == shipped_code(FILES, folder=FOLDER)


def test_changed_code_gets_another_folder() -> None:
    changed = [CodeFile(FILES[0].name, b"zip2"), *FILES[1:]]
    assert shipped_code(FILES, folder=FOLDER).folder != shipped_code(changed, folder=FOLDER).folder


def test_second_upload_puts_nothing(s3: Any) -> None:
    upload_code(s3, FILES, folder=FOLDER)
    puts: list[str] = []
    s3.meta.events.register("before-call.s3.PutObject", lambda **_: puts.append("put"))
    upload_code(s3, FILES, folder=FOLDER)
    assert puts == []


def test_other_bytes_under_our_hash_are_an_integrity_error(s3: Any) -> None:
    place = shipped_code(FILES, folder=FOLDER).folder.child("export_table.py")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"exp0rt", ChecksumAlgorithm="SHA256")
    with pytest.raises(IntegrityError, match="other bytes"):
        upload_code(s3, FILES, folder=FOLDER)


def test_every_call_names_the_expected_bucket_owner(s3: Any) -> None:
    sent: list[dict[str, Any]] = []
    s3.meta.events.register("provide-client-params.s3.*", lambda params, **_: sent.append(params))
    upload_code(s3, FILES, folder=FOLDER, bucket_owner="123456789012")
    assert {params["ExpectedBucketOwner"] for params in sent} == {"123456789012"}


def test_bootstrap_checks_every_other_file() -> None:
    action = shipped_code(FILES, folder=FOLDER).bootstrap()
    assert action.script_uri.endswith(BOOTSTRAP_NAME)
    assert {sha for _, sha in action.checked} == {file.sha256_hex for file in FILES[:2]}


def run_bootstrap(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real script with an `aws` that copies from a folder."""
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir(exist_ok=True)
    aws.write_text(f'#!/bin/bash\ncp "{tmp_path}/s3/${{4#s3://}}" "$5"\n')
    aws.chmod(0o755)
    path = f"{aws.parent}{os.pathsep}{os.environ['PATH']}"
    script = project_folder("bootstrap") / BOOTSTRAP_NAME
    return subprocess.run(
        ["bash", str(script), *arguments],
        env={"PATH": path, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def on_s3(tmp_path: Path) -> ShippedCode:
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    (tmp_path / "s3" / "bucket" / "lib.zip").write_bytes(b"zip")
    return ShippedCode(S3Uri("bucket", ""), {"lib.zip": hashlib.sha256(b"zip").hexdigest()})


def test_bootstrap_script_accepts_unchanged_code(tmp_path: Path, on_s3: ShippedCode) -> None:
    done = run_bootstrap(tmp_path, "s3://bucket/lib.zip", on_s3.sha256_by_name["lib.zip"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("s3://bucket/lib.zip", "00" * 32), 4, "changed after upload"),
        (("s3://bucket/none.zip", "00" * 32), 3, "s3:GetObject"),
        (("s3://bucket/lib.zip",), 2, "usage"),
        ((), 2, "usage"),
    ],
    ids=["tampered", "unreadable", "no hash", "nothing"],
)
def test_bootstrap_script_refuses(
    tmp_path: Path, on_s3: ShippedCode, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = run_bootstrap(tmp_path, *arguments)
    assert done.returncode == code
    assert text in done.stderr
