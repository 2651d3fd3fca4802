"""
HTTP messages as bytes, and a connection that passes them on unchanged. Knows nothing of DynamoDB.
"""

from __future__ import annotations

import re
import select
import socket
from contextlib import suppress
from io import BufferedIOBase, BufferedReader
from socket import SocketIO
from typing import NamedTuple

TIMEOUT_S = 60.0
BUFFER_BYTES = 1 << 18
LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)")
_CLOSE = re.compile(rb"(?im)^connection:[ \t]*close")


class Message(NamedTuple):
    """The head of a request or reply as it came, and its body; both empty for a reply that never came."""

    head: bytes
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the connection ends after it: said so, of unknown length, or cut off."""
        length = LENGTH.search(self.head)
        return bool(_CLOSE.search(self.head)) or not length or int(length[1]) != len(self.body)


class Upstream:
    """A connection that is opened when needed, and anew when the server has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[socket.socket, BufferedIOBase] | None = None

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()

    def exchange(self, request: Message) -> Message:
        """Send one request, never twice, and return its reply, an empty one when the server gave none."""
        reply = Message(b"", b"")
        with suppress(OSError):
            reply = self._send(request)
        if reply.closes:
            self._disconnect()
        return reply

    def _send(self, request: Message) -> Message:
        connection, file = self._connected()
        connection.sendall(request.head + request.body)
        head = read_head(file)
        length = LENGTH.search(head)
        return Message(head, file.read(int(length[1]) if length else -1))

    def _connected(self) -> tuple[socket.socket, BufferedIOBase]:
        if self._streams and select.select([self._streams[0]], [], [], 0)[0]:
            self._disconnect()  # readable before a request was sent: the server has closed it
        if not self._streams:
            connection = socket.create_connection(self._address, timeout=TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._streams = connection, BufferedReader(SocketIO(connection, "r"), BUFFER_BYTES)
        return self._streams

    def _disconnect(self) -> None:
        for stream in self._streams or ():
            stream.close()
        self._streams = None


def read_head(file: BufferedIOBase) -> bytes:
    """Return start line and headers with the empty line after them; empty at the end of the stream."""
    lines = [file.readline()]
    while lines[-1] not in (b"\r\n", b""):
        lines.append(file.readline())
    return b"".join(lines)
