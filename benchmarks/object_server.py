"""
An S3 stand-in for judging speed: whole objects in memory, path style, as its own process.

    python -m benchmarks.object_server

The emulator of the sandbox costs more CPU than the jobs and stores through temporary files. This one knows what the
library asks for: PutObject (If-None-Match), GetObject (If-Match), HeadObject, DeleteObject, ListObjectsV2, HeadBucket.
Any bucket exists. Its own page: GET /stats.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from benchmarks.replay_http import WireRequest, reply_head
from benchmarks.replay_loop import Parts, ReplayLoop, json_reply, serve
from benchmarks.replay_replies import REGION, encode

LIMIT_BYTES = 1 << 30


class ObjectService:
    """Objects by path (`/bucket/key`), and how often each operation was asked for."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._etags: dict[str, str] = {}
        self._calls: Counter[str] = Counter()

    def respond(self, request: WireRequest) -> Parts:
        """The reply to one HTTP request, ready to be sent."""
        url = urlsplit(request.path)
        path = unquote(url.path)
        if path == "/stats":
            return json_reply(200, encode(self.stats()))
        fields = dict(parse_qsl(url.query, keep_blank_values=True))
        if path.count("/") == 1:
            return self._bucket(request, path, fields)
        self._calls[f"{request.method} object"] += 1
        if request.method == "PUT":
            return self._put(request, path)
        if request.method == "DELETE":
            self._objects.pop(path, None)
            return _reply(204)
        return self._get(request, path)

    def stats(self) -> dict[str, object]:
        """Calls by operation, objects and bytes kept."""
        return {
            "calls": dict(self._calls),
            "object_count": len(self._objects),
            "size_bytes": sum(map(len, self._objects.values())),
        }

    def _bucket(self, request: WireRequest, path: str, fields: dict[str, str]) -> Parts:
        if request.method == "GET":
            self._calls["LIST objects"] += 1
            return _reply(200, self._listing(f"{path}/", fields.get("prefix", "")))
        self._calls[f"{request.method} bucket"] += 1
        return _reply(200, extra=b"x-amz-bucket-region: %b\r\n" % REGION.encode())

    def _put(self, request: WireRequest, path: str) -> Parts:
        if request.header(b"if-none-match") == "*" and path in self._objects:
            return _error(412, "PreconditionFailed")
        self._objects[path] = request.body
        self._etags[path] = f'"{hashlib.md5(request.body[:65536], usedforsecurity=False).hexdigest()}"'
        return _reply(200, extra=b"ETag: %b\r\n" % self._etags[path].encode())

    def _get(self, request: WireRequest, path: str) -> Parts:
        body = self._objects.get(path)
        if body is None:
            return _error(404, "NoSuchKey")
        if request.header(b"if-match") not in (None, self._etags[path]):
            return _error(412, "PreconditionFailed")
        extra = b"ETag: %b\r\n" % self._etags[path].encode()
        head = reply_head(200, length_bytes=len(body), content_type=b"binary/octet-stream", extra=extra)
        return [head] if request.method == "HEAD" or not body else [head, body]

    def _listing(self, folder: str, prefix: str) -> bytes:
        found = sorted(path for path in self._objects if path.startswith(folder + prefix))
        entries = "".join(
            f"<Contents><Key>{escape(path[len(folder) :])}</Key><Size>{len(self._objects[path])}</Size>"
            f"<ETag>{escape(self._etags[path])}</ETag></Contents>"
            for path in found
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()


def _error(status: int, code: str) -> Parts:
    return _reply(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())


def _reply(status: int, body: bytes = b"", *, extra: bytes = b"") -> Parts:
    head = reply_head(status, length_bytes=len(body), content_type=b"application/xml", extra=extra)
    return [head, body] if body else [head]


def main(argv: list[str]) -> int:
    """Serve until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.object_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(argv)
    serve(ReplayLoop(ObjectService().respond, port=options.port, limit_bytes=LIMIT_BYTES), about={})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
