"""
The files of a chain's exports as rows: each item's key, what came of it, and when.

A file of an incremental export is JSON lines of its own kind, one item each: `Keys`, `NewImage` (none when the item was
deleted), `OldImage` and `Metadata` with the time of the write.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.chain.windows import Chain, Window
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.layout import NATIVE_SUMMARY
from dynamodb_pipeline.formats.files.text import LineError, PlainLines
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.formats.items.tags import to_dynamodb
from dynamodb_pipeline.reading.file_puts import BadLine, check_count
from dynamodb_pipeline.reading.file_reader import FileReader, check_stored, text_of
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.reading.source import first_few, load_source
from dynamodb_pipeline.store.objects import ObjectInfo, ObjectStore, in_parallel

MEMBERS = {"Metadata", "Keys", "NewImage", "OldImage"}
MICROS_MAX = 1 << 63
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Change(NamedTuple):
    """
    One item in one export.

    Attributes:
        key: canonical bytes.
        micros: when it was written; 0 in a full export.
        body: the item as DynamoDB JSON, empty when it was deleted.
    """

    key: bytes
    micros: int
    body: bytes


def files_of(store: ObjectStore, window: Window) -> tuple[InputFile, ...]:
    """
    The data files of one export, found and counted.

    Raises:
        IntegrityError: manifests are damaged or contradict each other, or a file is not there.
    """
    if window.start is None:
        return load_source(store, window.folder).files
    files_uri, summary = join(window.folder, native.FILES_NAME), join(window.folder, NATIVE_SUMMARY)
    data, listing = store.get(files_uri), {info.uri: info for info in store.list(window.folder)}
    for uri, content in ((files_uri, data), (summary, store.get(summary))):
        if native.md5_name(uri) in listing:
            native.check_md5(content, store.get(native.md5_name(uri)), where=uri)
    listed = native.parse_files(data, where=files_uri)
    total = sum(file.item_count for file in listed)
    if total != window.item_count:
        msg = f"{summary} says {window.item_count} items, {native.FILES_NAME} lists {total}; one of them is incomplete"
        raise IntegrityError(msg)
    infos = _found_files(store, listing, [file.data_file_key for file in listed], folder=window.folder)
    missing = [file.data_file_key for file, info in zip(listed, infos) if info is None]
    if missing:
        msg = f"{files_uri}: {len(missing)} listed files are not there: {first_few(missing)}; the export is incomplete"
        raise IntegrityError(msg)
    return tuple(
        InputFile(info.uri, info.bytes, info.etag, md5=file.md5, item_count=file.item_count)
        for file, info in zip(listed, infos)
        if info is not None
    )


def _found_files(
    store: ObjectStore, listing: dict[str, ObjectInfo], keys: Sequence[str], *, folder: str
) -> list[ObjectInfo | None]:
    """Incremental exports share `AWSDynamoDB/data/`, one level above their own folders; copies may have moved it."""
    infos = [_listed(listing, key, folder=folder) for key in keys]
    left = [number for number, info in enumerate(infos) if info is None]
    shared = join(folder.rstrip("/").rpartition("/")[0], native.DATA_FOLDER)
    asked = [[join(shared, keys[number].rpartition("/")[2])] for number in left]
    for number, info in zip(left, in_parallel(store.head, asked)):
        infos[number] = info
    return infos


def _listed(listing: dict[str, ObjectInfo], key: str, *, folder: str) -> ObjectInfo | None:
    name = key.rpartition("/")[2]
    inside = (native.current_uri(key, folder=folder), join(folder, f"{native.DATA_FOLDER}/{name}"), join(folder, name))
    return next((listing[uri] for uri in inside if uri in listing), None)


def changes_in(store: ObjectStore, window: Window, file: InputFile, keys: KeySchema) -> Iterator[Change]:
    """
    Every item of one file, each judged by DynamoDB's rules.

    Raises:
        IntegrityError: the file is not the one that was exported, or a line of it is no item or no change.
    """
    if window.start is not None:
        yield from _changes(store, file, keys)
        return
    reader = FileReader(store, keys)
    for put in reader.puts(reader.open(file)):
        if isinstance(put, BadLine):
            raise IntegrityError(str(put.error))
        yield Change(put.key or b"", 0, put.body)


def _changes(store: ObjectStore, file: InputFile, keys: KeySchema) -> Iterator[Change]:
    stored = store.fetch(file.uri, etag=file.etag)
    check_stored(file, stored)
    count = 0
    try:
        for number, offset, line in PlainLines(text_of(file, stored), name=file.uri):
            count += 1
            try:
                yield change_of(line, keys)
            except (ItemError, JsonTextError) as err:
                reason = err.reason if isinstance(err, ItemError) else str(err)
                raise LineError(reason, name=file.uri, line=number, offset_bytes=offset) from err
    except LineError as err:
        raise IntegrityError(str(err)) from err
    check_count(file, count)


def change_of(line: bytes, keys: KeySchema) -> Change:
    """
    What one line of an incremental export says.

    Raises:
        ItemError: members are missing or unknown, the key is not the image's, or DynamoDB would refuse the item.
        JsonTextError: no strict JSON.
    """
    tree = parse_json(line)
    if not isinstance(tree, dict) or not {"Metadata", "Keys"} <= tree.keys() <= MEMBERS:
        reason = "a change is an object with Metadata, Keys and, where there are some, NewImage and OldImage"
        raise ItemError(reason)
    micros = _micros(tree["Metadata"])
    key = keys.key_of(to_dynamodb(tree["Keys"]))
    if tree.get("NewImage") is None:
        return Change(key, micros, b"")
    item = to_dynamodb(tree["NewImage"])
    if check_item(item, keys=keys).key != key:
        reason = "NewImage has another key than Keys says"
        raise ItemError(reason)
    return Change(key, micros, _encode(item).encode("utf-8"))


def _micros(metadata: Any) -> int:
    """`WriteTimestampMicros`, with its tag or without."""
    value = metadata.get("WriteTimestampMicros") if isinstance(metadata, dict) else None
    text = value.get("N") if isinstance(value, dict) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or not int(text[:20]) < MICROS_MAX:
        reason = "WriteTimestampMicros is missing or no number"
        raise ItemError(reason)
    return int(text)


def uncollapsed_source(store: ObjectStore, chain: Chain) -> ImportSource:
    """All files of all exports of a chain: what will be read, for plans and questions; not what will be written."""
    files = tuple(file for window in chain.windows for file in files_of(store, window))
    return ImportSource(chain.place, "chain", files, notes=(chain.line(), *chain.notes), exported=chain.table)
