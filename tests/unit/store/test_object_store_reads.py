"""A body that breaks while it is read is read again, within bounds; botocore does not do that."""

from __future__ import annotations

import io

import pytest
from botocore.exceptions import ResponseStreamingError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError, ProtocolError

from dynamodb_pipeline.aws.request_errors import ErrorKind
from dynamodb_pipeline.aws.retry import CALL_POLICY, GaveUp
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.store.s3 import S3ObjectStore
from tests.unit.store.s3_world import S3World

WHOLE = b"content"


class Body:
    """A streaming body that gives these bytes or breaks."""

    def __init__(self, outcome: bytes | Exception) -> None:
        self.outcome = outcome
        self.data = io.BytesIO(outcome if isinstance(outcome, bytes) else b"con")

    def read(self, size: int) -> bytes:
        piece = self.data.read(min(size, 3))
        if not piece and isinstance(self.outcome, Exception):
            raise self.outcome
        return piece


class Client:
    """An S3 client whose replies carry one body after the other; an exception among them is raised at once."""

    def __init__(self, *outcomes: bytes | Exception) -> None:
        self.outcomes = list(outcomes)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, object]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, (ConnectionError, HTTPError, ResponseParserError)):
            raise outcome
        return {"Body": Body(outcome), "ContentLength": len(WHOLE)}


def store_of(client: Client) -> S3ObjectStore:
    return S3ObjectStore(lambda _: client, pacing=S3World().pacing)


def broken() -> Exception:
    return ResponseStreamingError(error="connection reset")


@pytest.mark.parametrize("how", [S3ObjectStore.get, S3ObjectStore.fetch])
@pytest.mark.parametrize("first", [broken(), b"cont", b""], ids=["reset", "short", "empty"])
def test_broken_body_is_read_again(first, how):
    assert how(store_of(Client(first, WHOLE)), "s3://bucket/key") == WHOLE


def test_body_that_stays_short_stops_the_run():
    client = Client(*[b"cont"] * CALL_POLICY.attempts_max[ErrorKind.BAD_REPLY])
    with pytest.raises(GaveUp, match=r"8 attempts.*s3://bucket/key: got 4 of 7 bytes") as caught:
        store_of(client).get("s3://bucket/key")
    assert client.outcomes == []
    assert caught.value.exit_code is ExitCode.STOPPED


@pytest.mark.parametrize(
    "error",
    [ProtocolError("broken"), ConnectionResetError(104, "reset"), ResponseParserError("no XML")],
    ids=["urllib3", "OS", "parser"],
)
def test_error_reply_that_breaks_off_is_asked_for_again(error):
    """botocore reads the body of a streaming operation's error outside its own try."""
    assert store_of(Client(error, WHOLE)).get("s3://bucket/key") == WHOLE


def test_error_replies_that_always_break_off_stop_the_run():
    client = Client(*[ProtocolError("broken")] * CALL_POLICY.attempts_max[ErrorKind.TRANSIENT])
    with pytest.raises(GaveUp, match="S3 get_object s3://bucket/key: broken") as caught:
        store_of(client).get("s3://bucket/key")
    assert caught.value.exit_code is ExitCode.STOPPED
