"""Places in S3 as values: `s3://bucket/folder`, what lies inside what, and where logs may not go."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.errors import UsageError

SCHEME = "s3://"


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key; a folder's key is kept without its final slash."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"

    @property
    def prefix(self) -> str:
        """The folder as a key prefix: `a/b/`, or empty for the whole bucket."""
        return f"{self.key}/" if self.key else ""

    def child(self, name: str) -> S3Location:
        """The object or folder `name` inside this folder."""
        return S3Location(self.bucket, f"{self.prefix}{name.strip('/')}")

    def holds(self, other: S3Location) -> bool:
        """True when `other` is this folder or lies inside it (`exports` does not hold `exports2`)."""
        return self.bucket == other.bucket and (other.prefix or "/").startswith(self.prefix)


def s3_location(uri: str, *, what: str) -> S3Location:
    """
    Parse `uri`; `s3n://` and `s3a://` (EMR answers with them) count as `s3://`.

    Raises:
        UsageError: not an S3 address; `what` names the option in the message.
    """
    scheme, mark, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if mark != "://" or scheme not in {"s3", "s3n", "s3a"} or not bucket:
        msg = f"{what} {uri!r} is not an S3 address; write s3://bucket/folder"
        raise UsageError(msg)
    return S3Location(bucket, key.strip("/"))


def log_folder_problem(logs_uri: str, *, data_uris: tuple[str, ...] = ()) -> str | None:
    """Why logs may not go there: a bucket's top level, or a data folder (an import would read them)."""
    logs = s3_location(logs_uri, what="--logs")
    if not logs.key:
        return f"--logs {logs_uri} is the bucket's top level; name a folder, e.g. {logs.uri}/logs"
    for data_uri in data_uris:
        data = s3_location(data_uri, what="data folder")
        if data.key and data.holds(logs):
            return f"--logs {logs_uri} lies inside the data folder {data.uri}; use a folder beside it"
    return None
