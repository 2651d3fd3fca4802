"""Hand DynamoDB requests on to another server, as they came: region and signature travel in the headers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from sandbox.emr import protocol
from sandbox.emr.protocol import Request, StartResponse

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"})
STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
TIMEOUT_S = 60.0


class Forwarder:
    """Keeps one connection per thread; the server has one thread per client connection."""

    def __init__(self) -> None:
        self._local = threading.local()

    def forward(
        self,
        url: str,
        request: Request,
        start_response: StartResponse,
        *,
        change: Callable[[bytes], bytes] | None = None,
    ) -> Iterable[bytes]:
        """Send a request to the server at `url` and pass its reply back; a reply of success goes through `change`."""
        try:
            reply, body = self._exchange(url, request)
        except STALE:
            reply, body = self._exchange(url, request)  # the server has closed a connection that was idle
        if change and reply.status == 200:
            body = change(body)
            return protocol.reply_bytes(start_response, body, content_type=reply.headers["Content-Type"])
        kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP]
        start_response(f"{reply.status} {reply.reason}", [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def close(self) -> None:
        """Close this thread's connections."""
        for connection in self._local.__dict__.pop("connections", {}).values():
            connection.close()

    def _exchange(self, url: str, request: Request) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        connection = self._connection(url)
        try:
            connection.request(request.method, request.path, body=request.body, headers=headers)
            reply = connection.getresponse()
            return reply, reply.read()
        except (http.client.HTTPException, OSError):
            connection.close()  # http.client opens it anew for the next request
            raise

    def _connection(self, url: str) -> http.client.HTTPConnection:
        known: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("connections", {})
        if url not in known:
            parts = urlsplit(url)
            known[url] = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        return known[url]
