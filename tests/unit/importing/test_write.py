"""What the driver decides between the check and the last write: limits, winners, workers, the account of all items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.aws.request_errors import Rejected
from dynamodb_pipeline.errors import ExitCode, IntegrityError
from dynamodb_pipeline.importing.job import Checked, ImportPlan, refuse_too_many_bad
from dynamodb_pipeline.importing.set_aside import SetAside
from dynamodb_pipeline.importing.write import FileWriter, check_accounted, planned_after_check, winners
from dynamodb_pipeline.rate.work_size import write_worker_count
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.reading.key_spill import Collision, key_hash
from dynamodb_pipeline.settings.values import ItemLimit
from dynamodb_pipeline.workers.failures import failure_of
from tests.unit.reading.item_lines import KEYS, key_of, line, lines
from tests.unit.store.memory_store import MemoryStore
from tests.unit.workers.fake_work import FakeWork, unit

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
    assert [(unit.work_id, unit.body["file"]["uri"], list(unit.body["lines"])) for unit in found] == [
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
    assert [unit.body["file"].get("checked_sha256") for unit in found] == [None, "hash"]
    found = Checked(2, 0, (collision(b"k", (0, 1), (1, 1)),), checked).units(source)
    assert [unit.body["file"].get("checked_sha256") for unit in found] == [None, None]


@pytest.mark.parametrize(("bad", "refused"), [(0, False), (2, False), (3, True)])
def test_too_many_bad_items_are_refused_with_the_figures(bad: int, refused: bool) -> None:
    limited = job(max_set_aside=ItemLimit(None, 1.0))
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


BAD = b'{"id":{"s":"bad"},"n":{"x":"1"}}\n'


class FakeWriter:
    """A `TableWriter` that writes into a list; `refused` keys make DynamoDB refuse the whole request."""

    def __init__(self, *, existing: Sequence[str] = (), refused: Sequence[str] = ()) -> None:
        self.requests: list[list[str]] = []
        self._existing, self._refused = existing, refused

    @property
    def keys(self) -> list[str]:
        return [key for request in self.requests for key in request]

    def put(self, batch: Sequence[Put]) -> None:
        keys = [json.loads(put.body)["id"]["S"] for put in batch]
        if set(keys) & set(self._refused):
            raise Rejected("One or more parameter values were invalid", code="ValidationException")
        self.requests.append(keys)

    def put_new(self, put: Put) -> bool:
        key = json.loads(put.body)["id"]["S"]
        if key in self._refused:
            raise Rejected("One or more parameter values were invalid", code="ValidationException")
        if key in self._existing:
            return False
        self.requests.append([key])
        return True


def plan(**changes: object) -> ImportPlan:
    return ImportPlan("orders", KEYS, (), ("table",), **changes)  # type: ignore[arg-type]


def run(store: MemoryStore, work: FakeWork, writer: FakeWriter, **changes: object) -> None:
    FileWriter(store, work, writer, plan(**changes)).run()  # type: ignore[arg-type]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


def test_every_item_of_every_file_is_written_once(store: MemoryStore, writer: FakeWriter) -> None:
    names = [[f"{file}-{n}" for n in range(60)] for file in "abc"]
    work = FakeWork(unit(store.file(f"s3://b/{n}", lines(keys)), n) for n, keys in enumerate(names))
    run(store, work, writer)
    assert sorted(writer.keys) == sorted(key for keys in names for key in keys)
    assert [record["written"] for record in work.records.values()] == [60, 60, 60]
    assert work.items == 180


def test_files_take_turns_request_by_request(store: MemoryStore, writer: FakeWriter) -> None:
    """Neighbours in a file are neighbours in the table: one file alone would hammer one partition."""
    work = FakeWork(
        unit(store.file(f"s3://b/{f}", lines(f"{f}{n:02}" for n in range(50))), i) for i, f in enumerate("ab")
    )
    run(store, work, writer)
    assert [request[0][0] for request in writer.requests] == ["a", "b", "a", "b"]


def test_requests_keep_to_the_units_that_one_may_take(store: MemoryStore, writer: FakeWriter) -> None:
    work = FakeWork([unit(store.file("s3://b/a", lines("abcdefg")))], cap_units=3)
    run(store, work, writer)
    assert [len(request) for request in writer.requests] == [3, 3, 1]


def test_colliding_keys_are_left_out_by_their_hash(store: MemoryStore, writer: FakeWriter) -> None:
    work = FakeWork([unit(store.file("s3://b/a", lines("abcb")))])
    run(store, work, writer, colliding=frozenset([key_hash(key_of("b"))]))
    assert writer.keys == ["a", "c"]
    assert (work.records["file-0"]["items"], work.records["file-0"]["written"]) == (4, 2)


def test_named_lines_are_all_that_is_written_of_a_file(store: MemoryStore, writer: FakeWriter) -> None:
    data = line("a") + BAD + line("b", 1) + line("b", 2)
    work = FakeWork([unit(store.file("s3://b/a", data), lines=[4])])
    run(store, work, writer, colliding=frozenset([key_hash(key_of("b"))]))
    assert writer.keys == ["b"]
    record = work.records["file-0"]
    assert (record["items"], record["written"], record["set_aside"]) == (0, 1, 0)


def test_skip_existing_counts_both(store: MemoryStore) -> None:
    writer = FakeWriter(existing=["b"])
    work = FakeWork([unit(store.file("s3://b/a", lines("abc")))])
    run(store, work, writer, skip_existing=True)
    assert writer.keys == ["a", "c"]
    assert (work.records["file-0"]["written"], work.records["file-0"]["skipped"]) == (2, 1)


def test_a_bad_line_ends_the_run_and_names_its_place(store: MemoryStore, writer: FakeWriter) -> None:
    work = FakeWork([unit(store.file("s3://b/a", BAD + lines("abc")))])
    with pytest.raises(IntegrityError, match=r"s3://b/a: line 1 \(byte 0\): n: "):
        run(store, work, writer)
    assert writer.requests == []
    assert failure_of(work.failures["file-0"]).exit_code == ExitCode.INTEGRITY


def test_bad_lines_are_set_aside_before_the_file_is_reported(store: MemoryStore, writer: FakeWriter) -> None:
    work = FakeWork([unit(store.file("s3://b/a", line("a") + BAD + line("b")), 3)])
    run(store, work, writer, set_aside=SetAside("s3://aside/run-1"))
    assert writer.keys == ["a", "b"]
    assert work.records["file-3"]["set_aside"] == 1
    assert store.objects["s3://aside/run-1/0000003-a.items"] == BAD


def test_more_bad_lines_than_allowed_end_the_run_while_writing(store: MemoryStore, writer: FakeWriter) -> None:
    work = FakeWork([unit(store.file("s3://b/a", BAD + BAD + line("a")))])
    with pytest.raises(IntegrityError, match=r"line 2 .*more than the 1 bad items that --max-set-aside allows"):
        run(store, work, writer, set_aside=SetAside("s3://aside", max_count=1))
    assert work.records == {}


def test_an_object_that_changed_after_the_check_is_not_written(store: MemoryStore, writer: FakeWriter) -> None:
    file = store.file("s3://b/a", lines("abc"))
    store.objects["s3://b/a"] = lines("xyz")
    with pytest.raises(IntegrityError, match="replaced"):
        run(store, FakeWork([unit(file)]), writer)
    assert writer.requests == []


def test_a_refusal_of_dynamodb_names_the_item_that_the_fast_path_did_not_look_at(store: MemoryStore) -> None:
    data = line("a") + b'{"id":{"s":"b"},"n":{"n":"1x"}}\n'
    known = {"sha256": hashlib.sha256(data).hexdigest(), "item_count": 2}
    work = FakeWork([unit(store.file("s3://b/a", data, **known))])
    with pytest.raises(IntegrityError, match=r"s3://b/a: line 2 \(byte 31\): n: "):
        run(store, work, FakeWriter(refused=["b"]), fast=True)


def test_a_refused_item_is_named_by_its_line_when_items_are_put_one_by_one(store: MemoryStore) -> None:
    work = FakeWork([unit(store.file("s3://b/a", lines("ab")))])
    with pytest.raises(IntegrityError, match=r"s3://b/a: line 2: One or more parameter values"):
        run(store, work, FakeWriter(refused=["b"]), skip_existing=True)


def test_a_refusal_that_nothing_explains_stays_as_it_is(store: MemoryStore) -> None:
    work = FakeWork([unit(store.file("s3://b/a", lines("ab")))])
    with pytest.raises(Rejected, match="One or more parameter values"):
        run(store, work, FakeWriter(refused=["b"]))
