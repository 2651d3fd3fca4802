"""
The known ways of writing an item as a line, and one line of a given one.

The tags' first letter tells DynamoDB's own JSON (`S`) from the connector's (`s`, once is enough: some writers took
`NULL` or `BOOL` from elsewhere), 0x03 tells Hive text, and the
members tell a native export's `{"Item": {...}}` from an item whose only attribute is called Item: the reading in which
every value has one tag and content of that tag's type. No line is whole in both, because only the content of `M` is
an object, and below an `M` the two readings ask for different things.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Callable

from dynamodb_pipeline.formats.files.hive_text import parse_hive_line
from dynamodb_pipeline.formats.files.quick_lines import (
    LOWER_FIRST_TAGS,
    UPPER_CASE_TAGS,
    Tags,
    quick_hive_item,
    quick_json_item,
    quick_native_item,
)
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.tags import dynamodb_tag, to_dynamodb

NAME_SEPARATOR = b"\x03"


class Dialect(str, Enum):
    """A way of writing items; `.value` is its name in reports."""

    CONNECTOR = "connector-json"  # Data Pipeline and the connector's tools: s, sS, bOOL, nULL or nULLValue
    LOWER_CASE = "lower-case-json"  # tools around Data Pipeline: s, ss, bool, null; read as CONNECTOR
    MIXED_CASE = "mixed-case-json"  # tags of all of these and DynamoDB's own side by side; compared without case
    HIVE = "hive-text"  # name 0x03 {"s":"x"} 0x02 ...
    DYNAMODB_JSON = "dynamodb-json"  # S, SS, BOOL, NULL
    NATIVE = "native-export"  # {"Item": {"a": {"S": "x"}}}
    EMPTY = "empty"  # no line at all: an empty partition of a native export


UPPER_CASE = frozenset({Dialect.DYNAMODB_JSON, Dialect.NATIVE})
_ANY_CASE = frozenset({Dialect.MIXED_CASE, Dialect.HIVE})
_TOLD_APART = (Dialect.CONNECTOR, Dialect.DYNAMODB_JSON, Dialect.NATIVE)


def parse_line(line: bytes, dialect: Dialect) -> dict[str, Any]:
    """
    The item of one line, tags in upper case, numbers as text.

    Raises:
        ItemError: malformed or not strict JSON, or tags that are unknown or of another dialect.
    """
    quick, tags = _QUICK[dialect]
    regular = quick(line, tags)
    return _careful_item(line, dialect) if regular is None else regular


def _careful_item(line: bytes, dialect: Dialect) -> dict[str, Any]:
    try:
        attributes = _ATTRIBUTES[dialect](line)
        item = to_dynamodb(attributes)
    except JsonTextError as err:
        members = err.steps[1:] if dialect is Dialect.NATIVE else err.steps  # there, Item comes first
        raise ItemError(str(err), members[::2]) from err  # every other one is a tag
    except RecursionError:
        reason = "nested too deep"
        raise ItemError(reason) from None
    _check_case(attributes, dialect)
    return item


def line_dialect(line: bytes) -> Dialect | None:
    """
    The dialect in which `line` is a whole item that is not empty, None when there is none; there are never two.

    LOWER_CASE and MIXED_CASE are not told from CONNECTOR here: most lines fit all three.
    """
    candidates = (Dialect.HIVE,) if NAME_SEPARATOR in line else _TOLD_APART
    return next((dialect for dialect in candidates if _fits(line, dialect)), None)


def likely_dialect(line: bytes) -> Dialect | None:
    """What a line with a damaged or invalid item was meant to be, by the tags it has; None when nothing tells."""
    try:
        tree = parse_json(line)
    except JsonTextError:
        return Dialect.HIVE if NAME_SEPARATOR in line else None
    plain = _case_of_tags(tree)
    wrapped = _case_of_tags(tree["Item"]) if is_wrapped(tree) else None
    if plain is not None and wrapped is not None:
        return None
    return Dialect.NATIVE if wrapped is Dialect.DYNAMODB_JSON else plain


def is_wrapped(tree: Any) -> bool:
    """Whether parsed JSON looks like `{"Item": {...}}`, which may also be an item with an attribute called Item."""
    return isinstance(tree, dict) and tree.keys() == {"Item"} and isinstance(tree["Item"], dict)


def _fits(line: bytes, dialect: Dialect) -> bool:
    try:
        return bool(parse_line(line, dialect))
    except ItemError:
        return False


def _check_case(attributes: dict[str, Any], dialect: Dialect) -> None:
    """Refuse a line of DynamoDB's own tags among the connector's, and any other tag among DynamoDB's own."""
    if dialect in _ANY_CASE:
        return
    upper = {name: tag for name, value in attributes.items() for tag in value if tag < "a"}
    wrong = attributes.keys() - upper.keys() if dialect in UPPER_CASE else upper.keys()
    if wrong and (dialect in UPPER_CASE or len(upper) == len(attributes)):
        name = next(name for name in attributes if name in wrong)
        reason = f"tag {next(iter(attributes[name]))} is not of {dialect.value}"
        raise ItemError(reason, (name,))


def _case_of_tags(tree: Any) -> Dialect | None:
    """DYNAMODB_JSON or CONNECTOR by the first value that has one tag and nothing else."""
    for value in tree.values() if isinstance(tree, dict) else ():
        if isinstance(value, dict) and len(value) == 1 and dynamodb_tag(tag := next(iter(value))):
            return Dialect.DYNAMODB_JSON if tag < "a" else Dialect.CONNECTOR
    return None


def _unwrapped(line: bytes) -> Any:
    tree = parse_json(line)
    if not is_wrapped(tree):
        reason = "a native export's line is an object with the one member Item"
        raise ItemError(reason)
    return tree["Item"]


_ATTRIBUTES: dict[Dialect, Callable[[bytes], Any]] = {
    Dialect.CONNECTOR: parse_json,
    Dialect.LOWER_CASE: parse_json,
    Dialect.MIXED_CASE: parse_json,
    Dialect.DYNAMODB_JSON: parse_json,
    Dialect.NATIVE: _unwrapped,
    Dialect.HIVE: parse_hive_line,
}
_QUICK: dict[Dialect, tuple[Callable[[bytes, Tags], dict[str, Any] | None], Tags]] = {
    Dialect.CONNECTOR: (quick_json_item, LOWER_FIRST_TAGS),
    Dialect.LOWER_CASE: (quick_json_item, LOWER_FIRST_TAGS),
    Dialect.MIXED_CASE: (quick_json_item, {**UPPER_CASE_TAGS, **LOWER_FIRST_TAGS}),
    Dialect.DYNAMODB_JSON: (quick_json_item, UPPER_CASE_TAGS),
    Dialect.NATIVE: (quick_native_item, UPPER_CASE_TAGS),
    Dialect.HIVE: (quick_hive_item, LOWER_FIRST_TAGS),
}
