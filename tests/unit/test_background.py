"""Signals are noted while a block runs; a thread beside the work ends with its block."""

from __future__ import annotations

import os
import signal
import threading
from typing import Callable

import pytest

from dynamodb_pipeline.background import Background, handling_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_noted_by_its_name(number: signal.Signals) -> None:
    noted: list[signal.Signals] = []
    with handling_signals(noted.append):
        os.kill(os.getpid(), number)
    assert noted == [number]


def test_old_handlers_come_back_after_an_error_too() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), handling_signals(lambda _: None):
        1 / 0  # noqa: B018 - whatever the block raises
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class Counting(Background):
    def __init__(self) -> None:
        super().__init__(name="counting")
        self.rounds, self.ended = 0, False
        self.twice = threading.Event()

    def run(self, wait: Callable[[float], bool]) -> None:
        while not wait(0.001):
            self.rounds += 1
            if self.rounds == 2:
                self.twice.set()
        self.ended = True


def test_thread_works_until_its_block_is_left_and_has_ended_then() -> None:
    with Counting() as counting:
        assert counting.twice.wait(60)
        assert not counting.ended
    assert counting.ended


def test_leaving_waits_no_longer_than_it_was_told_for_a_thread_that_hangs() -> None:
    release = threading.Event()

    class Hanging(Background):
        def run(self, _wait: Callable[[float], bool]) -> None:
            release.wait(60)

    with Hanging(name="hanging", close_s=0.0):
        pass
    assert "hanging" in {thread.name for thread in threading.enumerate()}
    release.set()
