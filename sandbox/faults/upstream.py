"""
The server behind a proxy: requests go there as they came, over one kept connection per thread.
"""

from __future__ import annotations

import http.client
import socket
import threading
from urllib.parse import urlsplit

from sandbox.faults.http_messages import HOP_HEADERS, Reply, Request, without

TIMEOUT_S = 60.0


class Upstream:
    """Forwards requests to one base URL such as http://127.0.0.1:4567."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url!r}: a proxy of the sandbox forwards to plain http on this machine")
        self._host, self._port = parts.hostname, parts.port or 80
        self._local = threading.local()

    def send(self, request: Request) -> Reply:
        """The upstream's reply. A kept connection that was closed meanwhile is opened again once."""
        try:
            return self._exchange(request)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            return self._exchange(request)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _exchange(self, request: Request) -> Reply:
        connection = self._connection()
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in without(request.headers, *HOP_HEADERS, "content-length"):
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        received = connection.getresponse()
        body = received.read()
        headers = without(tuple(received.getheaders()), *HOP_HEADERS)
        length = received.getheader("content-length") if request.method == "HEAD" else None
        return Reply(received.status, headers, body, stated_length=int(length) if length else None)

    def _connection(self) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._local.connection = connection
        return connection
