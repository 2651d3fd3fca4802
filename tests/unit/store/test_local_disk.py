"""Large texts wait on disk and are read as if they were bytes; what is in memory does not grow with them."""

from __future__ import annotations

import errno
import gzip
import hashlib
import mmap
import os
from pathlib import Path

import pytest

from dynamodb_pipeline.aws.node_boto3 import CHOSEN_BY_USER, GIVEN_TO_WORKERS, local_disk_folder
from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.exporting.data_files import DataFileWriter
from dynamodb_pipeline.formats.files.text import iter_lines, line_count, sha256_hex
from dynamodb_pipeline.reading.file_puts import Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.store import local_disk
from dynamodb_pipeline.store.local_disk import BUFFER_BYTES, SPOOL_BYTES, MappedText, Spill, collected
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


@pytest.fixture
def no_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the default temporary folder gets one that is not there, as a node's /tmp ought to be."""
    for name in (*CHOSEN_BY_USER, *GIVEN_TO_WORKERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", "/there/is/none")


@pytest.mark.usefixtures("no_default_folder")
def test_a_worker_writes_to_the_first_folder_that_yarn_gave_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disks = [tmp_path / "gone", tmp_path / "disk1", tmp_path / "disk2"]
    disks[1].mkdir()
    disks[2].mkdir()
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(disks[2]))
    assert local_disk_folder() == str(disks[2])
    monkeypatch.setenv("LOCAL_DIRS", ",".join(map(str, disks)))
    assert local_disk_folder() == str(disks[1])


@pytest.mark.usefixtures("no_default_folder")
def test_nothing_is_written_to_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fetched and written data files beyond what memory holds, and keys that are compared."""
    monkeypatch.setenv("LOCAL_DIRS", str(tmp_path))
    assert isinstance(collected([LARGE]), MappedText)
    records: list[object] = []
    writer = DataFileWriter(MemoryStore(), "s3://bucket/x", compression="none", on_file=records.append)
    for _ in range(30):
        writer.add(PADDING, 1)
    writer.flush()
    assert len(records) == 1
    with Spill() as spill:
        spill.add(0, bytes(BUFFER_BYTES))
        assert [path.parent.parent for path in tmp_path.rglob("000")] == [tmp_path]


@pytest.mark.usefixtures("no_default_folder")
def test_on_a_driver_it_is_a_disk_by_its_name() -> None:
    assert local_disk_folder() in ("/mnt/tmp", "/mnt", "/var/tmp")


@pytest.mark.usefixtures("no_default_folder")
def test_what_the_user_set_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("LOCAL_DIRS", "/var/tmp")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert local_disk_folder() == str(tmp_path)


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
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.setenv("LOCAL_DIRS", "/var/tmp")
    with pytest.raises(StoppedError, match=r"no space left in /var/tmp for .*TMPDIR"):
        collected([b"x"])
