"""
Scan from memory: any segmentation, any Limit, strong or eventual, with the units DynamoDB would take.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from benchmarks.replay_items import KEY_NAME, key_of, number_of
from benchmarks.replay_replies import Consumed, encode, error_body
from benchmarks.replay_table import Page, ReplayTable
from sandbox.faults.item_sizes import read_units

_UNDERSTOOD = frozenset(
    (
        "TableName",
        "Segment",
        "TotalSegments",
        "Limit",
        "ExclusiveStartKey",
        "ConsistentRead",
        "ReturnConsumedCapacity",
        "Select",
    )
)
_CACHE_LIMIT_COUNT = 1 << 16


@dataclass(frozen=True)
class Answer:
    """A reply body in parts (sent as they are, never joined) and the CRC-32 over all of them."""

    status: int
    parts: tuple[bytes | memoryview, ...]
    crc32: int

    @staticmethod
    def of(status: int, body: bytes) -> Answer:
        return Answer(status, (body,), zlib.crc32(body))

    @property
    def length_bytes(self) -> int:
        return sum(len(part) for part in self.parts)

    def body(self) -> bytes:
        return b"".join(self.parts)


@dataclass(frozen=True)
class ScanReply:
    """An answer and what the ledger must know of it."""

    answer: Answer
    units: float
    item_count: int
    size_bytes: int


class RefusedScan(ValueError):
    """The request is none that this server replays; DynamoDB's ValidationException carries the message."""


class ReplayScan:
    """The Scan operation over one table; replies are kept, so a page is built and checksummed once."""

    def __init__(self, table: ReplayTable, *, table_name: str) -> None:
        self._table = table
        self._table_name = table_name
        self._replies: dict[tuple[object, ...], ScanReply] = {}

    def reply(self, body: bytes) -> ScanReply:
        """The page this request asks for. Raises RefusedScan."""
        request = json.loads(body)
        page = self._page(request)
        form = request.get("ReturnConsumedCapacity", "NONE")
        key = (page, form, request.get("ConsistentRead", False), request.get("Select"))
        reply = self._replies.get(key)
        if reply is None:
            reply = self._build(page, form=form, consistent=bool(key[2]), count_only=key[3] == "COUNT")
            if len(self._replies) >= _CACHE_LIMIT_COUNT:
                self._replies.clear()
            self._replies[key] = reply
        return reply

    def warm_up(self, *, total_segments: int) -> None:
        """Build every full page of this segmentation before the clock of a contender runs."""
        for segment in range(total_segments):
            start: dict[str, Any] = {}
            while start is not None:
                request = {"Segment": segment, "TotalSegments": total_segments, "ReturnConsumedCapacity": "TOTAL"}
                page = self._page({**request, **start})
                self.reply(encode({**request, **start}))
                if not page.stopped:
                    break
                start = {"ExclusiveStartKey": _key(page.end - 1)}

    def _page(self, request: dict[str, Any]) -> Page:
        unknown = sorted(request.keys() - _UNDERSTOOD)
        if unknown:
            raise RefusedScan(f"not replayed: {', '.join(unknown)}")
        first, end = self._segment(request)
        start = first
        if "ExclusiveStartKey" in request:
            start = _start_after(request["ExclusiveStartKey"])
            if not first < start <= end:
                raise RefusedScan("The provided Exclusive start key is outside all the segments")
        return self._table.page(start, segment_end=end, limit=request.get("Limit"))

    def _segment(self, request: dict[str, Any]) -> tuple[int, int]:
        index, total = request.get("Segment"), request.get("TotalSegments")
        if (index is None) != (total is None):
            raise RefusedScan("The Segment and TotalSegments parameters must be given together")
        if index is None or total is None:
            return 0, self._table.item_count
        if not 0 <= index < total <= 1_000_000:
            raise RefusedScan(f"Segment {index} is not below TotalSegments {total}, at most 1000000")
        return self._table.segment(index, of=total)

    def _build(self, page: Page, *, form: str, consistent: bool, count_only: bool) -> ScanReply:
        units = read_units(page.size_bytes, consistent=consistent)
        head = b"{"
        if form != "NONE":
            head += b'"ConsumedCapacity":' + encode(Consumed(self._table_name, units, {}).as_json(form)) + b","
        head += b'"Count":%d,' % page.item_count
        tail = b'"ScannedCount":%d}' % page.item_count
        if page.stopped and page.end:
            tail = b'"LastEvaluatedKey":' + encode(_key(page.end - 1)) + b"," + tail
        parts: tuple[bytes | memoryview, ...] = (head + tail,)
        if not count_only:
            parts = (head + b'"Items":[', self._table.text(page), b"]," + tail)
        answer = Answer(200, parts, _crc32(parts))
        return ScanReply(answer, units, page.item_count, page.size_bytes)


def refusal(reason: str) -> Answer:
    """DynamoDB's ValidationException."""
    return Answer.of(400, error_body("ValidationException", reason))


def _crc32(parts: tuple[bytes | memoryview, ...]) -> int:
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _key(number: int) -> dict[str, Any]:
    return {KEY_NAME: {"S": key_of(number)}}


def _start_after(key: dict[str, Any]) -> int:
    try:
        return number_of(key[KEY_NAME]["S"]) + 1
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedScan(f"The provided starting key is invalid: {error}") from error
