"""A body that breaks while it is read is read again, within bounds; botocore does not do that."""

from __future__ import annotations

import pytest
from botocore.exceptions import ResponseStreamingError
from urllib3.exceptions import HTTPError, ProtocolError

from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.transfer.object_store import RACE_ATTEMPTS, READ_ATTEMPTS, S3ObjectStore

WHOLE = b"content"


class Body:
    """A streaming body that gives these bytes or breaks."""

    def __init__(self, outcome: bytes | Exception) -> None:
        self.outcome = outcome

    def read(self) -> bytes:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Client:
    """An S3 client whose replies carry one body after the other; an exception among them is raised at once."""

    def __init__(self, *outcomes: bytes | Exception) -> None:
        self.outcomes = list(outcomes)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, object]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, (ConnectionError, HTTPError)):
            raise outcome
        return {"Body": Body(outcome), "ContentLength": len(WHOLE)}


def broken() -> Exception:
    return ResponseStreamingError(error="connection reset")


@pytest.mark.parametrize("first", [broken(), b"cont", b""], ids=["reset", "short", "empty"])
def test_broken_body_is_read_again(first):
    client = Client(first, WHOLE)
    assert S3ObjectStore(lambda _: client).get("s3://bucket/key") == WHOLE


def test_body_that_stays_broken_stops_the_run():
    client = Client(*[broken()] * READ_ATTEMPTS)
    with pytest.raises(StoppedError, match=r"s3://bucket/key: .*connection reset.* 4 times"):
        S3ObjectStore(lambda _: client).get("s3://bucket/key")
    assert client.outcomes == []


@pytest.mark.parametrize("error", [ProtocolError("broken"), ConnectionResetError(104, "reset")], ids=["urllib3", "OS"])
def test_error_reply_that_breaks_off_is_asked_for_again(error):
    """botocore reads the body of a streaming operation's error outside its own try."""
    client = Client(error, WHOLE)
    assert S3ObjectStore(lambda _: client).get("s3://bucket/key") == WHOLE


def test_error_replies_that_always_break_off_stop_the_run():
    client = Client(*[ProtocolError("broken")] * RACE_ATTEMPTS)
    with pytest.raises(StoppedError, match="S3 get_object s3://bucket/key: broken"):
        S3ObjectStore(lambda _: client).get("s3://bucket/key")
