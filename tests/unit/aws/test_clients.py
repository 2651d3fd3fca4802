"""Small objects are sent without waiting for the server's leave; large ones wait."""

from __future__ import annotations

import tempfile
from typing import IO, Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

from dynamodb_pipeline.aws.clients import SMALL_BYTES, AwsClients, AwsSettings


def large_file() -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - in memory; the caller's request reads it
    file.write(b"x")
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("body", "waits"),
    [(b"", False), (b"x" * SMALL_BYTES, False), (b"x" * (SMALL_BYTES + 1), True), (large_file(), True)],
    ids=["empty", "small", "large", "file"],
)
def test_only_a_large_object_waits_for_100_continue(body: Any, waits: bool) -> None:
    keys = ("AKIDLOOPBACK", "secret", None)
    client = AwsClients(settings=AwsSettings("eu-west-1", (("s3", "http://127.0.0.1:9"),), keys)).client("s3")
    sent: list[AWSRequest] = []

    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        sent.append(request)
        reply = AWSResponse(request.url, 200, {}, None)
        reply._content = b""
        return reply

    client.meta.events.register("before-send.s3", answer)
    client.put_object(Bucket="bucket", Key="key", Body=body, ChecksumSHA256="aGFzaA==")
    assert ["Expect" in request.headers for request in sent] == [waits]
