"""What a client is built of: regions that are taken; small objects that wait for no leave of the server."""

from __future__ import annotations

import tempfile
from typing import IO, Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.utils import validate_region_name
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.aws.clients import SMALL_BYTES, AwsClients, AwsSettings, check_region
from dynamodb_pipeline.errors import UsageError


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


@given(
    st.text("a0-", max_size=6) | st.sampled_from(["a" * 63, "a" * 64, "eu-west-1", "eu-west-1\n", "EU-WEST-1", "eu_1"])
)
def test_every_region_that_is_taken_is_one_to_botocore(text: str) -> None:
    try:
        check_region(text)
    except UsageError:
        return
    validate_region_name(text)
    assert text
