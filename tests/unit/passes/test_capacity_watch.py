"""The watcher follows the capacity, forgives a failed reading, and ends the run when the table is no longer ours."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Union

import pytest

from dynamodb_pipeline.documents import DocumentError
from dynamodb_pipeline.dynamodb.table import TableBusyError, TableDescription, TableMissingError, TableUnreachableError
from dynamodb_pipeline.errors import DeniedError, IntegrityError, PipelineError, StoppedError
from dynamodb_pipeline.finished import RateOrder
from dynamodb_pipeline.passes.capacity_watch import CapacityWatcher
from dynamodb_pipeline.rate.capacity import RateChoice, read_rate
from tests.unit.dynamodb.table_replies import on_demand_table, provisioned_table


def table(reads: int = 400, **changes: Any) -> TableDescription:
    units = {"ReadCapacityUnits": reads, "WriteCapacityUnits": 100}
    return TableDescription.from_description(provisioned_table(ProvisionedThroughput=units, **changes))


Orders = Sequence[Union[RateOrder, Exception, None]]
AT = datetime(2026, 11, 29, 3, 0, tzinfo=timezone.utc)


def order(percent: str | None = None, *, paused: bool = False) -> RateOrder:
    return RateOrder(percent, paused, "arn:aws:iam::123456789012:user/ann", AT)


class Watched:
    """A watcher whose readings are given; keeps what it told."""

    def __init__(self, *readings: TableDescription | Exception, orders: Orders = ()) -> None:
        self._readings, self._orders = list(readings), list(orders)
        self.obeyed: list[RateOrder] = []
        self.rates: list[dict[str, float]] = []
        self.held: list[bool] = []
        self.ends: list[PipelineError] = []
        self.notes: list[str] = []
        self.waits: list[float] = []
        self.watcher = CapacityWatcher(
            table(),
            read=self._read,
            rate_of=lambda found, choice=None: read_rate(found.capacity, choice or RateChoice(Decimal(25))),
            steered=self,
            on_end=self.ends.append,
            note=self.notes.append,
            read_order=self._read_order if orders else None,
            on_order=self.obeyed.append,
        )

    def _read_order(self) -> RateOrder | None:
        order = self._orders.pop(0)
        if isinstance(order, Exception):
            raise order
        return order

    def set_rates(self, rates: dict[str, float]) -> None:
        self.rates.append(rates)

    def hold(self, held: bool) -> None:
        self.held.append(held)

    def _read(self) -> TableDescription:
        reading = self._readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading

    def run(self) -> Watched:
        """Until the readings are used up, or the watcher ends."""

        def wait(seconds: float) -> bool:
            self.waits.append(seconds)
            return not self._readings

        self.watcher.run(wait)
        return self


def test_it_looks_once_a_minute() -> None:
    assert Watched(table(), table(), table()).run().waits == [60.0] * 4


def test_an_unchanged_capacity_is_not_told() -> None:
    watched = Watched(table(), table(TableStatus="UPDATING", ItemCount=3)).run()
    assert (watched.rates, watched.ends, watched.notes) == ([], [], [])


def test_a_changed_capacity_is_told_once_with_its_derivation() -> None:
    watched = Watched(table(200), table(200), table(800)).run()
    assert watched.rates == [{"table": 50.0}, {"table": 200.0}]
    assert watched.notes[0] == "the table's capacity changed: 25% of 200 read units (provisioned) = 50/s"


def test_a_change_to_on_demand_is_followed() -> None:
    watched = Watched(TableDescription.from_description(on_demand_table())).run()
    assert watched.rates[0] == {"table": 3000.0}


@pytest.mark.parametrize(
    "error", [TableBusyError("throttled"), TableUnreachableError("no network"), DeniedError("expired")], ids=str
)
def test_a_reading_that_fails_keeps_the_rate_and_is_told(error: PipelineError) -> None:
    watched = Watched(error, table(200)).run()
    assert watched.ends == []
    assert watched.notes[0] == f"the capacity could not be read, the rate stays as it is: {error}"
    assert watched.rates == [{"table": 50.0}]


@pytest.mark.parametrize(
    ("reading", "kind"),
    [
        (TableMissingError("table 'orders' not found"), IntegrityError),
        (table(TableStatus="DELETING"), IntegrityError),
        (table(TableId="another"), IntegrityError),
    ],
    ids=["gone", "deleting", "made-anew"],
)
def test_a_table_that_is_no_longer_ours_ends_the_run(
    reading: TableDescription | Exception, kind: type[PipelineError]
) -> None:
    watched = Watched(reading, table()).run()
    assert [type(end) for end in watched.ends] == [kind]
    assert len(watched.waits) == 1, "it went on looking"


def test_a_bug_ends_the_run_instead_of_vanishing_with_its_thread() -> None:
    watched = Watched(KeyError("TableStatus")).run()
    assert isinstance(watched.ends[0], StoppedError)
    assert isinstance(watched.ends[0].__cause__, KeyError)


def test_closing_ends_the_thread_without_waiting_out_the_minute() -> None:
    before = threading.active_count()
    watched = Watched(table())
    with watched.watcher:
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert watched.ends == []


def test_an_order_is_obeyed_and_told_once() -> None:
    watched = Watched(orders=[None, order("10"), order("10"), order("50%"), None])
    for _ in range(5):
        watched.watcher.look_for_order()
    assert watched.rates == [{"table": 40.0}, {"table": 200.0}, {"table": 100.0}]
    assert watched.obeyed == [order("10"), order("50%")]
    assert watched.notes[0] == (
        "rate: 10% of the capacity, by arn:aws:iam::123456789012:user/ann at 2026-11-29T03:00:00Z"
    )


def test_a_pause_holds_until_another_order() -> None:
    watched = Watched(orders=[order(paused=True), order("10"), order("10", paused=True), order()])
    for _ in range(4):
        watched.watcher.look_for_order()
    assert watched.held == [True, False, True, False]
    assert watched.rates == [{"table": 40.0}, {"table": 100.0}]


@pytest.mark.parametrize(
    "bad", [StoppedError("S3 is down"), DocumentError("no JSON"), order("900"), order("ten"), order("0.25")], ids=str
)
def test_what_is_no_order_changes_nothing(bad: Any) -> None:
    watched = Watched(orders=[order("10"), bad])
    for _ in range(2):
        watched.watcher.look_for_order()
    assert (watched.rates, watched.held, len(watched.obeyed)) == ([{"table": 40.0}], [False], 1)
    assert "the rate stays as it is" in watched.notes[-1]


def test_an_order_holds_on_when_the_capacity_changes() -> None:
    watched = Watched(table(800), orders=[order("10"), *[order("10")] * 7])
    watched.watcher.look_for_order()
    assert watched.run().rates == [{"table": 40.0}, {"table": 80.0}]


def test_orders_are_looked_for_every_ten_seconds_and_the_table_each_minute() -> None:
    assert Watched(table(), orders=[None] * 7).run().waits == [10.0] * 7


def test_an_order_that_was_given_before_the_job_began_is_obeyed_at_once() -> None:
    watched = Watched(orders=[order("10", paused=True)])
    watched.watcher.run(lambda _: True)
    assert (watched.held, watched.rates, watched.obeyed) == ([True], [{"table": 40.0}], [order("10", paused=True)])
