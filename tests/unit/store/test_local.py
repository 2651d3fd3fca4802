"""Files of this machine as objects: named as the user named them, pinned, never half-written."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
from dynamodb_pipeline.reading.finished_runs import backups_below
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.store.anywhere import AnyObjectStore
from dynamodb_pipeline.store.local import LocalObjectStore
from dynamodb_pipeline.store.objects import AlreadyExistsError, ObjectChangedError, ObjectMissingError
from tests.unit.reading.item_lines import lines
from tests.unit.reading.test_source import manifest
from tests.unit.store.memory_store import MemoryStore


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("folder", ["x", "./x", "x/", "../here/x", ".//x"])
def test_addresses_start_with_the_folder_as_it_was_given(tmp_path: Path, monkeypatch, folder: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    store = LocalObjectStore()
    for name in ("run-1/a", "run-1/manifest", "b"):
        store.put(f"x/{name}", b"data")
    prefix = folder.rstrip("/")
    assert [info.uri for info in store.list(folder)] == [f"{prefix}/b", f"{prefix}/run-1/a", f"{prefix}/run-1/manifest"]
    assert [backup.folder for backup in backups_below(store, folder)] == [f"{prefix}/run-1/"]


@pytest.mark.parametrize("folder", ["copy", "./copy/", "../here/copy"])
def test_a_copied_export_is_found_by_its_manifest_and_without(tmp_path: Path, monkeypatch, folder: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    store = LocalObjectStore()
    store.put("copy/a", lines("abc"))
    bare = load_source(store, folder, without_manifest=True)
    store.put("copy/manifest", manifest("a", folder="s3://old-bucket/x"))
    whole = load_source(store, folder)
    assert [file.uri for file in bare.files] == [file.uri for file in whole.files] == [f"{folder.rstrip('/')}/a"]
    assert whole.orphans == ()


def test_an_object_is_pinned_by_its_etag(here: Path) -> None:
    store = LocalObjectStore()
    store.put("f", b"one")
    info = store.head("f")
    assert info is not None
    assert store.get("f", etag=info.etag) == b"one"
    store.put("f", b"two")
    with pytest.raises(ObjectChangedError, match="f was replaced"):
        store.get("f", etag=info.etag)


def test_put_if_absent_and_hashes_are_kept(here: Path) -> None:
    store = LocalObjectStore()
    store.put("d/f", b"one", if_absent=True)
    with pytest.raises(AlreadyExistsError):
        store.put("d/f", b"two", if_absent=True)
    with pytest.raises(ObjectChangedError):
        store.put("d/g", b"two", sha256_hex="0" * 64)
    assert os.listdir("d") == ["f"]
    assert store.get("d/f") == b"one"


def test_what_is_not_there_is_missing(here: Path) -> None:
    store = LocalObjectStore()
    (here / "folder").mkdir()
    for name in ("nothing", "folder"):
        assert store.head(name) is None
        with pytest.raises(ObjectMissingError, match=f"{name} does not exist"):
            store.get(name)
    assert list(store.list("nothing")) == []
    store.delete("nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(here: Path) -> None:
    (here / "secret").write_bytes(b"x")
    (here / "secret").chmod(0)
    with pytest.raises(PreconditionError, match="secret cannot be read"):
        LocalObjectStore().get("secret")


@pytest.mark.parametrize("uri", ["s3://bucket/f", "s3a://bucket/f", "s3n://bucket/f", "f"])
def test_the_address_tells_where_an_object_lies(here: Path, uri: str) -> None:
    far, near = MemoryStore(), MemoryStore()
    AnyObjectStore(far, near).put(uri, b"x")
    assert (list(far.objects), list(near.objects)) == (([uri], []) if uri.startswith("s3") else ([], [uri]))


def special(here: Path, kind: str) -> str:
    """A path of this kind, relative to the folder."""
    if kind == "pipe":
        os.mkfifo(here / "special")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("special")
    elif kind == "link":
        (here / "special").symlink_to("special")
    return {"device": "/dev/zero", "memory": "/proc/self/mem", "long": "n" * 300, "zero byte": "a\0b"}.get(
        kind, "special"
    )


SAID = {
    "pipe": "is a named pipe, and only regular files are read",
    "socket": "is a socket, and only regular files are read",
    "device": "is a device, and only regular files are read",
    "link": "cannot be read: Too many levels of symbolic links",
    "long": "cannot be read: File name too long",
    "zero byte": "cannot be read: embedded null byte",
}


LOOKS = {
    "inspect": lambda place: inspect_path(LocalObjectStore(), place, InspectOptions(), progress=lambda _: None),
    "load": lambda place: load_source(LocalObjectStore(), place, without_manifest=True),
    "list": lambda place: backups_below(LocalObjectStore(), place),
    "fetch": lambda place: LocalObjectStore().fetch(place),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("kind", SAID)
def test_what_is_no_regular_file_is_said_by_whoever_looks_at_it(here: Path, kind: str, look: str) -> None:
    """No look waits, grows or ends in another error."""
    with pytest.raises(PreconditionError) as refused:
        LOOKS[look](special(here, kind))
    assert SAID[kind] in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("look", ["inspect", "load"])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_manifest_that_is_no_regular_file_is_said(here: Path, kind: str, look: str) -> None:
    path = special(here, kind)
    (here / "folder").mkdir()
    (here / path).rename(here / "folder" / "manifest")
    with pytest.raises(PreconditionError, match="manifest " + SAID[kind]):
        LOOKS[look]("folder")


@pytest.mark.parametrize("look", ["inspect", "load"])
def test_a_file_of_the_system_without_a_size_is_no_data(look: str) -> None:
    with pytest.raises(PreconditionError, match="is empty, or nothing that has a size"):
        LOOKS[look]("/proc/self/mem")


def test_of_a_file_that_grows_what_it_had_is_read(here: Path) -> None:
    (here / "f").write_bytes(b"x" * 3_000_000)
    pieces = LocalObjectStore()._pieces("f", None)
    first = next(pieces)
    with (here / "f").open("ab") as file:
        file.write(b"y" * 1000)
    assert len(first) + sum(map(len, pieces)) == 3_000_000
