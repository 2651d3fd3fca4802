"""A loopback HTTP server with DynamoDB's shape whose answers, good and broken, are written down beforehand."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any, Callable

from dynamodb_pipeline.dynamodb.http1 import Message, read_message, render_message

Answer = Callable[[socket.socket], bool]
"""Does something to the connection; True keeps it open for the next request."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reply_bytes(
    body: Any, *, status: int = 200, crc: int | bool | None = True, headers: tuple[tuple[str, str], ...] = ()
) -> bytes:
    """A reply as DynamoDB writes it; `crc` True is the right one, False none, a number is sent as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = (("Server", "Server"), ("Content-Type", "application/x-amz-json-1.0"), *headers)
    if crc is not False:
        shown += (("x-amz-crc32", str(zlib.crc32(raw) if crc is True else crc)),)
    return render_message(f"HTTP/1.1 {status} Whatever", shown, raw)


def send(data: bytes) -> Answer:
    def answer(sock: socket.socket) -> bool:
        sock.sendall(data)
        return True

    return answer


def reply(body: Any, **how: Any) -> Answer:
    """Answer with a whole reply (see `reply_bytes`)."""
    return send(reply_bytes(body, **how))


def error(code: str, message: str = "no reason", *, status: int = 400, **how: Any) -> Answer:
    """Answer with an error reply."""
    return reply({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}, status=status, **how)


def cut(data: bytes, *, at: int) -> Answer:
    """Send the first `at` bytes, then close in order."""

    def answer(sock: socket.socket) -> bool:
        sock.sendall(data[:at])
        return False

    return answer


def reset(data: bytes = b"", *, at: int = 0) -> Answer:
    """Send the first `at` bytes, then reset the connection."""

    def answer(sock: socket.socket) -> bool:
        sock.sendall(data[:at])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        return False

    return answer


def then_close(data: bytes) -> Answer:
    """Send a whole reply, then close although the reply promised to keep the connection."""
    return cut(data, at=len(data))


def silence(until: threading.Event) -> Answer:
    """Say nothing until the test is over."""

    def answer(_: socket.socket) -> bool:
        until.wait(10)
        return False

    return answer


@dataclass
class ScriptedServer:
    """Answers the n-th request, on whatever connection it comes, with the n-th entry of `script`."""

    script: list[Answer]
    requests: list[Message] = field(default_factory=list)
    connection_count: int = 0

    def __enter__(self) -> ScriptedServer:
        outer = self
        self._lock = threading.Lock()
        self.over = threading.Event()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.connection_count += 1
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while outer._one(self.connection, self.rfile):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _one(self, sock: socket.socket, file: Any) -> bool:
        try:
            request = read_message(file, body_bytes_max=1 << 25)
        except OSError:
            return False
        if request is None:
            return False
        with self._lock:
            self.requests.append(request)
            answer = self.script.pop(0) if self.script else None
        return answer(sock) if answer else False
