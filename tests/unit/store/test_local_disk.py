"""Large texts wait on disk and are read as if they were bytes; what is in memory does not grow with them."""

from __future__ import annotations

import errno
import gzip
import hashlib
import mmap
import os

import pytest

from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.formats.files.text import iter_lines, line_count, sha256_hex
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.store import local_disk
from dynamodb_pipeline.store.local_disk import SPOOL_BYTES, MappedText, collected
from tests.unit.reading.item_lines import KEYS, line
from tests.unit.store.memory_store import MemoryStore

MIB = 1 << 20
PADDING = b'{"id":{"s":"long"},"t":{"s":"' + b"x" * 300_000 + b'"}}\n'
LARGE = PADDING * (SPOOL_BYTES // len(PADDING) + 1)


def resident_bytes() -> int:
    """Of this process now, mapped files included (proc_pid_statm(5))."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("size", [0, 1, SPOOL_BYTES])
def test_small_texts_are_bytes(size: int) -> None:
    assert collected([b"x" * size]) == b"x" * size


def test_large_texts_behave_as_bytes() -> None:
    data = bytes(range(256)) * (SPOOL_BYTES // 256) + b"the end"
    text = collected(data[start : start + MIB] for start in range(0, len(data), MIB))
    assert isinstance(text, MappedText)
    assert (len(text), text[0], text[-3:], text[:]) == (len(data), 0, b"end", data)
    assert text.find(b"the", 100) == len(data) - 7
    assert sha256_hex(text) == hashlib.sha256(data).hexdigest()
    assert line_count(text) == data.count(b"\n")
    assert list(iter_lines(text)) == list(iter_lines(data))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_does_not_grow_with_the_text() -> None:
    """256 MiB, written, hashed and read again."""
    before = resident_bytes()
    text = collected(b"x" * MIB for _ in range(256))
    sha256_hex(text)
    for start in range(0, len(text), MIB):
        assert text[start : start + 3] == b"xxx"
        assert len(text[start : start + MIB // 4]) == MIB // 4
    assert resident_bytes() - before < 48 * MIB
    assert isinstance(text, mmap.mmap)


@pytest.mark.parametrize("stored", [lambda d: d, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("how", ["puts", "items"])
def test_a_large_file_is_read_from_disk_item_by_item(stored, how: str) -> None:
    store = MemoryStore()
    data = line("a") + LARGE + line("b", 2)
    kept = stored(data)
    reader = FileReader(store, KEYS)
    opened = reader.open(store.file("s3://b/part", kept, sha256=hashlib.sha256(kept).hexdigest()))
    assert isinstance(opened.plain, MappedText)
    found = list(getattr(reader, how)(opened))
    assert [item.line for item in found] == list(range(1, data.count(b"\n") + 1))
    if how == "puts":
        assert all(isinstance(put, Put) for put in found)


def test_a_full_disk_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local_disk.tempfile, "SpooledTemporaryFile", full)
    with pytest.raises(StoppedError, match=r"no space left in .*TMPDIR"):
        collected([b"x"])
