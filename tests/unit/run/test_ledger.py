"""The ledger keeps what was finished, refuses another run's state, and does not trust a damaged object."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError, StoppedError
from dynamodb_pipeline.run.ledger import PACK_BYTES, PACK_ENTRIES, READS_AT_ONCE, Ledger
from dynamodb_pipeline.store.objects import AlreadyExistsError, ObjectInfo, ObjectMissingError

FOLDER = "s3://logs/runs/one/ledger/export/items"
HEADER = {"table": "items", "segments": 2}


class Objects:
    """An object store in memory that counts reads; `damage` is applied to the next of them, one each."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.damage: list[bytes] = []
        self.reads = 0

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        self.reads += 1
        if uri not in self.kept:
            raise ObjectMissingError(uri)
        return self.damage.pop() if self.damage else self.kept[uri]

    def put(self, uri: str, body: bytes, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        if if_absent and uri in self.kept:
            raise AlreadyExistsError(uri)
        self.kept[uri] = body

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        return (ObjectInfo(uri, len(body), "") for uri, body in sorted(self.kept.items()) if uri.startswith(folder_uri))


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def ledger(objects: Objects) -> Ledger:
    opened = Ledger(objects, FOLDER)
    assert opened.open(HEADER) == {}
    opened.add("segment-1", {"pages": 3})
    return opened


def test_entries_come_back_by_their_id(ledger, objects):
    ledger.add("segment-0", {"pages": 1})
    ledger.add("segment-0", {"pages": 1})  # the same note again changes nothing
    again = Ledger(objects, FOLDER)
    assert again.open(HEADER) == {"segment-0": {"pages": 1}, "segment-1": {"pages": 3}}
    assert again.header() == HEADER


class Meeting(Objects):
    """Answers reads of entries only when several are asked at once."""

    def __init__(self, readers: int) -> None:
        super().__init__()
        self.meeting = threading.Barrier(readers, timeout=10)

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        if "segment" in uri:
            self.meeting.wait()
        return super().get(uri, etag=etag)


def test_entries_are_read_several_at_once():
    objects = Meeting(READS_AT_ONCE)
    first = Ledger(objects, FOLDER)
    first.open(HEADER)
    for segment in range(3 * READS_AT_ONCE):
        first.add(f"segment-{segment}", {"pages": segment})
    found = Ledger(objects, FOLDER).open(HEADER)
    assert found == {f"segment-{n}": {"pages": n} for n in range(3 * READS_AT_ONCE)}


def many(objects: Objects, count: int) -> dict[str, dict[str, object]]:
    """A run that noted so many pieces of work."""
    ledger, entries = Ledger(objects, FOLDER), {f"segment-{n:05}": {"pages": n} for n in range(count)}
    ledger.open(HEADER)
    for entry_id, record in entries.items():
        ledger.add(entry_id, record)
    return entries


def packs_of(objects: Objects) -> list[str]:
    return [uri for uri in objects.kept if uri.endswith(".pack")]


def test_a_resume_reads_hundreds_of_entries_at_once(objects):
    entries = many(objects, 4 * PACK_ENTRIES + 7)
    objects.reads = 0
    assert Ledger(objects, FOLDER).open(HEADER) == entries
    assert objects.reads == 1 + 4 + 7  # the header, the packs, what is in none


def test_a_pack_of_long_entries_is_closed_early(objects):
    """A connector's partition names all its files: read back, a document has at most 16 MiB."""
    ledger = Ledger(objects, FOLDER)
    ledger.open(HEADER)
    for n in range(8):
        ledger.add(f"partition-{n}", {"files": "x" * (PACK_BYTES // 4)})
    assert len(packs_of(objects)) == 2
    assert len(Ledger(objects, FOLDER).open(HEADER)) == 8


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_a_damaged_pack_costs_reads_and_nothing_else(objects, data):
    entries = many(objects, PACK_ENTRIES)
    objects.kept[packs_of(objects)[0]] = data
    assert Ledger(objects, FOLDER).open(HEADER) == entries


def test_what_has_no_object_of_its_own_any_more_does_not_count(objects):
    """`clean` deletes them one after the other and may be broken off."""
    entries = many(objects, PACK_ENTRIES)
    del objects.kept[f"{FOLDER}/segment-00003.json"]
    del entries["segment-00003"]
    assert Ledger(objects, FOLDER).open(HEADER) == entries


def test_second_driver_of_the_same_run_stops(ledger, objects):
    """Its pages are others than those noted: were both to go on, a later resume would count items twice."""
    with pytest.raises(StoppedError, match="another process works on the same run"):
        Ledger(objects, FOLDER).add("segment-1", {"pages": 4})
    assert Ledger(objects, FOLDER).open(HEADER) == {"segment-1": {"pages": 3}}


def test_other_header_is_refused_and_the_difference_named(ledger, objects):
    with pytest.raises(PreconditionError, match="segments: was 2, is 3"):
        Ledger(objects, FOLDER).open({**HEADER, "segments": 3})


def test_every_flipped_bit_is_noticed(ledger, objects):
    """A digit that became another digit is still JSON; only the hash tells."""
    uri = f"{FOLDER}/segment-1.json"
    right = objects.kept[uri]
    for at in range(len(right)):
        objects.kept[uri] = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
        try:
            entries = Ledger(objects, FOLDER).open(HEADER)
        except IntegrityError:
            continue
        assert entries == {"segment-1": {"pages": 3}}, f"byte {at}"  # white space at the end


def test_another_entrys_object_is_noticed(ledger, objects):
    ledger.add("segment-0", {"pages": 1})
    objects.kept[f"{FOLDER}/segment-0.json"] = objects.kept[f"{FOLDER}/segment-1.json"]
    with pytest.raises(IntegrityError, match=r"segment-0\.json is not what this run wrote"):
        Ledger(objects, FOLDER).open(HEADER)


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"{}", json.dumps(HEADER).encode(), b"\xff"])
def test_foreign_object_is_an_integrity_error_not_a_bug(ledger, objects, data):
    objects.kept[f"{FOLDER}/header.json"] = data
    with pytest.raises(IntegrityError):
        Ledger(objects, FOLDER).open(HEADER)


def test_damage_on_the_way_heals(ledger, objects):
    objects.damage = [b"{}"]
    assert Ledger(objects, FOLDER).header() == HEADER


def test_without_a_folder_nothing_is_kept():
    ledger = Ledger(Objects(), None)
    ledger.add("segment-0", {})
    assert ledger.open(HEADER) == {}
    assert ledger.header() is None
    assert not ledger.resumable
