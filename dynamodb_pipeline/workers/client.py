"""
How a worker talks to the driver: asks before each request, tells what it consumed, takes work, reports it finished.

Two clients with one interface: over TCP for Spark workers and other processes, and direct for threads of the driver's
own process. A worker whose driver is gone must stop at once, for nobody counts its units any more.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Mapping

from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.rate.budget import Units
from dynamodb_pipeline.workers import protocol as messages
from dynamodb_pipeline.workers.contract import (
    CoordinatorAddress,
    CoordinatorLost,
    Grant,
    RunStopped,
    Superseded,
    WorkerId,
)
from dynamodb_pipeline.workers.protocol import Kind, Message, ProtocolError, keep_alive, message_field
from dynamodb_pipeline.workers.work_queue import WorkUnit

CONNECT_TIMEOUT_S = 10.0
PROGRESS_EVERY_S = 0.5
_CHUNK_BYTES = 65536


class Conversation:
    """The calls in terms of messages; a subclass moves them. Safe for several threads."""

    def __init__(self) -> None:
        self._caps: Units = {}
        self._one_call = threading.Lock()
        self._progress = _Progress()

    def reserve(self, estimate: Mapping[str, float]) -> Grant:
        return Grant(answered(self._call({"op": "reserve", "units": dict(estimate)}), "grant", int))

    def settle(self, grant: Grant, consumed: Mapping[str, float], *, throttled: bool = False) -> None:
        message: Message = {"op": "settle", "grant": grant.grant_id, "units": dict(consumed)}
        self._send({**message, "throttled": True} if throttled else message)

    def forfeit(self, grant: Grant) -> None:
        self._send({"op": "forfeit", "grant": grant.grant_id})

    def units_cap(self, resource: str = "table") -> float:
        return self._caps.get(resource, float("inf"))

    def take(self) -> Facts | None:
        answer = self._call({"op": "take"})
        return None if answer.get("work") is None else answered(answer, "work", dict)

    def finished(self, work_id: str, record: Mapping[str, object], *, rest: WorkUnit | None = None) -> None:
        self._send_progress(*self._progress.rest())
        message: Message = {"op": "finished", "work": work_id, "record": dict(record)}
        more = {} if rest is None else {"rest": {"work_id": rest.work_id, "body": dict(rest.body)}}
        self._call({**message, **more})

    def failed(self, work_id: str, reason: str) -> None:
        self._call({"op": "failed", "work": work_id, "reason": reason})

    def keep(self, work_id: str, data: str) -> None:
        self._call({"op": "keep", "work": work_id, "data": data})

    def progress(self, *, items: int = 0, bytes: int = 0) -> None:
        """Told at most every half second, and before a finish and the end: every message costs the driver."""
        self._send_progress(*self._progress.add(items, bytes))

    def close(self) -> None:
        """Tell what was not told yet, and end the conversation."""
        with contextlib.suppress(CoordinatorLost):  # then nobody counts any more
            self._send_progress(*self._progress.rest())
        self._close()

    def _close(self) -> None:
        raise NotImplementedError

    def _send_progress(self, items: int, size_bytes: int) -> None:
        if items or size_bytes:
            self._send({"op": "progress", "items": items, "bytes": size_bytes})

    def _call(self, message: Message) -> Message:
        with self._one_call:
            self._send(message)
            return self._accepted(self._receive())

    def _accepted(self, answer: Message) -> Message:
        """The answer, unless it says stop."""
        if "stop" in answer:
            raise RunStopped(answered(answer, "stop", str))
        if "superseded" in answer:
            raise Superseded(answered(answer, "superseded", str))
        if "caps" in answer:
            self._caps = answered(answer, "caps", dict)
        return answer

    def _send(self, message: Message) -> None:
        raise NotImplementedError

    def _receive(self) -> Message:
        raise NotImplementedError


def answered(answer: Message, name: str, kind: type[Kind]) -> Kind:
    """
    A member of the driver's answer.

    Raises:
        CoordinatorLost: it is missing or of another type, so that what answers is no coordinator of ours.
    """
    try:
        return message_field(answer, name, kind)
    except ProtocolError as err:
        msg = f"the driver's coordinator answers with {err}; this worker stops"
        raise CoordinatorLost(msg) from err


class _Progress:
    """Items and bytes that were not told yet. Safe for several threads."""

    def __init__(self) -> None:
        self._items = self._bytes = 0
        self._sent_s = -math.inf
        self._lock = threading.Lock()

    def add(self, items: int, size_bytes: int) -> tuple[int, int]:
        """What is to be told now: all of it, or nothing when something was told a moment ago."""
        with self._lock:
            self._items += items
            self._bytes += size_bytes
            now_s = time.monotonic()
            if now_s - self._sent_s < PROGRESS_EVERY_S:
                return 0, 0
            self._sent_s = now_s
            return self._taken()

    def rest(self) -> tuple[int, int]:
        """All that was not told."""
        with self._lock:
            return self._taken()

    def _taken(self) -> tuple[int, int]:
        counts = self._items, self._bytes
        self._items = self._bytes = 0
        return counts


class TcpCoordinatorClient(Conversation):
    """
    One connection to the driver, for one worker thread or process.

    Args:
        worker_id: names the task; several connections may share it.
        attempt: of the task; a higher one takes over from a lower one.

    Raises:
        CoordinatorLost: nobody answers at the address within ten seconds, or who answers lacks the key.
    """

    def __init__(self, address: CoordinatorAddress, *, worker_id: WorkerId, attempt: int = 0) -> None:
        super().__init__()
        self._where = f"{address.host}:{address.port}"
        self._lines = messages.LineBuffer(messages.LINE_BYTES_MAX)
        self._received: list[Message] = []
        self._one_send = threading.Lock()
        try:
            self._socket = socket.create_connection((address.host, address.port), timeout=CONNECT_TIMEOUT_S)
        except OSError as err:
            raise self._lost(err) from err
        try:
            keep_alive(self._socket)
            self._shake_hands(bytes.fromhex(address.key_hex), str(worker_id), attempt)
            self._socket.settimeout(None)
        except BaseException:
            self._socket.close()
            raise

    def _close(self) -> None:
        self._socket.close()

    def _shake_hands(self, key: bytes, worker: str, attempt: int) -> None:
        asked, own = self._text(self._receive(), "challenge"), messages.challenge()
        proof = messages.worker_proof(key, asked=asked, own=own, worker=worker, attempt=attempt)
        self._send({"op": "hello", "challenge": own, "worker": worker, "attempt": attempt, "proof": proof})
        answer = self._receive()
        if not messages.is_proof(answer.get("proof"), messages.driver_proof(key, asked=own, own=asked)):
            stranger = self._lost("it does not know the run's key")
            raise stranger
        self._accepted(answer)

    def _text(self, message: Message, name: str) -> str:
        value = message.get(name)
        if not isinstance(value, str):
            stranger = self._lost("it is no coordinator")
            raise stranger
        return value

    def _send(self, message: Message) -> None:
        try:
            with self._one_send:
                self._socket.sendall(messages.encode_message(message))
        except OSError as err:
            raise self._lost(err) from err

    def _receive(self) -> Message:
        try:
            while not self._received:
                data = self._socket.recv(_CHUNK_BYTES)
                if not data:
                    gone = self._lost("it closed the connection")
                    raise gone
                self._received.extend(self._lines.feed(data))
        except (OSError, ProtocolError) as err:
            raise self._lost(err) from err
        return self._received.pop(0)

    def _lost(self, why: object) -> CoordinatorLost:
        return CoordinatorLost(f"the driver's coordinator at {self._where} is lost ({why}); this worker stops")
