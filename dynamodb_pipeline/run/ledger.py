"""
What a run has finished so far: one tiny put-if-absent object per finished piece of work, under the run's own folder.

Hundreds of them are put once more into one object, their pack: a resume reads that in place of each of them. A pack is
never believed alone: only what has its own object counts, and without packs a resume finds the same.

The ledger is written by the driver only, after a worker's success has arrived. A header pins everything a resume
depends on; a resume with any difference is refused instead of guessed at.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dynamodb_pipeline.addresses import is_s3, join
from dynamodb_pipeline.documents import Document, DocumentError, Facts, natural, read_object
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, StoppedError
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore, put_once

HEADER = "header.json"
ENTRY, PACK = ".json", ".pack"
PACK_ENTRIES, PACK_BYTES = 500, 1 << 20  # a pack is closed by the first that is reached
READ_ATTEMPTS = 2  # damage on the way heals by itself
READS_AT_ONCE = 8  # botocore keeps 10 connections to an endpoint


class Ledger:
    """
    The ledger of one table in one run.

    Args:
        store: where objects go.
        folder: `<logs>/runs/<run-id>/ledger/<table>`; None keeps nothing, so that the run cannot be resumed.
    """

    def __init__(self, store: ObjectStore, folder: str | None):
        self._store, self._folder = store, folder
        self._packing = threading.Lock()
        self._unpacked: dict[str, Facts] = {}
        self._unpacked_bytes = 0

    @property
    def resumable(self) -> bool:
        return self._folder is not None

    def open(self, header: Facts) -> dict[str, Facts]:
        """
        Pin `header` and return the entries of earlier attempts by id; empty for a new run.

        Raises:
            PreconditionError: this run id was used with another header; every difference is named.
        """
        if self._folder is None:
            return {}
        if not put_once(self._store, join(self._folder, HEADER), _sealed(HEADER, header)):
            self._compare(self._load(HEADER), header)
        return self._entries()  # of a new run too: whether this PUT or an earlier one made the header cannot be told

    def refuse_other(self, pinned: Facts) -> None:
        """
        Compare these of the header's members where an earlier attempt has pinned them; writes nothing.

        Raises:
            PreconditionError: as `open`.
        """
        before = self.header()
        if before is not None:
            self._compare({name: before.get(name) for name in pinned}, pinned)

    def header(self) -> Facts | None:
        """The pinned header of an earlier attempt, None when there is none."""
        if self._folder is None:
            return None
        try:
            return self._load(HEADER)
        except ObjectMissingError:
            return None

    def pinned_number(self, name: str) -> int | None:
        """
        A whole number of the pinned header, None when there is no header yet.

        Raises:
            IntegrityError: the header has no such number; nothing can be resumed from it.
        """
        header = self.header()
        if header is None:
            return None
        try:
            return natural(header.get(name))
        except DocumentError as err:
            msg = f"{self._folder}/{HEADER} pins no number of {name}; start a new run (new --run-id)"
            raise IntegrityError(msg) from err

    def add(self, entry_id: str, record: Facts) -> None:
        """
        Note `entry_id` as finished; the same note again changes nothing.

        Raises:
            StoppedError: another process has noted other work under that id. Two drivers of one run must not go on
                side by side: each would count pages or files of its own, and a resume would find both.
        """
        if self._folder is None:
            return
        name = f"{entry_id}{ENTRY}"
        sealed = _sealed(name, record)
        if not put_once(self._store, join(self._folder, name), sealed):
            msg = f"{self._folder}: another process works on the same run (entry {entry_id}); let one of them end first"
            raise StoppedError(msg)
        self._pack(name, record, len(sealed))

    def _pack(self, name: str, record: Facts, size_bytes: int) -> None:
        """Put the entries since the last pack into one when they are enough."""
        assert self._folder is not None
        with self._packing:
            self._unpacked[name] = record
            self._unpacked_bytes += size_bytes
            if len(self._unpacked) < PACK_ENTRIES and self._unpacked_bytes < PACK_BYTES:
                return
            packed, self._unpacked, self._unpacked_bytes = self._unpacked, {}, 0
        pack = f"{min(packed)[: -len(ENTRY)]}{PACK}"
        put_once(self._store, join(self._folder, pack), _sealed(pack, dict(packed)))  # another one there does as well

    def _entries(self) -> dict[str, Facts]:
        """Every entry by its id; a run of thousands of files would spend minutes on one read after the other."""
        assert self._folder is not None
        names = [o.uri.rpartition("/")[2] for o in self._store.list(self._folder)]
        entries = [name for name in names if name.endswith(ENTRY) and name != HEADER]
        packs = [name for name in names if name.endswith(PACK)]
        with ThreadPoolExecutor(max_workers=READS_AT_ONCE, thread_name_prefix="ledger") as pool:
            records = {name: record for pack in pool.map(self._packed, packs) for name, record in pack.items()}
            left = [name for name in entries if name not in records]
            records.update(zip(left, pool.map(self._load, left)))
        return {name[: -len(ENTRY)]: records[name] for name in entries}

    def _packed(self, name: str) -> dict[str, Facts]:
        """The entries of a pack by their objects' names; none of a damaged one, as each has its own object too."""
        try:
            entries = self._load(name)
        except IntegrityError:
            return {}
        return {entry: record for entry, record in entries.items() if isinstance(record, dict)}

    def _load(self, name: str) -> Facts:
        assert self._folder is not None
        uri = join(self._folder, name)
        for _ in range(READ_ATTEMPTS):
            record = _opened(name, self._store.get(uri))
            if record is not None:
                return record
        msg = f"{uri} is not what this run wrote there; nothing can be resumed from it, start a new run (new --run-id)"
        raise IntegrityError(msg)

    def _compare(self, before: Facts, now: Facts) -> None:
        before = {name: _as_written_today(value) for name, value in before.items()}
        names = sorted(set(before) | set(now))
        changed = [f"{n}: was {before.get(n)!r}, is {now.get(n)!r}" for n in names if before.get(n) != now.get(n)]
        if changed:
            msg = "this run cannot be resumed, these differ: " + "; ".join(changed) + ". Start a new run (new --run-id)"
            raise PreconditionError(msg)


