"""What the driver decides between the check and the last write: limits, winners, workers, the account of all items."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.importing.job import Checked, ImportPlan, refuse_too_many_bad
from dynamodb_pipeline.importing.set_aside import SetAside
from dynamodb_pipeline.importing.write import check_accounted, planned_after_check, winners
from dynamodb_pipeline.rate.parallelism import write_worker_count
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.reading.key_spill import Collision
from dynamodb_pipeline.settings.item_limit import ItemLimit
from tests.unit.reading.item_lines import KEYS, lines
from tests.unit.store.memory_store import MemoryStore

PLAN = ImportPlan("orders", KEYS, (), ("table",), set_aside=SetAside("s3://aside"))


def job(**settings: object) -> Any:
    """As much of a `TableImport` as is asked for here."""
    store = MemoryStore()
    files = tuple(store.file(f"s3://b/{name}", lines("ab")) for name in "xyz")
    return SimpleNamespace(source=SimpleNamespace(files=files), settings=SimpleNamespace(**settings))


def collision(name: bytes, *places: tuple[int, int]) -> Collision:
    return Collision(name, places[:5], places[-1], len(places))


def test_the_last_place_of_each_key_is_written_one_unit_a_file() -> None:
    found = winners(
        job(), [collision(b"k1", (0, 1), (2, 7)), collision(b"k2", (2, 3), (2, 5)), collision(b"k3", (0, 1), (0, 9))]
    )
    assert [(unit.work_id, unit.body["file"]["uri"], unit.body["lines"]) for unit in found] == [
        ("last-0000000", "s3://b/x", [9]),
        ("last-0000002", "s3://b/z", [5, 7]),
    ]
    assert [unit.body["number"] for unit in found] == [0, 2]


def test_workers_learn_what_only_the_check_could_tell() -> None:
    facts = Checked(200, 3, (collision(b"k1", (0, 1), (0, 2), (1, 1)),))
    plan = planned_after_check(PLAN, facts, limit=ItemLimit(None, 5.0))
    assert plan.colliding == {b"k1"}
    assert plan.set_aside == SetAside("s3://aside", max_count=10)
    assert facts.dropped == 2
    nothing = planned_after_check(ImportPlan("t", KEYS, (), ("table",)), Checked(1, 0), limit=ItemLimit(0, None))
    assert (nothing.set_aside, nothing.colliding) == (None, frozenset())


def test_checked_texts_are_written_as_they_are_unless_keys_collide() -> None:
    source = ImportSource("s3://b", "folder", (InputFile("s3://b/x", 1, "e"), InputFile("s3://b/y", 1, "e")))
    checked = {"file-0000001": "hash"}
    found = Checked(2, 0, (), checked).units(source)
    assert [unit.body["file"]["checked_sha256"] for unit in found] == [None, "hash"]
    found = Checked(2, 0, (collision(b"k", (0, 1), (1, 1)),), checked).units(source)
    assert [unit.body["file"]["checked_sha256"] for unit in found] == [None, None]


@pytest.mark.parametrize(("bad", "refused"), [(0, False), (2, False), (3, True)])
def test_too_many_bad_items_are_refused_with_the_figures(bad: int, refused: bool) -> None:
    limited = job(max_set_aside=(None, 1.0))
    if not refused:
        refuse_too_many_bad(limited, bad, total=200, so="nothing was written")
        return
    with pytest.raises(IntegrityError, match=r"3 of 200 items are bad, --max-set-aside allows 1%; stopped part-way"):
        refuse_too_many_bad(limited, bad, total=200, so="stopped part-way")


@pytest.mark.parametrize(
    ("rate", "slots", "files", "workers"),
    [(24.9, 16, 100, 1), (25, 16, 100, 1), (1000, 16, 100, 3), (1e6, 16, 100, 16), (1e6, 16, 5, 5), (1e6, 1, 5, 1)],
)
def test_workers_are_as_many_as_rate_slots_and_files_keep_busy(
    rate: float, slots: int, files: int, workers: int
) -> None:
    assert write_worker_count(rate, slots=slots, files=files) == workers


def totals(**changes: int) -> dict[str, int]:
    return {"items": 10, "written": 6, "skipped": 1, "set_aside": 1, **changes}


def test_every_item_of_the_check_must_be_accounted_for() -> None:
    facts = Checked(10, 1, (collision(b"k", (0, 1), (0, 2), (0, 3)),))
    check_accounted(totals(), facts, table="orders")
    for wrong in (totals(written=5), totals(written=7), totals(items=9)):
        with pytest.raises(IntegrityError, match="'orders': 10 items were checked"):
            check_accounted(wrong, facts, table="orders")
