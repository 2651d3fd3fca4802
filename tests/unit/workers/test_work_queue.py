"""Work is handed out in a seeded random order, survives lost workers, and is finished exactly once."""

from __future__ import annotations

import random
from dataclasses import astuple

import pytest

from dynamodb_pipeline.workers.work_queue import HAND_OUTS_MAX, NotHeldError, WorkQueue, WorkState, WorkUnit

FILES = [WorkUnit(f"file-{number:03d}", {"uri": f"s3://b/{number}"}) for number in range(50)]


def taken_order(queue: WorkQueue, holder: str = "a") -> list[str]:
    units = iter(lambda: queue.take(holder), None)
    return [unit.work_id for unit in units]


def test_every_unit_is_handed_out_once_in_an_order_the_seed_fixes() -> None:
    first, again, other = (taken_order(WorkQueue(FILES, seed=seed)) for seed in ("run-1", "run-1", "run-2"))
    assert first == again
    assert first != other
    assert sorted(first) == [unit.work_id for unit in FILES]
    assert first != sorted(first)


def test_two_holders_never_have_the_same_unit() -> None:
    queue = WorkQueue(FILES)
    mine, yours = queue.take("a"), queue.take("b")
    assert mine is not None
    assert yours is not None
    assert mine.work_id != yours.work_id


def test_work_of_a_lost_worker_goes_to_the_next() -> None:
    queue = WorkQueue(FILES[:2])
    lost = queue.take("a")
    queue.give_back("a")
    assert sorted(taken_order(queue, "b")) == ["file-000", "file-001"]
    assert lost is not None
    assert queue.state().waiting_count == 0


def test_a_finished_unit_does_not_come_back_with_its_worker() -> None:
    queue = WorkQueue(FILES[:1])
    queue.take("a")
    queue.finished("file-000", holder="a")
    queue.give_back("a")
    assert queue.take("b") is None
    assert queue.state() == WorkState(0, 0, 1, 0)


def test_a_worker_that_lost_its_unit_cannot_finish_it() -> None:
    """The superseded attempt of a task must not report a file that another one is writing now."""
    queue = WorkQueue(FILES[:1])
    queue.take("a")
    queue.give_back("a")
    queue.take("b")
    with pytest.raises(NotHeldError, match="file-000"):
        queue.finished("file-000", holder="a")
    queue.finished("file-000", holder="b")
    with pytest.raises(NotHeldError):
        queue.finished("file-000", holder="b")


def test_an_unknown_unit_cannot_be_finished() -> None:
    with pytest.raises(NotHeldError, match="nothing"):
        WorkQueue().finished("nothing", holder="a")


def test_a_failed_unit_is_not_handed_out_again_and_the_run_is_not_done() -> None:
    queue = WorkQueue(FILES[:1])
    queue.take("a")
    queue.failed("file-000", holder="a")
    assert queue.take("a") is None
    assert queue.state() == WorkState(0, 0, 0, 1)


def test_a_unit_that_costs_too_many_workers_is_named() -> None:
    queue = WorkQueue(FILES[:1])
    for attempt in range(HAND_OUTS_MAX):
        queue.take("a")
        assert queue.give_back("a") == ([] if attempt < HAND_OUTS_MAX - 1 else ["file-000"])


def test_work_can_be_added_while_the_run_goes_on() -> None:
    queue = WorkQueue(FILES[:1])
    queue.take("a")
    queue.add([WorkUnit("rest")])
    assert queue.state().waiting_count == 1
    assert taken_order(queue) == ["rest"]
    with pytest.raises(ValueError, match="already added"):
        queue.add([WorkUnit("file-000")])


def test_counts_add_up_whatever_happens() -> None:
    """A hundred random histories: every unit is waiting, taken, finished or failed, and in the end all are done."""
    for seed in range(100):
        randomness = random.Random(seed)
        queue = WorkQueue(FILES, seed=seed)
        held: dict[str, list[str]] = {holder: [] for holder in "abc"}
        finished: list[str] = []
        while queue.state().finished_count < len(FILES):
            holder = randomness.choice("abc")
            if randomness.random() < 0.02:
                queue.give_back(holder)
                held[holder].clear()
            elif held[holder] and randomness.random() < 0.5:
                finished.append(held[holder].pop())
                queue.finished(finished[-1], holder=holder)
            elif (unit := queue.take(holder)) is not None:
                held[holder].append(unit.work_id)
            state = queue.state()
            assert sum(astuple(state)) == len(FILES)
            assert state.taken_count == sum(map(len, held.values()))
        assert sorted(finished) == [unit.work_id for unit in FILES]


def test_units_added_one_by_one_come_in_an_order_of_their_own():
    """Constant time a unit: with 50,000 waiting a shuffle for each one finished would hold up every grant."""
    queue = WorkQueue((WorkUnit(f"file-{n}") for n in range(50_000)), seed=1)
    for n in range(50_000):
        queue.add([WorkUnit(f"rest-{n}")])
        queue.add([])
    order = [unit.work_id for _ in range(100) if (unit := queue.take("me")) is not None]
    assert {word.partition("-")[0] for word in order} == {"file", "rest"}
