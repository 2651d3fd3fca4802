"""
The S3 side of the rig: which fault a request gets, or none.
"""

from __future__ import annotations

from sandbox.faults.credentials import ExpiredKeys
from sandbox.faults.delivery import Delivery, whole
from sandbox.faults.history import History, StableNames
from sandbox.faults.http_messages import Request
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan, FaultRule, Seen, dice
from sandbox.faults.proxy import FaultProxy
from sandbox.faults.s3_call import S3Call, read_call
from sandbox.faults.s3_faults import STRIKES, Exchange
from sandbox.faults.s3_service import S3Service
from sandbox.faults.upstream import Upstream

EXPIRED = "s3_expired_token"
_HIT_ONE_OBJECT = ("object_gone", "object_archived")


class S3Faults:
    """Handler of a `FaultProxy`: a plan over one S3."""

    def __init__(self, service: S3Service, plan: FaultPlan, *, expired: ExpiredKeys | None = None) -> None:
        self._service = service
        self.plan = plan
        self._expired = expired or ExpiredKeys()
        self._history = History()
        self._names = StableNames()
        self._victim: str | None = None

    def handle(self, request: Request) -> Delivery:
        """The true reply, or what the plan makes of it; the ledger names every fault."""
        call = read_call(request)
        seen = self._history.see(call.operation, fingerprint=self._names.of(call.fingerprint))
        rule = self.plan.strike(seen)
        if rule is not None and rule.kind == EXPIRED:
            self._expired.expire(request.access_key)
            rule = None
        if self._expired.refuses(request.access_key):
            rule = FaultRule(EXPIRED)
        if rule is None or self._spared(call, rule):
            return whole(self._service.serve(call))
        return self._break(call, rule, seen)

    def release(self) -> None:
        """This thread's connection has ended."""
        self._service.release()

    def _spared(self, call: S3Call, rule: FaultRule) -> bool:
        """Kinds that hit one object hit the first they meet, and no other."""
        if rule.kind not in _HIT_ONE_OBJECT:
            return False
        self._victim = self._victim or call.key
        return call.key != self._victim

    def _break(self, call: S3Call, rule: FaultRule, seen: Seen) -> Delivery:
        self._service.ledger.add(call.operation, table=call.bucket, outcome=rule.kind)
        return STRIKES[rule.kind](Exchange(call, self._service, rule, dice(self.plan.seed, rule.kind, seen)))


def s3_proxy(
    upstream_url: str,
    plan: FaultPlan,
    *,
    ledger: Ledger,
    owners: dict[str, str] | None = None,
    expired: ExpiredKeys | None = None,
    port: int = 0,
) -> FaultProxy:
    """A proxy before the S3 at `upstream_url`; use it as a context manager."""
    service = S3Service(Upstream(upstream_url), ledger=ledger, owners=owners)
    return FaultProxy(S3Faults(service, plan, expired=expired), port=port)
