"""Where logs lie and what they say; the paths are the Management Guide's, the sentences a real controller log's."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox.emr import log_layout
from sandbox.emr.log_shipper import LogShipment

CLUSTER, STEP = "j-2AL4XXXXXX5T9", "s-1AZXXXXXX4D9"


@dataclass
class FakeS3:
    """Keeps what is put; refuses when told to."""

    objects: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    refuses: bool = False

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.puts += 1
        if self.refuses:
            raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "gone"}}, "PutObject")
        self.objects[f"{Bucket}/{Key}"] = Body


def shipment(folder: Path, client: FakeS3, **members: object) -> LogShipment:
    values = {"log_uri": "s3://b/logs", "folder": log_layout.step_folder(CLUSTER, STEP), **members}
    return LogShipment(client=client, source=folder, names=("stdout", "stderr"), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://b/logs/x/", ("b", "logs/x/")),
        ("s3n://b/logs", ("b", "logs/")),
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
    ],
)
def test_a_log_uri_is_a_bucket_and_a_prefix(uri: str, parts: tuple[str, str]) -> None:
    assert log_layout.split_uri(uri) == parts


def test_logs_lie_where_emr_puts_them() -> None:
    assert log_layout.step_folder(CLUSTER, STEP) == f"{CLUSTER}/steps/{STEP}/"
    assert log_layout.bootstrap_folder(CLUSTER, "i-9", 2) == f"{CLUSTER}/node/i-9/bootstrap-actions/2/"
    assert log_layout.log_file("s3://b/logs/", "f/", "stderr") == "s3://b/logs/f/stderr.gz"
    assert log_layout.log_file(None, "f/", "stderr") == ""


def test_logs_arrive_gzipped_and_only_when_they_have_grown(tmp_path: Path) -> None:
    client = FakeS3()
    sending = shipment(tmp_path, client)
    (tmp_path / "stdout").write_text("one\n")
    sending.send()
    sending.send()
    assert client.puts == 1
    (tmp_path / "stdout").write_text("one\ntwo\n")
    sending.send()
    assert gzip.decompress(client.objects[f"b/logs/{CLUSTER}/steps/{STEP}/stdout.gz"]) == b"one\ntwo\n"
    assert list(client.objects) == [f"b/logs/{CLUSTER}/steps/{STEP}/stdout.gz"]


def test_a_log_that_cannot_be_written_is_said_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = FakeS3(refuses=True)
    sending = shipment(tmp_path, client)
    (tmp_path / "stderr").write_text("x")
    sending.send()
    assert "NoSuchBucket" in capsys.readouterr().err
    client.refuses = False
    sending.send()
    assert len(client.objects) == 1


@pytest.mark.parametrize("members", [{"log_uri": None}, {"is_cut": lambda: True}], ids=["no LogUri", "node lost"])
def test_no_log_is_sent(tmp_path: Path, members: dict[str, object]) -> None:
    client = FakeS3()
    (tmp_path / "stdout").write_text("x")
    shipment(tmp_path, client, **members).send()
    assert client.puts == 0


def test_the_suffix_can_be_one_that_has_been_met_elsewhere(tmp_path: Path) -> None:
    client = FakeS3()
    (tmp_path / "stderr").write_text("x")
    shipment(tmp_path, client, suffix=".txt.gz").send()
    assert next(iter(client.objects)).endswith("/stderr.txt.gz")


def test_the_controller_says_how_it_ended() -> None:
    arguments = ["spark-submit", "s3://b/job.py"]
    assert "command-runner.jar spark-submit s3://b/job.py'" in log_layout.controller_start(arguments, now_s=0.0)
    text = log_layout.controller_end(arguments, 3, started_s=0.0, now_s=61.25)
    assert text.startswith("1970-01-01T00:01:01.250Z INFO waitProcessCompletion ended with exit code 3 :")
    assert "WARN Step failed with exitCode 3 and took 61 seconds" in text


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["", "Traceback (most recent call last):\n  File\nValueError: no\n"], "ValueError: no"),
        (["a.b.TableError: gone\nINFO done\n", "ValueError: no"], "a.b.TableError: gone"),
        (['Exception in thread "main" java.lang.X: y\n'], 'Exception in thread "main" java.lang.X: y'),
        (["nothing to see\n", ""], "Command exiting with ret '7'"),
        (["RuntimeError: " + "x" * 600], "RuntimeError: " + "x" * 498),
    ],
    ids=["python", "last of the first", "java", "none", "cut"],
)
def test_the_failure_message_is_the_last_error_line(texts: list[str], message: str) -> None:
    assert log_layout.failure_message(texts, exit_code=7) == message