def _as_written_today(value: object) -> object:
    """Earlier versions kept the user's `s3a://` and `s3n://` in a header; addresses are written `s3://` now."""
    if isinstance(value, dict):
        return {_as_written_today(name): kept for name, kept in value.items()}
    return f"s3://{value.partition('://')[2]}" if isinstance(value, str) and is_s3(value) else value


Entry = TypeVar("Entry", bound=Document)


def entries_of(kind: type[Entry], entries: Mapping[str, Facts]) -> dict[str, Entry]:
    """
    The entries as what they are, by id.

    Raises:
        IntegrityError: an entry is not of that kind; nothing can be resumed from it.
    """
    typed: dict[str, Entry] = {}
    for entry_id, record in entries.items():
        try:
            typed[entry_id] = kind.from_json(record)
        except DocumentError as err:
            msg = f"the ledger's entry {entry_id} is not of this kind of run ({err}); start a new run (new --run-id)"
            raise IntegrityError(msg) from err
    return typed


def _sealed(name: str, record: Facts) -> bytes:
    """The record with its own name and hash: what a resume starts from must be neither damaged nor another's."""
    text = json.dumps(record, sort_keys=True)
    return (json.dumps({"name": name, "record": record, "sha256": _digest(name, text)}, sort_keys=True) + "\n").encode()


def _opened(name: str, data: bytes) -> Facts | None:
    """The record that was sealed under `name`, None when `data` is anything else."""
    try:
        members = read_object(data)
    except DocumentError:
        return None
    record = members.get("record")
    if not isinstance(record, dict) or members.get("sha256") != _digest(name, json.dumps(record, sort_keys=True)):
        return None
    return record


def _digest(name: str, text: str) -> str:
    return hashlib.sha256(f"{name}\n{text}".encode()).hexdigest()
