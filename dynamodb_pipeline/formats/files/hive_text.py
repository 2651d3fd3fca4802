"""
Hive's text form of an item: `name 0x03 {"t":v} 0x02 name 0x03 {"t":v} ...`, one item per line.

Written from 2012 to about 2015 by Data Pipeline's HiveActivity, and by every Hive export of a
`map<string,string>` table since. Names are raw bytes without quotes or escapes, values are JSON texts. So a
name may hold spaces, `:`, `/` or `{`, and a value's string may hold raw separators: they count only between
a value and the next name, which is found by parsing the value, not by looking for the byte. (The connector
replaces every separator in the line and then parses leniently: such items it changes or refuses.)
"""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError, decode_utf8, scan_json
from dynamodb_pipeline.formats.items.long_text import LONG_TEXT_BYTES, LongText

ATTRIBUTE_SEPARATOR = "\x02"  # Hive's default between the entries of a map
NAME_SEPARATOR = "\x03"  # and between the key and the value of an entry
ATTRIBUTE_BYTES = 160  # of memory for a name and its place in the item
_HIVE_NULL = r"\N"
_NULL = r"Hive's null (\N) is no attribute value"
_OTHER_TEXT = "other text between the value and the next attribute (0x02)"


def parse_hive_line(line: bytes, *, most_bytes: int = LONG_TEXT_BYTES) -> dict[str, Any]:
    """
    Attribute names to their tagged values, tags as they stand in the line; one longer than `most_bytes` is read in
    pieces.

    Raises:
        ItemError: not UTF-8, no name or no value where one must stand, a value that is no JSON, a name twice.
    """
    if len(line) > most_bytes:
        return _long_line(line)
    try:
        text = decode_utf8(line)
    except JsonTextError as err:
        raise ItemError(str(err)) from err
    attributes: dict[str, Any] = {}
    position = 0
    while position <= len(text):
        name, position = _name_at(text, position)
        if name in attributes:
            reason = "attribute stands there twice"
            raise ItemError(reason, (name,))
        attributes[name], position = _value_at(text, position, name)
        position += 1
    return attributes


def _name_at(text: str, position: int) -> tuple[str, int]:
    """The attribute name that starts at `position` and the position of its value."""
    end = text.find(NAME_SEPARATOR, position)
    return _checked_name(text[position:end] if end >= 0 else None), end + 1


def _value_at(text: str, position: int, name: str) -> tuple[Any, int]:
    """The value that starts at `position` and the position of the separator behind it, or of the end."""
    if text.startswith(_HIVE_NULL, position):
        raise ItemError(_NULL, (name,))
    try:
        value, end = scan_json(text, position)
    except JsonTextError as err:
        raise ItemError(str(err), (name, *err.steps[1::2])) from err  # every other one is a tag
    if text[end : end + 1] not in {"", ATTRIBUTE_SEPARATOR}:
        raise ItemError(_OTHER_TEXT, (name,))
    return value, end


def _long_line(line: bytes) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    try:
        text = LongText(line, strict=False)
        while True:
            name = _checked_name(text.text_before(NAME_SEPARATOR))
            text.hold(ATTRIBUTE_BYTES + len(name))
            if name in attributes:
                reason = "attribute stands there twice"
                raise ItemError(reason, (name,))
            attributes[name] = _long_value(text, name)
            following = text.next_character()
            if not following:
                return attributes
            if following != ATTRIBUTE_SEPARATOR:
                raise ItemError(_OTHER_TEXT, (name,))
    except JsonTextError as err:
        raise ItemError(str(err)) from err


def _long_value(text: LongText, name: str) -> Any:
    if text.peek() == _HIVE_NULL[0]:
        raise ItemError(_NULL, (name,))
    try:
        return text.value()
    except JsonTextError as err:
        raise ItemError(str(err), (name, *err.steps[1::2])) from err


def _checked_name(name: str | None) -> str:
    if name is None or ATTRIBUTE_SEPARATOR in name:
        reason = "an attribute without 0x03 between name and value"
        raise ItemError(reason)
    if not name:
        reason = "an attribute without a name"
        raise ItemError(reason)
    return name
