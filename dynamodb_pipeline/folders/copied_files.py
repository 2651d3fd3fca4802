"""The data files of a copy: rolled, compressed, counted and hashed, one PUT each."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
import zlib
from base64 import b64encode
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.store.local_disk import room_on_disk
from dynamodb_pipeline.store.objects import ObjectStore

MAX_ITEMS = 100_000  # of a file, as of our exports; ImportTable takes 50,000 files, so 5 * 10**9 items
MAX_TEXT_BYTES = 128 * 1024 * 1024
SPOOL_BYTES = 8 * 1024 * 1024
GZIP_LEVEL = 1


class CopiedFiles:
    """Data files of at most `MAX_ITEMS` items; the open one waits on local disk once it is large. A context manager."""

    def __init__(self, store: ObjectStore, folder: str, *, is_native: bool):
        self._store, self._folder, self._is_native = store, folder, is_native
        self._attempt = uuid.uuid4()
        self._spool: Any = None
        self.items = 0
        self.files: list[FileRecord] = []
        self.md5s: dict[str, str] = {}

    def __enter__(self) -> CopiedFiles:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spool is not None:  # of a conversion that ended early: nothing of it is stored
            self._spool.close()

    def add(self, lines: bytes, count: int) -> None:
        """Append whole lines."""
        if self._spool is None:
            self._spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed in close_file()
            self._deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
            self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
            self._stored_bytes = self._text_bytes = self._count = 0
        self._text_bytes, self._count, self.items = (
            self._text_bytes + len(lines),
            self._count + count,
            self.items + count,
        )
        self._keep(self._deflate.compress(lines))
        if self._count >= MAX_ITEMS or self._text_bytes >= MAX_TEXT_BYTES:
            self.close_file()

    def _keep(self, data: bytes) -> None:
        self._sha256.update(data)
        self._md5.update(data)
        self._stored_bytes += len(data)
        with room_on_disk():
            self._spool.write(data)

    def close_file(self) -> None:
        """Store the file in hand, if there is one."""
        if self._spool is None:
            return
        self._keep(self._deflate.flush())
        number = len(self.files)
        name = f"{self._attempt}_{number:06d}{'.json.gz' if self._is_native else '.gz'}"
        digest = self._sha256.hexdigest()
        with self._spool as spool, room_on_disk():
            spool.seek(0)
            self._store.put(join(self._folder, name), spool, sha256_hex=digest)
        self._spool = None
        self.files.append(FileRecord(name, self._stored_bytes, self._text_bytes, self._count, digest))
        self.md5s[name] = b64encode(self._md5.digest()).decode()
