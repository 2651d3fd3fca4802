"""
The type tags of every dialect and DynamoDB's own upper-case ones.

The connector writes the first letter small and the rest large (`s`, `sS`, `bOOL`), because it once printed the
field names of a Java class; tools around it wrote all small or all large letters. Tags are therefore compared
without case, and both field names of null are known.
"""

from __future__ import annotations

TAGS = ("S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M")
NULL_TAG_OPTIONS = ("nULL", "nULLValue")
CONNECTOR_TAGS = {
    "S": "s",
    "N": "n",
    "B": "b",
    "SS": "sS",
    "NS": "nS",
    "BS": "bS",
    "BOOL": "bOOL",
    "NULL": "nULL",
    "L": "l",
    "M": "m",
}


class NumberLiteral(str):
    """A bare JSON number, kept as its literal text; a plain `str` in parsed JSON is JSON text."""

    __slots__ = ()


def dynamodb_tag(tag: str) -> str | None:
    """The upper-case tag for a tag of any dialect (`sS`, `nULLValue`, `bool`), None when it is no tag."""
    upper = tag.upper()
    if upper in TAGS:
        return upper
    return "NULL" if upper == "NULLVALUE" else None
