"""
How much an import will write, and whether an item of it fits the target, told before anything is started.

Text is what is counted: the items as lines of JSON, a little more than what DynamoDB bills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dynamodb_pipeline.errors import PipelineError
from dynamodb_pipeline.formats.files.text import line_count
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.file_puts import BadLine
from dynamodb_pipeline.reading.file_reader import FileReader, text_of
from dynamodb_pipeline.reading.finished_runs import wanted_table
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.store.objects import ObjectStore

# A larger file is not fetched for an estimate only.
SAMPLE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ImportSize:
    """
    What will be written: bytes of text and items, with where that is known from.

    Without `is_known` both are 0 and `basis` says why.
    """

    text_bytes: int
    item_count: int
    basis: str
    is_known: bool = True


def import_size(store: ObjectStore, find: Callable[[], ImportSource]) -> ImportSize:
    """How much of what `find` returns will be imported; an input that cannot be read is a size that is not known."""
    try:
        source = find()
        size = _recorded(source) or _estimated(store, source)
        return replace(size, basis=f"{source.folder}, {size.basis}; {source.origin}")
    except PipelineError as err:
        return _unknown(str(err).splitlines()[0])


@dataclass(frozen=True)
class ItemSample:
    """One item of an input that names no key: what was seen, and the problem with it where it does not fit."""

    seen: str
    problem: str | None = None
    may_be_bad: bool = False


def item_sample(store: ObjectStore, source: ImportSource, keys: KeySchema, *, settings: ImportSettings) -> ItemSample:
    """
    The first item of the smallest file, judged by the target's keys as the import's check will do it.

    Raises:
        PipelineError: the file cannot be read, or is none of items.
    """
    smallest = min(source.files, key=lambda file: file.bytes, default=None)
    if smallest is None or smallest.bytes > SAMPLE_BYTES or settings.chain:
        return ItemSample("no file of it can be sampled")
    reader = FileReader(store, keys, wanted=wanted_table(settings.bare_name, from_table=settings.from_table))
    item = next(reader.items(reader.open(smallest)), None)
    if isinstance(item, BadLine):
        return ItemSample(smallest.name, str(item.error), may_be_bad=settings.set_aside is not None)
    seen = f"the first item of {smallest.name} has {keys.describe()}" if item else "its smallest file has no item"
    return ItemSample(seen)


def _recorded(source: ImportSource) -> ImportSize | None:
    if source.record is None:
        return None
    return ImportSize(source.record.plain_bytes, source.record.item_count, "as its _export.json says")


def _estimated(store: ObjectStore, source: ImportSource) -> ImportSize:
    """From the sizes of all files and the lines of the smallest; a native export's count of items is its own."""
    if not source.files:
        return ImportSize(0, source.item_count or 0, "as its manifest says")
    smallest = min(source.files, key=lambda file: file.bytes)
    if smallest.bytes > SAMPLE_BYTES:
        return _unknown(f"{source.folder} has no _export.json and no file small enough for a sample")
    lines, plain_bytes = _sample(store, smallest)
    item_count = source.item_count
    if item_count is None:
        item_count = max(len(source.files), round(source.bytes / smallest.bytes * lines))
    text_bytes = round(source.bytes / smallest.bytes * plain_bytes)
    return ImportSize(text_bytes, item_count, f"estimated from the sizes of its files and the lines of {smallest.name}")


def _sample(store: ObjectStore, file: InputFile) -> tuple[int, int]:
    """Lines and bytes of text of one file."""
    plain = text_of(file, store.fetch(file.uri, etag=file.etag))
    return max(1, line_count(plain)), len(plain)


def _unknown(reason: str) -> ImportSize:
    return ImportSize(0, 0, reason, is_known=False)
