"""
Follows a table's capacity while a run goes on, so that autoscaling and manual changes are obeyed within a minute.

Runs on the driver only: DescribeTable is asked once a minute, whatever the number of workers. A reading that fails
(throttled, no network) keeps the rate as it is; a table that is gone, going, or another one by the same name ends the
run.
"""

from __future__ import annotations

from typing import Callable

from dynamodb_pipeline.background import Background
from dynamodb_pipeline.dynamodb.table import TableDescription, TableMissingError, refuse_changed
from dynamodb_pipeline.dynamodb.table_description import gone
from dynamodb_pipeline.errors import IntegrityError, PipelineError, StoppedError
from dynamodb_pipeline.rate.capacity import AllowedRate

INTERVAL_S = 60.0


class CapacityWatcher(Background):
    """
    Re-reads the capacity until closed; a context manager that runs a thread of its own.

    Args:
        pinned: the table as it was when the run began.
        read: describes the table now; raises PipelineError.
        rate_of: the rate that a description allows.
        on_rate: told every new rate, never one equal to the last.
        on_end: told why the run must end.
        note: told in one line what changed or failed.
    """

    def __init__(
        self,
        pinned: TableDescription,
        *,
        read: Callable[[], TableDescription],
        rate_of: Callable[[TableDescription], AllowedRate],
        on_rate: Callable[[AllowedRate], None],
        on_end: Callable[[PipelineError], None],
        note: Callable[[str], None],
    ) -> None:
        super().__init__(name="capacity", close_s=INTERVAL_S)
        self._pinned = pinned
        self._read = read
        self._rate_of = rate_of
        self._on_rate, self._on_end, self._note = on_rate, on_end, note
        self._rate = rate_of(pinned)

    def run(self, wait: Callable[[float], bool]) -> None:
        """Look once a minute, until `wait(seconds)` says True or the table ends the run; raises nothing."""
        try:
            while not wait(INTERVAL_S) and self.look():
                continue
        except Exception as err:  # in a thread nobody else would see it
            msg = f"the capacity cannot be watched any more: {err!r}"
            failure = StoppedError(msg)
            failure.__cause__ = err
            self._on_end(failure)

    def look(self) -> bool:
        """Read once; False when the run must end."""
        try:
            table = self._read()
            refuse_changed(self._pinned, table)
        except PipelineError as err:
            return self._go_on_after(err)
        self._follow(self._rate_of(table))
        return True

    def _follow(self, rate: AllowedRate) -> None:
        if rate.units_per_s != self._rate.units_per_s:
            self._rate = rate
            self._note(f"the table's capacity changed: {rate.derivation}")
            self._on_rate(rate)

    def _go_on_after(self, err: PipelineError) -> bool:
        if isinstance(err, (TableMissingError, IntegrityError)):
            self._on_end(err if isinstance(err, IntegrityError) else gone(self._pinned.name))
            return False
        self._note(f"the capacity could not be read, the rate stays as it is: {err}")
        return True
