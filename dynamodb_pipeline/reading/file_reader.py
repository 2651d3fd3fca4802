"""
Reads one data file and proves it before anybody may use an item of it.

Order: the stored bytes (size, SHA-256 or MD5 where known, the pinned ETag), the plain text, then every line by its
dialect and DynamoDB's rules (file_puts.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.documents.detection import detect_form
from dynamodb_pipeline.formats.files.compression import open_plain
from dynamodb_pipeline.formats.files.file_forms import Dialect, FileForm, WantedTable
from dynamodb_pipeline.formats.files.text import LineError, Text, line_count, md5_base64, sha256_hex
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema
from dynamodb_pipeline.reading.file_puts import BadLine, DataFile, FilePuts, ItemJudge, ParsedItem, check_count
from dynamodb_pipeline.reading.input_files import InputFile
from dynamodb_pipeline.store.local_disk import collected
from dynamodb_pipeline.store.objects import ObjectStore

# A data file of ours is at most 128 MiB of text and one call's worth more; others may be larger, so that a foreign
# file of this size is still read while a compression bomb is not.
MAX_PLAIN_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class FileReader:
    """
    Reads and proves data files.

    Args:
        store: where they lie.
        keys: the target's key schema; None checks everything but keys.
        index_keys: keys of the target's indexes, whose types an item must fit.
        fast: items of our own hashed files need no parse (`table_description.may_skip_parsing`).
        wanted: whose items are taken of files that name tables; None for those of all.
    """

    store: ObjectStore
    keys: KeySchema | None = None
    index_keys: tuple[IndexKeys, ...] = ()
    fast: bool = False
    wanted: WantedTable | None = None

    def open(self, file: InputFile) -> DataFile:
        """
        Fetch a file, prove its bytes and detect how it is written.

        Raises:
            IntegrityError: size, hash, compression, plain size or form is not what it must be; of a file of ours
                that needs no parse, the count of lines too.
        """
        data = self.store.fetch(file.uri, etag=file.etag)
        check_stored(file, data)
        plain = text_of(file, data, expected_bytes=file.plain_bytes)
        check_unchanged(file, plain)
        if self._vouched_for(file):
            check_count(file, line_count(plain))
            return DataFile(file, plain, FileForm(Dialect.CONNECTOR))
        return DataFile(file, plain, form_of(plain, name=file.uri, wanted=self.wanted))

    def puts(self, data: DataFile, *, careful: bool = False) -> FilePuts:
        """What to write of the file; `careful` as there."""
        known = self._vouched_for(data.file) or data.file.checked_sha256 is not None
        return FilePuts(data, self._judge, known=known, careful=careful)

    def items(self, data: DataFile) -> Iterator[ParsedItem | BadLine]:
        """Every line as a judged item or a bad line, for whoever needs items and not puts; raises as `FilePuts`."""
        return self.puts(data).items()

    @property
    def _judge(self) -> ItemJudge:
        return ItemJudge(self.keys, self.index_keys)

    def _vouched_for(self, file: InputFile) -> bool:
        return self.fast and file.sha256 is not None


def text_of(file: InputFile, stored: Text, *, expected_bytes: int | None = None) -> Text:
    """The file's text, on local disk when it is large; raises as `open_plain`, StoppedError when the disk is full."""
    return open_plain(
        stored, name=file.uri, limit_bytes=MAX_PLAIN_BYTES, expected_bytes=expected_bytes, collect=collected
    )


def form_of(plain: Text, *, name: str, wanted: WantedTable | None = None) -> FileForm:
    """
    Raises:
        IntegrityError: a foreign format, two dialects, a line longer than any item, a malformed document.
    """
    try:
        return detect_form(plain, name=name, wanted=wanted)
    except LineError as err:
        raise IntegrityError(str(err)) from err


def check_stored(file: InputFile, data: Text) -> None:
    """
    Raises:
        IntegrityError: the stored bytes have another size or hash than the export says.
    """
    if len(data) != file.bytes:
        msg = f"{file.uri} has {len(data)} of {file.bytes} bytes"
        raise IntegrityError(msg)
    if file.sha256 is not None and sha256_hex(data) != file.sha256:
        msg = f"{file.uri} was changed after the export: its SHA-256 is not the one in _export.json"
        raise IntegrityError(msg)
    if file.md5 is not None and md5_base64(data) != file.md5:
        msg = f"{file.uri} was changed after the export: its MD5 is not the one in manifest-files.json"
        raise IntegrityError(msg)


def check_unchanged(file: InputFile, plain: Text) -> None:
    """
    Raises:
        IntegrityError: the text is not the one whose items were judged in the pass before the first write.
    """
    if file.checked_sha256 is not None and sha256_hex(plain) != file.checked_sha256:
        msg = f"{file.uri} was changed while the import ran: its text is not the one that was checked"
        raise IntegrityError(msg)
