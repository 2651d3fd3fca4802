"""A body that breaks while it is read is read again, within bounds; botocore does not do that."""

from __future__ import annotations

import pytest
from botocore.exceptions import ResponseStreamingError

from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.transfer.object_store import READ_ATTEMPTS, S3ObjectStore

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
    """An S3 client whose replies carry one body after the other."""

    def __init__(self, *outcomes: bytes | Exception) -> None:
        self.outcomes = list(outcomes)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, object]:
        return {"Body": Body(self.outcomes.pop(0)), "ContentLength": len(WHOLE)}


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
