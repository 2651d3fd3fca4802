"""
What a worker may ask of the driver, whatever the way to it: the contract of both coordinator clients.

A worker whose driver is gone must stop at once, for nobody counts its units any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Protocol, TypeVar, Union

from dynamodb_pipeline.aws.request_errors import Throttled, Transient, WireError
from dynamodb_pipeline.documents import Facts
from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.workers.work_queue import WorkUnit

WorkerId = Union[int, str]
Reply = TypeVar("Reply")


class RunStopped(StoppedError):
    """The driver ends the run; the message is its reason."""


class Superseded(StoppedError):
    """A newer attempt of the same task has taken over; this one must stop."""


class CoordinatorLost(StoppedError):
    """The driver does not answer any more, or is not ours."""


@dataclass(frozen=True)
class CoordinatorAddress:
    """Where the coordinator listens and the run's key. Picklable, for Spark closures; never printed whole."""

    host: str
    port: int
    key_hex: str = field(repr=False)


@dataclass(frozen=True)
class Grant:
    """Leave to send one request. Ended by `settle`, or by `forfeit` when no answer came."""

    grant_id: int


class CoordinatorClient(Protocol):
    """What a worker may ask of the driver. Any call may raise RunStopped, Superseded or CoordinatorLost."""

    def reserve(self, estimate: Mapping[str, float]) -> Grant:
        """Wait until a request of `estimate` units may be sent."""

    def settle(self, grant: Grant, consumed: Mapping[str, float], *, throttled: bool = False) -> None:
        """Tell what the request consumed; `throttled` when DynamoDB refused some of it for want of capacity."""

    def forfeit(self, grant: Grant) -> None:
        """Tell that the request got no answer; it counts as consumed."""

    def units_cap(self, resource: str = "table") -> float:
        """Most units to build a request for now (a single item may cost more); infinity without a limit."""

    def take(self) -> Facts | None:
        """The next unit of work with its `work_id`, None when all is done or taken."""

    def finished(self, work_id: str, record: Mapping[str, object], *, rest: WorkUnit | None = None) -> None:
        """
        Report a unit as finished; the driver keeps the record.

        Args:
            rest: what is left of it as a new unit; queued in the same moment.
        """

    def failed(self, work_id: str, reason: str) -> None:
        """Report a unit that cannot be done."""

    def keep(self, work_id: str, data: str) -> None:
        """Send data (up to 3 MB of text) about a unit that is being worked on."""

    def progress(self, *, items: int = 0, bytes: int = 0) -> None:
        """Add to the run's counts."""

    def close(self) -> None:
        """End the connection: unsettled grants count as consumed, unfinished work goes to other workers."""


class NotSent(Exception):
    """A request that was given up after its grant and before anything was sent."""


def metered(
    grants: CoordinatorClient,
    estimate: Mapping[str, float],
    send: Callable[[], tuple[Reply, Mapping[str, float]]],
    *,
    held_back: Callable[[Reply], bool] = lambda _: False,
) -> Reply:
    """
    Send one request under a grant, and end the grant by what came of it.

    A request that got no whole answer may have been carried out, so it counts as consumed (`forfeit`). No way out of
    here leaves a grant open: the window would hold its units for as long as the connection lives.

    Args:
        estimate: units by resource that the request is likely to cost.
        send: sends it, and returns the reply with the units that it consumed.
        held_back: True for a reply that says that some of it was refused for want of capacity.

    Raises:
        Throttled, Transient, WireError, NotSent: as `send` does.
        RunStopped, Superseded, CoordinatorLost: there is no grant any more.
    """
    grant = grants.reserve(estimate)
    try:
        reply, consumed = send()
    except Throttled as err:
        grants.settle(grant, {}, throttled=not err.key_range_only)
        raise
    except Transient:
        grants.forfeit(grant)
        raise
    except (WireError, NotSent):
        grants.settle(grant, {})  # refused, or given up, before anything was done
        raise
    except BaseException:  # whatever it was, the request may be out
        with contextlib.suppress(StoppedError):  # without a driver nobody counts any more
            grants.forfeit(grant)
        raise
    grants.settle(grant, consumed, throttled=held_back(reply))
    return reply
