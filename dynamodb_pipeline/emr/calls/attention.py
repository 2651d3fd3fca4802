"""
Ctrl-C and SIGTERM as values: the handlers only count, and end a sleep early.

Nothing is raised in the middle of an AWS call, so a Ctrl-C can never lose the reply that names a new cluster. A
third Ctrl-C gives up waiting for anything.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Protocol


class Attention(Protocol):
    """What signals have asked for so far."""

    @property
    def interrupts(self) -> int:
        """Times Ctrl-C was pressed."""

    @property
    def terminated(self) -> bool:
        """SIGTERM came."""


class SignalClock:
    """The machine's time and its signals; use as a context manager around everything that waits."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.terminated = False
        self._wake = threading.Event()
        self._previous: dict[int, Any] = {}

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def __enter__(self) -> SignalClock:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self.terminated = True
        else:
            self.interrupts += 1
        self._wake.set()
        if self.interrupts > 2:
            raise KeyboardInterrupt
