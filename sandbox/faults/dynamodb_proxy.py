"""
The DynamoDB side of the rig: which fault a request gets, or none.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.faults.capacity import TableLimits
from sandbox.faults.credentials import ExpiredKeys
from sandbox.faults.delivery import Delivery, whole
from sandbox.faults.dynamodb_call import DynamoDbCall, read_call
from sandbox.faults.dynamodb_faults import HOT_SHARE, STRIKES, Exchange
from sandbox.faults.dynamodb_service import DynamoDbService
from sandbox.faults.history import History
from sandbox.faults.http_messages import Request
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan, FaultRule, Seen, dice
from sandbox.faults.proxy import FaultProxy
from sandbox.faults.upstream import Upstream

EXPIRED = "expired_token"


class DynamoDbFaults:
    """Handler of a `FaultProxy`: a plan over one DynamoDB."""

    def __init__(self, service: DynamoDbService, plan: FaultPlan, *, expired: ExpiredKeys | None = None) -> None:
        self._service = service
        self.plan = plan
        self._expired = expired or ExpiredKeys()
        self._history = History()

    def handle(self, request: Request) -> Delivery:
        """The true reply, or what the plan makes of it; the ledger names every fault."""
        call = read_call(request)
        if call is None:
            return whole(self._service.passed_on(request))
        call = self._service.empty_pages.translated(call)
        seen = self._history.see(call.operation, fingerprint=call.fingerprint)
        rule = self.plan.strike(seen)
        if rule is not None and rule.kind == EXPIRED:
            self._expired.expire(request.access_key)
            rule = None
        if self._expired.refuses(request.access_key):
            rule = FaultRule(EXPIRED)
        return whole(self._service.serve(call)) if rule is None else self._break(call, rule, seen)

    def release(self) -> None:
        """This thread's connection has ended."""
        self._service.release()

    def _break(self, call: DynamoDbCall, rule: FaultRule, seen: Seen) -> Delivery:
        self._service.ledger.add(call.operation, table=call.table, outcome=rule.kind)
        exchange = Exchange(
            call, self._service, rule, dice(self.plan.seed, rule.kind, seen), hot=self.plan.seed % HOT_SHARE
        )
        return STRIKES[rule.kind](exchange)


def dynamodb_proxy(
    upstream_url: str,
    plan: FaultPlan,
    *,
    ledger: Ledger,
    limits: Mapping[str, TableLimits] | None = None,
    expired: ExpiredKeys | None = None,
    port: int = 0,
) -> FaultProxy:
    """A proxy before the DynamoDB at `upstream_url`; use it as a context manager."""
    service = DynamoDbService(Upstream(upstream_url), ledger=ledger, limits=limits)
    return FaultProxy(DynamoDbFaults(service, plan, expired=expired), port=port)
