"""
S3 as it should be, on top of an emulator that checks too little; every request has its row in the ledger.
"""

from __future__ import annotations

import threading

from sandbox.faults.http_messages import Reply
from sandbox.faults.ledger import OK, Ledger
from sandbox.faults.s3_call import S3Call
from sandbox.faults.s3_rules import objection
from sandbox.faults.upstream import Upstream

_MANY = 300  # status codes from here on are no success


class S3Service:
    """One upstream; `owners` maps buckets to the accounts that own them (default: moto's own account)."""

    def __init__(self, upstream: Upstream, *, ledger: Ledger, owners: dict[str, str] | None = None) -> None:
        self.ledger = ledger
        self._upstream = upstream
        self._owners = owners or {}
        self._keys: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def serve(self, call: S3Call) -> Reply:
        """Carry the call out and return S3's reply."""
        reply = objection(call, owners=self._owners) or self._upstream.send(call.request)
        outcome = OK if reply.status < _MANY else str(reply.status)
        size_bytes = len(call.request.body) or len(reply.body)
        self.ledger.add(call.operation, table=call.bucket, size_bytes=size_bytes, outcome=outcome)
        if call.operation == "GET object" and outcome == OK:
            self._remember(call)
        return reply

    def other_key(self, call: S3Call) -> str | None:
        """The key, as the client wrote it, of another object of the bucket that was read before; None so far."""
        with self._lock:
            others = [key for key in self._keys.get(call.bucket, ()) if key != _written(call)]
        return others[-1] if others else None

    def release(self) -> None:
        """This thread is done."""
        self._upstream.close()

    def _remember(self, call: S3Call) -> None:
        with self._lock:
            keys = self._keys.setdefault(call.bucket, [])
            if _written(call) not in keys:
                keys.append(_written(call))


def _written(call: S3Call) -> str:
    return call.request.url.path.partition(f"/{call.bucket}/")[2]
