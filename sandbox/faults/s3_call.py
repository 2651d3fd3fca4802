"""
One S3 request, taken apart as far as faults need it. Path style only, as the sandbox uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlencode

from sandbox.faults.http_messages import Request


@dataclass(frozen=True)
class S3Call:
    """`operation` is the method and what it is about: "PUT object", "LIST objects", "GET bucket" ..."""

    request: Request
    operation: str
    bucket: str
    key: str

    @property
    def fingerprint(self) -> str:
        """The same question to S3 has the same text, whatever a PUT carries."""
        return f"{self.request.method} {self.request.target}"

    @property
    def put_if_absent(self) -> bool:
        """Whether the PUT may only create."""
        return self.request.header("if-none-match") == "*"

    def at(self, key: str) -> S3Call:
        """The same call on another key of the bucket."""
        path = self.request.url.path.replace(f"/{self.bucket}/", "", 1)
        target = self.request.target.replace(path, key, 1)
        return replace(self, key=unquote(key), request=replace(self.request, target=target))

    def with_query(self, **fields: str) -> S3Call:
        """The same call with these query fields set."""
        url = self.request.url
        query = {**dict(parse_qsl(url.query, keep_blank_values=True)), **fields}
        return replace(self, request=replace(self.request, target=f"{url.path}?{urlencode(query)}"))


def read_call(request: Request) -> S3Call:
    """Every request is one; what it is about follows from path and query."""
    url = request.url
    bucket, _, key = unquote(url.path.lstrip("/")).partition("/")
    fields = dict(parse_qsl(url.query, keep_blank_values=True))
    return S3Call(request, _operation(request.method, key, fields), bucket, key)


def _operation(method: str, key: str, fields: dict[str, str]) -> str:
    if key:
        return f"{method} object"
    if method == "GET" and ("list-type" in fields or "prefix" in fields or not fields):
        return "LIST objects"
    return f"{method} bucket"
