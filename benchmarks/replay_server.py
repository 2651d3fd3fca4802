"""
A DynamoDB stand-in for judging speed and rate: `python -m benchmarks.replay_server --items 300000`.

Emulators cost more CPU than the clients under test, so they cannot judge speed. This one answers Scan with slices of
one prepared run of bytes and only counts what is written. It prints one line of JSON with its port and serves
127.0.0.1 until SIGTERM or SIGINT. Its own pages: GET /ledger, GET /stats, POST /reset, POST /capacity.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import lru_cache

from benchmarks.replay_http import WireRequest, reply_head
from benchmarks.replay_items import MAKERS
from benchmarks.replay_loop import Parts, ReplayLoop, json_reply, serve
from benchmarks.replay_replies import encode
from benchmarks.replay_service import ReplayConfig, ReplayService
from benchmarks.replay_table import Skew
from sandbox.faults.capacity import Capacity, CapacityChange
from sandbox.faults.ledger import Ledger


def respond(service: ReplayService, request: WireRequest) -> Parts:
    """The reply to one HTTP request, ready to be sent."""
    if request.operation is None:
        return _own_page(service, request)
    answer = service.answer(request.operation, request.body)
    head = _head(answer.status, answer.length_bytes, answer.crc32, int(time.time()))
    return [head, *answer.parts]


def _own_page(service: ReplayService, request: WireRequest) -> Parts:
    if (request.method, request.path) == ("POST", "/reset"):
        service.reset()
        return json_reply(200, b"{}")
    if (request.method, request.path) == ("POST", "/capacity"):
        service.set_capacity(_capacity(json.loads(request.body)))
        return json_reply(200, b"{}")
    report = service.report(request.path.lstrip("/")) if request.method == "GET" else None
    return json_reply(404, b"{}") if report is None else json_reply(200, encode(report))


@lru_cache(maxsize=1024)
def _head(status: int, length_bytes: int, crc32: int, unix_s: int) -> bytes:
    return reply_head(status, length_bytes=length_bytes, crc32=crc32, now_s=unix_s)


def _capacity(values: dict[str, int | None]) -> Capacity:
    return Capacity(values.get("read_units"), values.get("write_units"))


def arguments(argv: list[str]) -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--table", default="items", help="name of the scanned table; writes go to any name")
    parser.add_argument("--maker", choices=sorted(MAKERS), default="kilobyte")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--warm-segments", type=int, default=0, metavar="S", help="build all pages of S segments now")
    parser.add_argument("--read-units", type=int, default=40_000)
    parser.add_argument("--write-units", type=int, default=40_000)
    parser.add_argument("--on-demand", action="store_true", help="DescribeTable tells no capacity")
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="SECOND:READ:WRITE",
        help="new capacity that many seconds after the first Scan or write (repeatable)",
    )
    parser.add_argument("--enforce", action="store_true", help="throttle above the capacity")
    parser.add_argument("--burst-s", type=float, default=1.0, help="seconds of unused capacity that are kept")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--skew", type=float, default=0.0, metavar="SHARE", help="share of items in one segment")
    parser.add_argument("--skew-width", type=float, default=0.0, help="how much of hash space they lie in")
    parser.add_argument("--index", action="append", default=[], help="a global secondary index (repeatable)")
    parser.add_argument("--digest-puts", action="store_true", help="digest what is written (costs a parse)")
    return parser.parse_args(argv)


def replay_config(options: argparse.Namespace) -> ReplayConfig:
    """The command line as a configuration."""
    return ReplayConfig(
        table_name=options.table,
        maker=options.maker,
        item_count=options.items,
        skew=Skew(options.skew, options.skew_width),
        capacity=Capacity(None, None) if options.on_demand else Capacity(options.read_units, options.write_units),
        changes=tuple(_change(text) for text in options.change),
        enforced=options.enforce,
        burst_s=options.burst_s,
        indexes=tuple(options.index),
        digest_puts=options.digest_puts,
    )


def _change(text: str) -> CapacityChange:
    second, read, write = text.split(":")
    return CapacityChange(float(second), Capacity(int(read), int(write)))


def main(argv: list[str]) -> int:
    """Serve until stopped by a signal."""
    options = arguments(argv)
    service = ReplayService(replay_config(options), ledger=Ledger())
    if options.warm_segments:
        service.scan.warm_up(total_segments=options.warm_segments)
    loop = ReplayLoop(lambda request: respond(service, request), port=options.port, latency_s=options.latency_ms / 1000)
    service.reset()
    serve(loop, about=service.stats())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
