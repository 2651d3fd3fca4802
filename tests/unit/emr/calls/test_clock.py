"""Ctrl-C and SIGTERM only count, and end a sleep early."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from dynamodb_pipeline.emr.calls.clock import SignalClock


def test_ctrl_c_is_counted_and_wakes_the_sleeper() -> None:
    with SignalClock() as clock:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        before = clock.now()
        clock.sleep(30)
        assert clock.now() - before < 10
        assert (clock.interrupts, clock.terminated) == (1, False)


def test_sigterm_is_told_apart() -> None:
    with SignalClock() as clock:
        os.kill(os.getpid(), signal.SIGTERM)
        clock.sleep(0.01)
        assert (clock.interrupts, clock.terminated) == (0, True)


def test_third_ctrl_c_gives_up() -> None:
    with SignalClock() as clock:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert clock.interrupts == 3


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with SignalClock():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
