"""
Follows a table's capacity, and what people say of its speed, while a run goes on.

Runs on the driver only, whatever the number of workers. DescribeTable is asked once a minute, so that autoscaling and
manual changes are obeyed; the order of a new speed (`rate.json`, finished.py) is looked for every 10 s. A reading that
fails (throttled, no network) keeps the rate as it is; a table that is gone, going, or another one by the same name ends
the run.
"""

from __future__ import annotations

from typing import Callable, Protocol

from dynamodb_pipeline.background import Background
from dynamodb_pipeline.documents import DocumentError
from dynamodb_pipeline.dynamodb.table import TableDescription, TableMissingError, refuse_changed
from dynamodb_pipeline.dynamodb.table_description import gone
from dynamodb_pipeline.errors import IntegrityError, PipelineError, StoppedError, UsageError
from dynamodb_pipeline.finished import RateOrder
from dynamodb_pipeline.rate.capacity import AllowedRate, RateChoice, parse_percent

INTERVAL_S = 60.0
ORDER_INTERVAL_S = 10.0
LOOKS = int(INTERVAL_S / ORDER_INTERVAL_S)  # at the order, for one at the table


class RateOf(Protocol):
    """The rate that a description allows, by the run's own choice or by another."""

    def __call__(self, table: TableDescription, choice: RateChoice | None = None, /) -> AllowedRate: ...


class Steered(Protocol):
    """What is told a new rate, and to hold."""

    def set_rates(self, rates: dict[str, float]) -> None: ...

    def hold(self, held: bool) -> None: ...


class CapacityWatcher(Background):
    """
    Looks until closed; a context manager that runs a thread of its own.

    Args:
        pinned: the table as it was when the run began.
        read: describes the table now; raises PipelineError.
        rate_of: the rate that a description allows.
        steered: told every new rate, never one equal to the last; and to hold.
        on_end: told why the run must end.
        note: told in one line what changed or failed.
        read_order: the order in force, None for none; raises PipelineError or DocumentError. None: nobody can give one.
        on_order: told every order that is obeyed.
    """

    def __init__(
        self,
        pinned: TableDescription,
        *,
        read: Callable[[], TableDescription],
        rate_of: RateOf,
        steered: Steered,
        on_end: Callable[[PipelineError], None],
        note: Callable[[str], None],
        read_order: Callable[[], RateOrder | None] | None = None,
        on_order: Callable[[RateOrder], None] = lambda _: None,
    ) -> None:
        super().__init__(name="capacity", close_s=INTERVAL_S)
        self._pinned = self._table = pinned
        self._read, self._read_order = read, read_order
        self._rate_of, self._steered = rate_of, steered
        self._on_end, self._on_order, self._note = on_end, on_order, note
        self._rate = rate_of(pinned)
        self._order: RateOrder | None = None
        self._choice: RateChoice | None = None

    def run(self, wait: Callable[[float], bool]) -> None:
        """Look at both until `wait(seconds)` says True or the table ends the run; raises nothing."""
        try:
            self.look_for_order()  # it may have been given before the job began
            while self._look_on(wait) and self.look():
                continue
        except Exception as err:  # in a thread nobody else would see it
            msg = f"the capacity cannot be watched any more: {err!r}"
            failure = StoppedError(msg)
            failure.__cause__ = err
            self._on_end(failure)

    def look(self) -> bool:
        """Read the table once; False when the run must end."""
        try:
            table = self._read()
            refuse_changed(self._pinned, table)
        except PipelineError as err:
            return self._go_on_after(err)
        self._table = table
        self._follow(because="the table's capacity changed")
        return True

    def look_for_order(self) -> None:
        """Read the order once and obey it."""
        if self._read_order is None:
            return
        try:
            order = self._read_order()
            choice = RateChoice(parse_percent(order.percent)) if order and order.percent else None
        except (PipelineError, DocumentError, UsageError) as err:
            self._note(f"the order of another speed cannot be obeyed, the rate stays as it is: {err}")
            return
        if order == self._order:
            return
        self._order, self._choice = order, choice
        self._note(f"rate: {order or 'as it was started'}")
        if order is not None:
            self._on_order(order)
        self._steered.hold(order is not None and order.paused)
        self._follow(because="rate")

    def _look_on(self, wait: Callable[[float], bool]) -> bool:
        """Wait for a minute, with looks at the order between; False when it is time to end."""
        if self._read_order is None:
            return not wait(INTERVAL_S)
        for _ in range(LOOKS):
            if wait(ORDER_INTERVAL_S):
                return False
            self.look_for_order()
        return True

    def _follow(self, *, because: str) -> None:
        rate = self._rate_of(self._table, self._choice)
        if rate.units_per_s != self._rate.units_per_s:
            self._rate = rate
            self._note(f"{because}: {rate.derivation}")
            self._steered.set_rates(dict(rate.units_per_s))

    def _go_on_after(self, err: PipelineError) -> bool:
        if isinstance(err, (TableMissingError, IntegrityError)):
            self._on_end(err if isinstance(err, IntegrityError) else gone(self._pinned.name))
            return False
        self._note(f"the capacity could not be read, the rate stays as it is: {err}")
        return True
