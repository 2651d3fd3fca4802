"""How many items of a run may be treated in a way of their own: left aside, or deleted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ItemLimit:
    """A count, a percentage of all items, or neither: no limit."""

    count: int | None
    percent: float | None

    def most(self, total: int) -> int | None:
        """The limit as a count where there are `total` items, None for no limit."""
        if self.count is not None:
            return self.count
        return None if self.percent is None else int(total * self.percent / 100)

    def exceeded(self, count: int, *, total: int) -> bool:
        """True when `count` items are too many."""
        most = self.most(total)
        return most is not None and count > most

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{self.percent:g}%"
