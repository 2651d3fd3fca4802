"""
The type tags of every dialect, DynamoDB's own upper-case ones, and the way between them.

The connector writes the first letter small and the others large (`s`, `sS`, `bOOL`): long ago it printed the
field names of a Java class. Tools around it wrote all letters small, or large. Tags are therefore compared
without case, and null has both of that class's names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.tag_conversion import Spelling, convert_item

CONNECTOR_NULL, TEMPLATE_NULL = "nULL", "nULLValue"  # connector 5; connector 4 and so the templates
NULL_TAG_OPTIONS = (CONNECTOR_NULL, TEMPLATE_NULL)
CONNECTOR_TAGS = {
    "S": "s",
    "N": "n",
    "B": "b",
    "SS": "sS",
    "NS": "nS",
    "BS": "bS",
    "BOOL": "bOOL",
    "NULL": CONNECTOR_NULL,
    "L": "l",
    "M": "m",
}
TAGS = tuple(CONNECTOR_TAGS)

Spellings = Mapping[str, tuple[str, ...]]  # upper-case tag -> how a dialect's writers spell it
DYNAMODB_SPELLINGS: Spellings = {tag: (tag,) for tag in TAGS}
CONNECTOR_SPELLINGS: Spellings = {
    **{tag: (written,) for tag, written in CONNECTOR_TAGS.items()},
    "NULL": NULL_TAG_OPTIONS,
}
LOWER_CASE_SPELLINGS: Spellings = {tag: (tag.lower(),) for tag in TAGS}
_TAG_OF = {written.upper(): tag for tag, every in CONNECTOR_SPELLINGS.items() for written in every}

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class NumberLiteral(str):
    """A bare JSON number, kept as its literal text; a plain `str` in parsed JSON is JSON text."""

    __slots__ = ()


def dynamodb_tag(tag: str) -> str | None:
    """The upper-case tag for a tag of any dialect (`sS`, `nULLValue`, `bool`); None when it is no tag."""
    return _TAG_OF.get(tag.upper()) if tag.isascii() else None  # "ß".upper() is "SS"


def to_dynamodb(tree: Any) -> dict[str, Any]:
    """
    The item of a parsed line of any dialect: tags in upper case, numbers as text.

    Settles what each value is, one known tag over content of that tag's JSON type, and no more; whether
    DynamoDB takes the contents is `attribute_values`' part. A bare JSON number under `N` or in `NS` becomes
    its literal text; anywhere else it is refused.

    Raises:
        ItemError: no object, or a value with an unknown tag, two tags, none, or content of another type.
    """
    return convert_item(tree, _ANY_DIALECT)


def item_to_connector_line(item: Mapping[str, Any], *, null_tag: str = CONNECTOR_NULL) -> bytes:
    """
    The line that connector 5.0.0 writes for `item`, with its line end; attributes in the order given.

    Compact UTF-8; escaped are only `"`, `\\`, characters below 0x20 and U+2028/U+2029. `null_tag` is one of
    NULL_TAG_OPTIONS: `nULL` as connector 5 reads it, `nULLValue` as the old templates did.

    Raises:
        ItemError: as `to_dynamodb`, or a lone surrogate, which UTF-8 cannot hold.
    """
    text = _encode(convert_item(item, _TO_CONNECTOR[null_tag]))
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


_ANY_DIALECT = Spelling({tag: tag for tag in TAGS}, upper_tag=dynamodb_tag)
_TO_CONNECTOR = {
    null_tag: Spelling({**CONNECTOR_TAGS, "NULL": null_tag}, upper_tag=dynamodb_tag) for null_tag in NULL_TAG_OPTIONS
}
