"""
The units of work of one run (files to import, segments to scan): who has which, and what is finished.

Pure: knows neither sockets nor DynamoDB, its owner locks. Units are handed out in a random order that the seed fixes,
so that writes spread over the table's partitions whatever the order of the files. A unit is finished exactly once, by
the worker that holds it now: a worker that lost it (its connection ended, a newer attempt replaced it) is refused.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from dynamodb_pipeline.documents import Document, member, string

HAND_OUTS_MAX = 5


@dataclass(frozen=True)
class WorkUnit:
    """One unit of work: an id, unique in the run, and what a worker must know to do it (plain JSON data)."""

    work_id: str
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Work(Document):
    """What a unit of one kind says, as the worker reads it; a kind adds members of its own."""

    work_id: str = member(string)

    def unit(self) -> WorkUnit:
        """As it is queued."""
        body = self.to_json()
        del body["work_id"]
        return WorkUnit(self.work_id, body)


@dataclass(frozen=True)
class WorkState:
    """How many units wait, are being worked on, are finished or have failed."""

    waiting_count: int
    taken_count: int
    finished_count: int
    failed_count: int


class NotHeldError(ValueError):
    """A worker reports on a unit that it does not hold (any more)."""


class WorkQueue:
    """
    Units of work in a random order.

    Args:
        seed: fixes the order; the run id is a good one.
    """

    def __init__(self, units: Iterable[WorkUnit] = (), *, seed: int | str = 0) -> None:
        self._random = random.Random(seed)
        self._waiting: list[WorkUnit] = []
        self._taken: dict[str, tuple[WorkUnit, Hashable]] = {}
        self._finished: set[str] = set()
        self._failed: set[str] = set()
        self._hand_outs: dict[str, int] = {}
        self.add(units)

    def add(self, units: Iterable[WorkUnit]) -> None:
        """Add units, also while the run is going on; a known id is a ValueError."""
        for unit in units:
            if unit.work_id in self._hand_outs:
                msg = f"work {unit.work_id!r} was already added to this run"
                raise ValueError(msg)
            self._hand_outs[unit.work_id] = 0
            self._insert(unit)

    def _insert(self, unit: WorkUnit) -> None:
        """At a random place, in constant time: units are added with each one that is finished."""
        self._waiting.append(unit)
        place = self._random.randrange(len(self._waiting))
        self._waiting[place], self._waiting[-1] = self._waiting[-1], self._waiting[place]

    def take(self, holder: Hashable) -> WorkUnit | None:
        """Hand the next unit to `holder`; None when none waits."""
        if not self._waiting:
            return None
        unit = self._waiting.pop()
        self._taken[unit.work_id] = (unit, holder)
        self._hand_outs[unit.work_id] += 1
        return unit

    def finished(self, work_id: str, *, holder: Hashable) -> None:
        """Note that `holder` finished its unit. Raises NotHeldError unless it holds the unit now."""
        self._release(work_id, holder)
        self._finished.add(work_id)

    def failed(self, work_id: str, *, holder: Hashable) -> None:
        """Note that the unit cannot be done; it is not handed out again. Raises NotHeldError as `finished`."""
        self._release(work_id, holder)
        self._failed.add(work_id)

    def check_held(self, work_id: str, *, holder: Hashable) -> None:
        """Raise NotHeldError unless `holder` has this unit now."""
        _, owner = self._taken.get(work_id, (None, None))
        if owner is None or owner != holder:
            msg = f"work {work_id!r} is not held by the worker that reports on it"
            raise NotHeldError(msg)

    def give_back(self, holder: Hashable) -> list[str]:
        """Put back what `holder` has not finished; returns the ids that have now been tried too often."""
        units = [unit for unit, owner in self._taken.values() if owner == holder]
        for unit in units:
            del self._taken[unit.work_id]
            self._waiting.append(unit)
        return [unit.work_id for unit in units if self._hand_outs[unit.work_id] >= HAND_OUTS_MAX]

    def state(self) -> WorkState:
        """Counts now."""
        return WorkState(len(self._waiting), len(self._taken), len(self._finished), len(self._failed))

    def _release(self, work_id: str, holder: Hashable) -> None:
        self.check_held(work_id, holder=holder)
        del self._taken[work_id]
