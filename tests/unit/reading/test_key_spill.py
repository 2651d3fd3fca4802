"""Keys that stand twice are found across files, in any order, in bounded memory."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterable
from pathlib import Path

from dynamodb_pipeline.reading.key_spill import BLOCK_BYTES, PLACES_KEPT, KeySpill, key_hash, place_bytes
from dynamodb_pipeline.store.local_disk import BUFFER_BYTES, Spill
from dynamodb_pipeline.workers.protocol import LINE_BYTES_MAX


def block(places: Iterable[tuple[str, int, int]]) -> str:
    rows = b"".join(place_bytes(key.encode(), file=file, line=line) for key, file, line in places)
    return base64.b64encode(rows).decode()


def test_keys_that_stand_once_are_no_collision() -> None:
    with KeySpill() as spill:
        spill.add_block(block((f"key-{n}", n % 3, n) for n in range(2000)))
        assert list(spill.collisions()) == []


def test_a_collision_names_its_places_in_the_inputs_order() -> None:
    """Blocks arrive in any order; file 10 comes after file 9, and line 1000 after line 2."""
    places = [("twice", 10, 1), ("twice", 9, 1000), ("other", 9, 3), ("twice", 9, 2)]
    random.Random(1).shuffle(places)
    with KeySpill() as spill:
        for place in places:
            spill.add_block(block([place]))
        (found,) = spill.collisions()
    assert found.key_hash == key_hash(b"twice")
    assert (found.first, found.last, found.count) == (((9, 2), (9, 1000), (10, 1)), (10, 1), 3)


def test_a_file_that_was_read_twice_does_not_collide_with_itself() -> None:
    with KeySpill() as spill:
        for _ in range(2):
            spill.add_block(block([("a", 0, 1), ("b", 0, 2)]))
        assert list(spill.collisions()) == []


def test_a_key_that_stands_everywhere_keeps_only_a_few_places() -> None:
    with KeySpill() as spill:
        spill.add_block(block(("same", 0, n) for n in range(1, 500)))
        (found,) = spill.collisions()
    assert (len(found.first), found.last, found.count) == (PLACES_KEPT, (0, 499), 499)


def test_hashes_of_a_part_are_those_of_its_keys() -> None:
    keys = [f"key-{n}" for n in range(300)]
    with KeySpill() as spill:
        spill.add_block(block((key, 0, n) for n, key in enumerate(keys)))
        found = set().union(*(spill.key_hashes(part) for part in range(256)))
    assert found == {key_hash(key.encode()) for key in keys}


def test_a_block_fits_into_a_message() -> None:
    assert len(base64.b64encode(bytes(BLOCK_BYTES))) < LINE_BYTES_MAX / 2


def test_parts_keep_what_was_appended_also_between_reads() -> None:
    """More than the buffer holds, so that both the file and what is still in memory are read."""
    with Spill() as spill:
        expected = b""
        for number in range(5):
            data = bytes([number]) * (BUFFER_BYTES // 2 + 1)
            spill.add(7, data)
            expected += data
            assert spill.part(7) == expected
        assert spill.part(8) == b""


def test_many_parts_hold_no_file_open() -> None:
    with Spill() as spill:
        before = len(os.listdir("/proc/self/fd"))
        for part in range(256):
            spill.add(part, bytes(BUFFER_BYTES))
        assert len(os.listdir("/proc/self/fd")) == before
        assert {len(spill.part(part)) for part in range(256)} == {BUFFER_BYTES}


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with Spill() as spill:
        spill.add(0, bytes(BUFFER_BYTES))
        assert list(tmp_path.rglob("*")) != []
    assert list(tmp_path.rglob("*")) == []
