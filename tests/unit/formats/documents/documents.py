"""Documents of items in every layout, and what is read of them by both ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from dynamodb_pipeline.formats.blocks.puts import checked_puts
from dynamodb_pipeline.formats.documents.detection import detect_form
from dynamodb_pipeline.formats.documents.items import DocumentItems
from dynamodb_pipeline.formats.files.dialects import read_lines
from dynamodb_pipeline.formats.files.file_forms import FileForm, Layout
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema

KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"),))


class Document(NamedTuple):
    """A document's text, and the layout it is in."""

    text: bytes
    layout: Layout


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def spaced(value: Any) -> str:
    return json.dumps(value)


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def tabbed(value: Any) -> str:
    return json.dumps(value, indent="\t").replace("\n", "\r\n")


WRITERS: tuple[Callable[[Any], str], ...] = (compact, spaced, pretty, tabbed)


def put_requests(items: Sequence[Any]) -> list[Any]:
    return [{"PutRequest": {"Item": item}} for item in items]


def model(*tables: tuple[str, Sequence[Any]]) -> dict[str, Any]:
    """A data model of NoSQL Workbench."""
    listed = [
        {"TableName": name, "KeyAttributes": {"PartitionKey": {"AttributeName": "Id"}}, "TableData": list(items)}
        for name, items in tables
    ]
    return {"ModelName": "m", "ModelMetadata": {"Author": "x"}, "DataModel": listed}


LAYOUTS_OF: dict[str, Callable[[Sequence[Any], Callable[[Any], str]], Document]] = {
    "array": lambda items, write: Document(write(list(items)).encode(), Layout.ARRAY),
    "array, an item a line": lambda items, write: Document(
        ("[\n" + ",\n".join(map(write, items)) + "\n]\n").encode(), Layout.ARRAY
    ),
    "array, separators on lines of their own": lambda items, write: Document(
        ("[\n" + "\n,\n".join(map(write, items)) + "\n]").encode(), Layout.ARRAY
    ),
    "native items in an array": lambda items, write: Document(
        write([{"Item": item} for item in items]).encode(), Layout.ARRAY
    ),
    "output of a scan": lambda items, write: Document(
        write({"Items": list(items), "Count": len(items), "ScannedCount": 9, "ConsumedCapacity": None}).encode(),
        Layout.SCAN,
    ),
    "output of a scan, members sorted": lambda items, write: Document(
        write({"ConsumedCapacity": {"TableName": "t"}, "Count": len(items), "Items": list(items)}).encode(), Layout.SCAN
    ),
    "pages of a scan": lambda items, write: Document(
        "\n".join(write({"Items": list(part), "Count": len(part)}) for part in (items[:1], items[1:])).encode(),
        Layout.SCAN,
    ),
    "request file": lambda items, write: Document(write({"T": put_requests(items)}).encode(), Layout.REQUESTS),
    "output of a batch": lambda items, write: Document(
        write({"Responses": {"T": list(items)}, "UnprocessedKeys": {}}).encode(), Layout.RESPONSES
    ),
    "pages of batches, members sorted the other way": lambda items, write: Document(
        "\n".join(
            write({"UnprocessedKeys": {}, "ConsumedCapacity": [{"TableName": "T"}], "Responses": {"T": list(part)}})
            for part in (items[:1], items[1:])
        ).encode(),
        Layout.RESPONSES,
    ),
    "model": lambda items, write: Document(write(model(("T", items))).encode(), Layout.MODEL),
    "objects without line feeds": lambda items, write: Document("".join(map(write, items)).encode(), Layout.OBJECTS),
    "objects with commas": lambda items, write: Document(",\n".join(map(write, items)).encode(), Layout.OBJECTS),
    "objects with commas, the last too": lambda items, write: Document(
        "".join(f"{write(item)},\n" for item in items).encode(), Layout.OBJECTS
    ),
}


class Judged(NamedTuple):
    """One item as it was read: its number, and the item with its size and key, or the reason against it."""

    number: int
    item: Any
    size_bytes: int
    key: bytes | None
    reason: str | None


def one_by_one(plain: bytes, form: FileForm, **options: Any) -> list[Judged]:
    """What the careful way makes of a document."""
    document = DocumentItems(plain, form.layout, name="f", table=form.table, **options)
    return [judged for _ in document for judged in _carefully(document, form)]


def by_blocks(plain: bytes, form: FileForm, **options: Any) -> tuple[list[Judged], int]:
    """What is made of it with guessed blocks where those can be proven, and how many items were not."""
    document = DocumentItems(plain, form.layout, name="f", table=form.table, **options)
    found, careful = [], 0
    for block in document:
        puts = checked_puts(block.text, keys=KEYS, dialect=form.dialect)
        if puts:
            found += [
                Judged(number, json.loads(put.json), put.size_bytes, put.key, None)
                for number, put in enumerate(puts, block.first_line)
            ]
        else:
            judged = list(_carefully(document, form))
            careful += len(judged)
            found += judged
    return found, careful


def read(plain: bytes, **options: Any) -> list[Judged]:
    """Every item of a file of any layout but lines."""
    return one_by_one(plain, detect_form(plain, **options))


def _carefully(document: DocumentItems, form: FileForm) -> Iterator[Judged]:
    for line in read_lines(document.one_by_one(), name="f", dialect=form.dialect, noun="item"):
        try:
            facts = check_item(line.item or {}, keys=KEYS)
        except ItemError as err:
            yield Judged(line.line, None, 0, None, str(line.error or err))
        else:
            yield Judged(line.line, line.item, facts.size_bytes, facts.key, None)


def repeated(items: Sequence[Any], times: int) -> list[Any]:
    """The items again and again, each time with other keys."""
    return [
        {**item, "Id": {"S": f"{number}-{item['Id']['S']}"}}
        for number, again in enumerate(repeat(items, times))
        for item in again
    ]
