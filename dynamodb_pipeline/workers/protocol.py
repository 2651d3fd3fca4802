"""
What travels between the driver's coordinator and its workers: one JSON object per line, and the proof of the key.

Nothing is unpickled, lines are bounded, and the first thing both sides do is to prove that they know the run's key,
each over the other's fresh challenge. What follows is not encrypted: it holds units, work (a scan's start key among it)
and counts, never other attributes or credentials; the cluster's network is trusted that far.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from typing import TypeVar

KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))

PROTOCOL = 1
HELLO_BYTES_MAX = 1024  # a stranger gets no more memory than this
LINE_BYTES_MAX = 4 * 1024 * 1024  # a finished record can carry 4,096 digest buckets
ATTEMPT_MAX = 2**31 - 1  # Spark's attempt numbers are Java's int
REQUEST_UNITS_MAX = 1_000_000.0  # far above 25 items of 400 KB with twenty indexes

Message = dict[str, object]
Kind = TypeVar("Kind")

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # kept: making one costs more than using it
_DECODER = json.JSONDecoder()


class ProtocolError(ValueError):
    """The peer sent something that is no message of ours; its connection is closed."""


class LineBuffer:
    """Cuts received bytes into messages; `limit_bytes` bounds what one line may hold."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete now. Raises ProtocolError for a line too long or no object."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._check(line)
            yield decode_message(line)
        self._check(self._rest)

    def _check(self, line: bytes) -> None:
        if len(line) > self.limit_bytes:
            msg = f"a line of more than {self.limit_bytes} bytes"
            raise ProtocolError(msg)


def encode_message(message: Mapping[str, object]) -> bytes:
    """One line."""
    return _ENCODER.encode(message).encode() + b"\n"


def decode_message(line: bytes) -> Message:
    """The message of one line."""
    try:
        message = _DECODER.decode(line.decode())
    except (ValueError, RecursionError) as err:
        msg = "a line that is no JSON"
        raise ProtocolError(msg) from err
    if not isinstance(message, dict):
        msg = "a line that is no JSON object"
        raise ProtocolError(msg)
    return message


def challenge() -> str:
    """A fresh random challenge."""
    return secrets.token_hex(16)


def worker_proof(key: bytes, *, asked: str, own: str, worker: str, attempt: int) -> str:
    """What a worker answers to the driver's challenge `asked`; binds its name, attempt and own challenge."""
    return _proof(key, "worker", asked, own, worker, str(attempt))


def driver_proof(key: bytes, *, asked: str, own: str) -> str:
    """What the driver answers to the worker's challenge `asked`."""
    return _proof(key, "driver", asked, own)


def is_proof(given: object, expected: str) -> bool:
    """Compare without leaking by time; text that is no ASCII is none, whatever it holds."""
    return isinstance(given, str) and given.isascii() and hmac.compare_digest(given, expected)


def units_of(value: object) -> dict[str, float]:
    """Units as sent by a worker, checked: not negative, not absurd, not NaN."""
    if not isinstance(value, dict):
        msg = "units that are no object"
        raise ProtocolError(msg)
    for name, units in value.items():
        number = isinstance(units, (int, float)) and not isinstance(units, bool)
        if not number or not 0 <= units <= REQUEST_UNITS_MAX:  # NaN is not either
            msg = f"{name!r} with {units!r} units"
            raise ProtocolError(msg)
    return value


def message_field(message: Message, name: str, kind: type[Kind]) -> Kind:
    """A field that must be there with the given type."""
    value = message.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        msg = f"a message without {name}"
        raise ProtocolError(msg)
    return value


def _proof(key: bytes, *parts: str) -> str:
    return hmac.digest(key, json.dumps(parts).encode(), "sha256").hex()


def keep_alive(connection: socket.socket) -> None:
    """Send small messages at once, and notice within a minute when the other machine is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
