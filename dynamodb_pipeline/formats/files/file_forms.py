"""
The known ways of writing an item, and of putting items into a file: one row for each, and all else goes by the rows.

A new dialect is one more `Dialect` and one more row. The row says how a line of it is recognised and read, how blocks
of it are read without a look at each line, how its writers store it, and what docs/formats.md says of it. Layouts other
than lines are walked in formats.documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Callable

from dynamodb_pipeline.formats.files.compression import Codec
from dynamodb_pipeline.formats.files.hive_text import NAME_SEPARATOR, parse_hive_line
from dynamodb_pipeline.formats.files.ion_text import VERSION_MARKER, parse_ion_line
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.long_text import parse_item_json
from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, DYNAMODB_SPELLINGS, NULL_TAG_OPTIONS, Spellings

HIVE_SEPARATOR = NAME_SEPARATOR.encode()


class Dialect(str, Enum):
    """A way of writing items; `.value` is its name in reports."""

    CONNECTOR = "connector-json"
    LOWER_CASE = "lower-case-json"
    MIXED_CASE = "mixed-case-json"
    HIVE = "hive-text"
    DYNAMODB_JSON = "dynamodb-json"
    NATIVE = "native-export"
    ION = "ion-export"
    PUT_REQUEST = "put-request"
    EMPTY = "empty"  # no line at all: an empty partition of a native export


class TagCase(Enum):
    """Which tags a line of the dialect may have."""

    UPPER = "DynamoDB's own only"
    LOWER_FIRST = "any, but not DynamoDB's own alone"
    ANY = "any"


@dataclass(frozen=True)
class BlockForm:
    """
    How the dialect's usual writer writes, for reading whole blocks: its tags, and the bytes around each item.

    `before` and `after` enclose the item on its line.
    """

    spellings: Spellings
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True)
class DocRow:
    """The dialect's row in docs/formats.md: who writes it, its tags, what stands around the item; as Markdown."""

    written_by: str
    tags: str
    around: str


@dataclass(frozen=True)
class DialectForm:
    """
    All that is known of one dialect.

    Attributes:
        recognises: whether a line may be of it, by what only this kind of text has; of several dialects for which that
            is so, the one in which the line is a whole item is the right one. None where one line cannot tell:
            `variant_of` is then what the line is taken for, and several lines together tell more.
        reads: a line to its attributes, each with the tag it has there. Raises ItemError or JsonTextError.
        item_steps: how many steps of a place inside the line lead to the item itself.
        tag_case: which tags may stand there.
        block: how whole blocks of it are read; None when each line is looked at.
        codecs: the compressions its writers use; all are read, whatever the dialect.
        doc: its row in the docs.
    """

    reads: Callable[[bytes], Any]
    tag_case: TagCase
    block: BlockForm | None
    codecs: tuple[Codec, ...]
    doc: DocRow
    recognises: Callable[[bytes], bool] | None = None
    variant_of: Dialect | None = None
    item_steps: int = 0


class DeleteRequestError(ItemError):
    """A request to delete where a request to put is expected: the file is no list of items."""

    def __init__(self) -> None:
        super().__init__("a request to delete an item")


def is_wrapped(tree: Any) -> bool:
    """Whether parsed JSON looks like `{"Item": {...}}`, which may also be an item with an attribute called Item."""
    return isinstance(tree, dict) and tree.keys() == {"Item"} and isinstance(tree["Item"], dict)


def _unwrapped(line: bytes) -> Any:
    tree = parse_item_json(line)
    if not is_wrapped(tree):
        reason = "a native export's line is an object with the one member Item"
        raise ItemError(reason)
    return tree["Item"]


def _requested(line: bytes) -> Any:
    tree = parse_item_json(line)
    request = tree.get("PutRequest") if isinstance(tree, dict) and len(tree) == 1 else None
    if request is None or not is_wrapped(request):
        if isinstance(tree, dict) and "DeleteRequest" in tree:
            raise DeleteRequestError
        reason = "a request is an object with the one member PutRequest, and that one with the one member Item"
        raise ItemError(reason)
    return request["Item"]


def _is_hive(line: bytes) -> bool:
    return HIVE_SEPARATOR in line and not _is_ion(line)


def _is_ion(line: bytes) -> bool:
    return line.startswith(VERSION_MARKER)


def _is_json(line: bytes) -> bool:
    return HIVE_SEPARATOR not in line and not _is_ion(line)


