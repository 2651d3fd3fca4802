"""Damage to an export of ours: whatever is cut, flipped, swapped or repeated is found before anything is written."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from hashlib import sha256

import pytest

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.reading.file_puts import BadLine
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.source import load_source
from tests.unit.reading.export_records import export_record
from tests.unit.reading.item_lines import lines
from tests.unit.reading.test_source import FOLDER, manifest
from tests.unit.store.memory_store import MemoryStore

FLIPS = 3_000


def export(files: dict[str, bytes]) -> dict[str, bytes]:
    """A finished export of ours with these stored files."""
    records = tuple(
        FileRecord(name, len(data), len(plain), plain.count(b"\n"), sha256(data).hexdigest())
        for name, data in files.items()
        for plain in [gzip.decompress(data)]
    )
    record = export_record(*records, compression="gzip")
    everything = {**files, "manifest": manifest(*files), "_export.json": record}
    return {f"{FOLDER}/{name}": data for name, data in everything.items()}


EXPORT = export({f"{name}.gz": gzip.compress(lines([name, f"{name}2"]), mtime=0) for name in "ab"})
NAMES = sorted(EXPORT)


def bodies(objects: dict[str, bytes]) -> Iterator[bytes]:
    """Every item as the import would write it, or a refusal."""
    store = MemoryStore(objects)
    source = load_source(store, FOLDER)
    reader = FileReader(store, source.key_schema, fast=True)
    for file in source.files:
        for put in reader.puts(reader.open(file)):
            assert not isinstance(put, BadLine)
            yield put.body


GOOD = sorted(bodies(EXPORT))


def is_found(objects: dict[str, bytes]) -> bool:
    """Refused; or not damaged at all, such as the old bucket's name in the manifest, which nobody reads."""
    try:
        return sorted(bodies(objects)) == GOOD
    except (IntegrityError, PreconditionError):
        return True


def test_the_whole_export_is_read() -> None:
    assert len(GOOD) == 4


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_is_found(name: str) -> None:
    data = EXPORT[name]
    assert [n for n in range(len(data)) if not is_found({**EXPORT, name: data[:n]})] == []


def test_every_flipped_bit_is_found() -> None:
    rng = random.Random(20261123)
    missed = []
    for _ in range(FLIPS):
        name = rng.choice(NAMES)
        place, bit = rng.randrange(len(EXPORT[name])), 1 << rng.randrange(8)
        data = bytearray(EXPORT[name])
        data[place] ^= bit
        if not is_found({**EXPORT, name: bytes(data)}):
            missed.append((name, place, bit))
    assert missed == []


@pytest.mark.parametrize("name", NAMES)
def test_every_lost_object_is_found(name: str) -> None:
    objects = {uri: data for uri, data in EXPORT.items() if uri != name}
    if name.endswith("_export.json"):
        assert load_source(MemoryStore(objects), FOLDER).record is None  # then it is a backup without hashes
        return
    with pytest.raises((IntegrityError, PreconditionError)):
        list(bodies(objects))


def test_swapped_and_repeated_files_are_found() -> None:
    a, b = (f"{FOLDER}/{name}.gz" for name in "ab")
    for changed in ({a: EXPORT[b], b: EXPORT[a]}, {a: EXPORT[b]}, {a: EXPORT[a] + EXPORT[a]}, {a: EXPORT[a] + b"\0"}):
        with pytest.raises(IntegrityError, match=r"\ba\.gz"):
            list(bodies({**EXPORT, **changed}))
