"""A clock that moves only when somebody sleeps, and an S3 client that fails by a script."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from dynamodb_pipeline.aws.retry import CALL_POLICY, Pacing
from dynamodb_pipeline.store.s3 import S3ObjectStore


class S3World:
    """Time and chance; chance always gives the same."""

    def __init__(self, *, chance: float = 1.0) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []
        self.pacing = Pacing(CALL_POLICY, clock=lambda: self.now_s, sleep=self.sleep, random=lambda: chance)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def store(self, client: Any) -> S3ObjectStore:
        return S3ObjectStore(lambda _: client, pacing=self.pacing)


def refusal(status: int, code: str) -> ClientError:
    """S3's error reply as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


class ScriptedS3:
    """
    One object in an S3 that fails by a script.

    Each call takes the next of `script`: None goes well, an exception is raised in its place, and `lost(exception)` is
    raised after the call was carried out. After the script everything goes well.
    """

    def __init__(self, *script: Any, stored: bytes | None = None) -> None:
        self.script = list(script)
        self.stored = stored
        self.calls: list[str] = []

    def put_object(self, *, Body: Any, IfNoneMatch: str | None = None, **_: object) -> dict[str, Any]:
        data = Body if isinstance(Body, bytes) else Body.read()

        def done() -> None:
            if IfNoneMatch and self.stored is not None:
                raise refusal(412, "PreconditionFailed")
            self.stored = data

        self._call("put", done)
        return {"ETag": '"etag"'}

    def get_object(self, **_: object) -> dict[str, Any]:
        found: list[bytes] = []
        self._call("get", lambda: found.append(self.stored or b""))
        return {"Body": _Stream(found[0]), "ContentLength": len(found[0])}

    def head_object(self, **_: object) -> dict[str, Any]:
        self._call("head", lambda: None)
        return {"ContentLength": len(self.stored or b""), "ETag": '"etag"'}

    def list_objects_v2(self, **_: object) -> dict[str, Any]:
        self._call("list", lambda: None)
        return {"Contents": [{"Key": "key", "Size": 1, "ETag": '"etag"'}], "IsTruncated": False}

    def delete_object(self, **_: object) -> dict[str, Any]:
        self._call("delete", lambda: setattr(self, "stored", None))
        return {}

    def _call(self, name: str, done: Callable[[], None]) -> None:
        self.calls.append(name)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, _Lost):
            done()
            raise step.error
        if step is not None:
            raise step
        done()


class _Lost:
    def __init__(self, error: Exception) -> None:
        self.error = error


def lost(error: Exception) -> _Lost:
    """The call is carried out and its reply is `error`."""
    return _Lost(error)


class _Stream:
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(size)