_ANY_CODEC = (Codec.NONE, Codec.GZIP, Codec.BZIP2, Codec.DEFLATE)
FORMS: Mapping[Dialect, DialectForm] = MappingProxyType(
    {
        Dialect.CONNECTOR: DialectForm(
            recognises=_is_json,
            reads=parse_item_json,
            tag_case=TagCase.LOWER_FIRST,
            block=BlockForm(CONNECTOR_SPELLINGS),
            codecs=_ANY_CODEC,
            doc=DocRow(
                "Data Pipeline's templates, the connector's tools, this tool",
                f"`s`, `sS`, `bOOL`, {' or '.join(f'`{tag}`' for tag in NULL_TAG_OPTIONS)}",
                "nothing",
            ),
        ),
        Dialect.LOWER_CASE: DialectForm(
            variant_of=Dialect.CONNECTOR,
            reads=parse_item_json,
            tag_case=TagCase.LOWER_FIRST,
            block=None,
            codecs=(Codec.NONE, Codec.GZIP),
            doc=DocRow("tools around Data Pipeline, most in Go", "`s`, `ss`, `bool`, `null`", "nothing"),
        ),
        Dialect.MIXED_CASE: DialectForm(
            variant_of=Dialect.CONNECTOR,
            reads=parse_item_json,
            tag_case=TagCase.ANY,
            block=None,
            codecs=(Codec.NONE, Codec.GZIP),
            doc=DocRow("several of these, one after the other", "in any case", "nothing"),
        ),
        Dialect.DYNAMODB_JSON: DialectForm(
            recognises=_is_json,
            reads=parse_item_json,
            tag_case=TagCase.UPPER,
            block=BlockForm(DYNAMODB_SPELLINGS),
            codecs=(Codec.NONE, Codec.GZIP),
            doc=DocRow("AWS CLI, SDKs, dumping tools", "`S`, `SS`, `BOOL`, `NULL`", "nothing"),
        ),
        Dialect.NATIVE: DialectForm(
            recognises=_is_json,
            reads=_unwrapped,
            item_steps=1,
            tag_case=TagCase.UPPER,
            block=BlockForm(DYNAMODB_SPELLINGS, before=b'{"Item":', after=b"}"),
            codecs=(Codec.GZIP,),
            doc=DocRow("DynamoDB's export to S3", "`S`, `SS`, `BOOL`, `NULL`", '`{"Item":`...`}`'),
        ),
        Dialect.ION: DialectForm(
            recognises=_is_ion,
            reads=parse_ion_line,
            tag_case=TagCase.UPPER,
            block=None,
            codecs=(Codec.GZIP,),
            doc=DocRow(
                "DynamoDB's export to S3, as Amazon Ion",
                "none: Ion's types; sets are annotated, `$dynamodb_SS::`",
                "`$ion_1_0 {Item:`...`}`",
            ),
        ),
        Dialect.PUT_REQUEST: DialectForm(
            recognises=_is_json,
            reads=_requested,
            item_steps=2,
            tag_case=TagCase.UPPER,
            block=BlockForm(DYNAMODB_SPELLINGS, before=b'{"PutRequest":{"Item":', after=b"}}"),
            codecs=(Codec.NONE, Codec.GZIP),
            doc=DocRow(
                "input of `aws dynamodb batch-write-item`",
                "`S`, `SS`, `BOOL`, `NULL`",
                '`{"PutRequest":{"Item":`...`}}`',
            ),
        ),
        Dialect.HIVE: DialectForm(
            recognises=_is_hive,
            reads=parse_hive_line,
            tag_case=TagCase.ANY,
            block=None,
            codecs=_ANY_CODEC,
            doc=DocRow(
                "Hive on EMR, 2012 to today",
                "in any case; mostly `s`, `sS`",
                "0x02 between attributes, 0x03 behind names",
            ),
        ),
    }
)


class Layout(str, Enum):
    """How a file holds its items; `.value` is its name in reports."""

    LINES = "lines"
    OBJECTS = "objects"
    ARRAY = "array"
    SCAN = "scan-output"
    REQUESTS = "request-file"
    RESPONSES = "batch-output"
    MODEL = "workbench-model"


@dataclass(frozen=True)
class LayoutForm:
    """
    What is known of a layout besides how it is walked: its row in docs/formats.md, as Markdown.

    Attributes:
        looks: what stands in such a file.
        written_by: who leaves such files behind.
        names_tables: whether items stand below the name of their table, of which there may be several.
    """

    looks: str
    written_by: str
    names_tables: bool = False


LAYOUTS: Mapping[Layout, LayoutForm] = MappingProxyType(
    {
        Layout.LINES: LayoutForm("one item a line", "everybody above"),
        Layout.OBJECTS: LayoutForm(
            "items one after the other, with nothing, white space or a comma between them; each on as many lines as it"
            " likes",
            "delivery streams, `jq .`, pretty printers, arrays without their brackets",
        ),
        Layout.ARRAY: LayoutForm("`[`item`,`item ...`]`, also several such arrays", "scripts around SDKs, `jq -s .`"),
        Layout.SCAN: LayoutForm(
            '`{"Items":[`item`,`item ...`],"Count":2,` ...`}`, also several of them',
            "`aws dynamodb scan` and `query`, dumping tools",
        ),
        Layout.REQUESTS: LayoutForm(
            '`{"Forum":[{"PutRequest":{"Item":`item`}}` ...`]}`, one or several tables',
            "input of `aws dynamodb batch-write-item`",
            names_tables=True,
        ),
        Layout.RESPONSES: LayoutForm(
            '`{"Responses":{"Forum":[`item ...`]},"UnprocessedKeys":{}}`, one or several tables, also several of them',
            "`aws dynamodb batch-get-item`",
            names_tables=True,
        ),
        Layout.MODEL: LayoutForm(
            '`{"DataModel":[{"TableName":"Forum","TableData":[`item ...`]}` ...`]}`',
            "NoSQL Workbench",
            names_tables=True,
        ),
    }
)


@dataclass(frozen=True)
class WantedTable:
    """
    Whose items are taken of files that name their tables.

    Attributes:
        name: the table's.
        strictly: nothing is taken of a file that does not name it; else a file that names one table only is taken for
            it, as the folder of an export is whatever table it was of.
    """

    name: str
    strictly: bool = False


@dataclass(frozen=True)
class FileForm:
    """
    How a data file is written.

    Attributes:
        dialect: how each item is.
        layout: how the items are put together.
        table: whose items are taken of a file that names several tables; None for all.
    """

    dialect: Dialect
    layout: Layout = Layout.LINES
    table: str | None = None

    @property
    def noun(self) -> str:
        """What the numbers of places count."""
        return "line" if self.layout is Layout.LINES else "item"
