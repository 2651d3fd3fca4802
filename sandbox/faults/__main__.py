"""
A fault proxy as its own process: `python -m sandbox.faults dynamodb --upstream http://127.0.0.1:4567 --seed 12`.

Prints one line of JSON with its port, then the plan on stderr, and serves until SIGTERM or SIGINT. Its ledger is at
GET /_faults/ledger, and POST /_faults/reset empties it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.faults.capacity import Capacity, CapacityChange, TableLimits
from sandbox.faults.delivery import Delivery, whole
from sandbox.faults.dynamodb_proxy import dynamodb_proxy
from sandbox.faults.http_messages import Reply, Request
from sandbox.faults.kinds import KINDS, Service
from sandbox.faults.ledger import Ledger, rows_to_json
from sandbox.faults.plan import FaultPlan, FaultRule
from sandbox.faults.proxy import FaultProxy, Handler
from sandbox.faults.s3_proxy import s3_proxy


class WithPages:
    """A handler that answers the rig's own pages and leaves the rest to another."""

    def __init__(self, handler: Handler, ledger: Ledger) -> None:
        self._handler = handler
        self._ledger = ledger

    def handle(self, request: Request) -> Delivery:
        """A page of the rig, or what the other handler says."""
        if request.target == "/_faults/ledger":
            rows = json.dumps(rows_to_json(self._ledger.rows())).encode()
            return whole(Reply(200, (("Content-Type", "application/json"),), rows))
        if request.target == "/_faults/reset":
            self._ledger.reset()
            return whole(Reply(200))
        return self._handler.handle(request)

    def release(self) -> None:
        """Passed on."""
        self._handler.release()


def arguments(argv: list[str]) -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.faults", description=__doc__)
    parser.add_argument("service", choices=[service.value for service in Service])
    parser.add_argument("--upstream", required=True, metavar="URL")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    plan = parser.add_mutually_exclusive_group()
    plan.add_argument("--seed", type=int, help="the plan of this seed (default: no faults, only the ledger)")
    plan.add_argument("--plan", type=Path, metavar="FILE", help="a plan as JSON")
    plan.add_argument("--kind", action="append", choices=sorted(KINDS), help="this kind once each (repeatable)")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="TABLE=READ:WRITE",
        help="enforce this capacity on a table (repeatable)",
    )
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="TABLE=SECOND:READ:WRITE",
        help="another capacity that long after the table's first request (repeatable)",
    )
    return parser.parse_args(argv)


def chosen_plan(options: argparse.Namespace) -> FaultPlan:
    """The plan the command line asks for."""
    service = Service(options.service)
    if options.plan:
        return FaultPlan.from_json(options.plan.read_text())
    if options.seed is not None:
        return FaultPlan.from_seed(options.seed, service)
    return FaultPlan(0, service, tuple(FaultRule(kind) for kind in options.kind or ()))


def chosen_limits(options: argparse.Namespace) -> dict[str, TableLimits]:
    """Capacity by table, with its changes."""
    changes: dict[str, list[CapacityChange]] = {}
    for text in options.change:
        table, (second, read, write) = text.split("=")[0], text.split("=")[1].split(":")
        changes.setdefault(table, []).append(CapacityChange(float(second), Capacity(int(read), int(write))))
    limits = {}
    for text in options.limit:
        table, (read, write) = text.split("=")[0], text.split("=")[1].split(":")
        limits[table] = TableLimits(
            Capacity(int(read), int(write)), changes=tuple(changes.get(table, ())), enforced=True
        )
    return limits


def proxy_for(options: argparse.Namespace, ledger: Ledger) -> FaultProxy:
    """The proxy, not yet started."""
    plan = chosen_plan(options)
    print(plan, file=sys.stderr)
    if plan.service is Service.S3:
        proxy = s3_proxy(options.upstream, plan, ledger=ledger, port=options.port)
    else:
        proxy = dynamodb_proxy(options.upstream, plan, ledger=ledger, limits=chosen_limits(options), port=options.port)
    proxy.handler = WithPages(proxy.handler, ledger)
    return proxy


def main(argv: list[str]) -> int:
    """Serve until stopped by a signal."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with proxy_for(arguments(argv), Ledger()) as proxy:
        print(json.dumps({"port": proxy.port}), flush=True)
        over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
