"""Items without their contents: each value replaced by its type and length, so that anybody may see a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynamodb_pipeline.formats.items.base64_text import decoded_length

SHOWN_CHARS = 64
SHOWN_MEMBERS = 50


def redacted(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item's attribute names (cut at 64 characters) with `S, 5 characters` and the like in place of values."""
    shown = {_cut(name): _value(value) for name, value in list(item.items())[:SHOWN_MEMBERS]}
    left_out = len(item) - SHOWN_MEMBERS
    return {**shown, "...": f"{left_out} more"} if left_out > 0 else shown


def _value(value: Mapping[str, Any]) -> Any:
    ((tag, content),) = value.items()
    if tag == "M":
        return {"M": redacted(content)}
    if tag == "L":
        return {"L": [_value(inner) for inner in content[:SHOWN_MEMBERS]]}
    return f"{tag}, {_measure(tag, content)}" if tag not in ("BOOL", "NULL") else tag


def _measure(tag: str, content: Any) -> str:
    if tag in ("SS", "NS", "BS"):
        return counted(len(content), "element")
    if tag == "B":
        return counted(decoded_length(content), "byte")
    return counted(len(content), "character")


def counted(count: int, noun: str) -> str:
    """`1 byte`, `2 bytes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _cut(name: str) -> str:
    return name if len(name) <= SHOWN_CHARS else name[:SHOWN_CHARS] + "..."
