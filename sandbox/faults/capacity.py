"""
What a table may take per second: settable capacity, changes by script, and optional enforcement.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.faults.token_bucket import TokenBucket


@dataclass(frozen=True)
class Capacity:
    """Provisioned units per second; None for a direction means on demand."""

    read_units: int | None
    write_units: int | None


@dataclass(frozen=True)
class CapacityChange:
    """From `at_s` seconds after the first read or write, the table has this capacity."""

    at_s: float
    capacity: Capacity


class TableLimits:
    """The table's capacity as time goes on; when enforced, a true token bucket for each direction."""

    def __init__(
        self,
        capacity: Capacity,
        *,
        changes: tuple[CapacityChange, ...] = (),
        enforced: bool = False,
        burst_s: float = 1.0,
    ) -> None:
        self.enforced = enforced
        self._capacity = capacity
        self._changes = sorted(changes, key=lambda change: change.at_s)
        self._burst_s = burst_s
        self._first_request_s: float | None = None
        self._buckets = self._new_buckets(now_s=0.0)

    def capacity(self, now_s: float) -> Capacity:
        """The capacity DescribeTable tells now."""
        self._apply_script(now_s)
        return self._capacity

    def set_capacity(self, capacity: Capacity, *, now_s: float) -> None:
        """Change the capacity at once."""
        self._capacity = capacity
        for bucket, rate in zip(self._buckets, (capacity.read_units, capacity.write_units)):
            bucket.set_rate(float(rate or 0), now_s=now_s)

    def admits_read(self, now_s: float) -> bool:
        """Whether a Scan may pass now."""
        return self._admits(0, now_s)

    def admits_write(self, now_s: float) -> bool:
        """Whether one more put may pass now."""
        return self._admits(1, now_s)

    def charge_read(self, units: float) -> None:
        """Take what a page cost."""
        self._buckets[0].charge(units)

    def charge_write(self, units: float) -> None:
        """Take what a put cost."""
        self._buckets[1].charge(units)

    def _admits(self, direction: int, now_s: float) -> bool:
        if self._first_request_s is None:
            self._first_request_s = now_s
            self._buckets = self._new_buckets(now_s=now_s)
        self._apply_script(now_s)
        return not self.enforced or self._buckets[direction].admits(now_s)

    def _apply_script(self, now_s: float) -> None:
        while (
            self._changes
            and self._first_request_s is not None
            and now_s - self._first_request_s >= self._changes[0].at_s
        ):
            self.set_capacity(self._changes.pop(0).capacity, now_s=now_s)

    def _new_buckets(self, *, now_s: float) -> tuple[TokenBucket, TokenBucket]:
        read, write = (
            TokenBucket(float(rate or 0), burst_s=self._burst_s, now_s=now_s)
            for rate in (self._capacity.read_units, self._capacity.write_units)
        )
        return read, write
