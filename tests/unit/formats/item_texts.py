"""Items as hypothesis draws them, and their text in every dialect, written here without the library."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from hypothesis import strategies as st

CONNECTOR = {"SS": "sS", "NS": "nS", "BS": "bS", "BOOL": "bOOL", "NULL": "nULL"}
TEMPLATE = {**CONNECTOR, "NULL": "nULLValue"}
LOWER: dict[str, str] = {tag: tag.lower() for tag in CONNECTOR}
UPPER: dict[str, str] = {tag: tag for tag in ("S", "N", "B", "L", "M", *CONNECTOR)}

# Whatever cuts lines or text elsewhere: all of it must survive inside values.
HARD = '\x00\x01\x02\x03\x1f\n\r\t"\\{}[]:,/%\x85\u2028\u2029\ufeff\ufffd\U0001f600 éß'
letters = st.sampled_from(HARD + "abcItemSNMLs017._-é€𝄞日")
texts = st.text(letters, max_size=8)
names = st.text(letters, min_size=1, max_size=6)
numbers = st.integers(-(10**37), 10**37).map(str) | st.decimals(-10, 10, allow_nan=False, places=3).map(str)
binaries = st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode())


def _tagged(tag: str, contents: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return contents.map(lambda content: {tag: content})


_scalars = st.one_of(
    _tagged("S", texts),
    _tagged("N", numbers),
    _tagged("B", binaries),
    _tagged("BOOL", st.booleans()),
    _tagged("NULL", st.just(True)),
    _tagged("SS", st.lists(texts, min_size=1, max_size=3)),
    _tagged("NS", st.lists(numbers, min_size=1, max_size=3)),
    _tagged("BS", st.lists(binaries, min_size=1, max_size=3)),
)
values = st.recursive(
    _scalars,
    lambda inner: _tagged("L", st.lists(inner, max_size=3)) | _tagged("M", st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)
items = st.dictionaries(names, values, min_size=1, max_size=4)


def retagged(value: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """One value with its tags spelled by `tags` (single letters small unless listed)."""
    ((tag, content),) = value.items()
    if tag == "L":
        content = [retagged(element, tags) for element in content]
    if tag == "M":
        content = {name: retagged(element, tags) for name, element in content.items()}
    return {tags.get(tag, tag.lower()): content}


def json_text(item: dict[str, Any], tags: dict[str, str], *, ascii_only: bool = False) -> bytes:
    tree = {name: retagged(value, tags) for name, value in item.items()}
    return json.dumps(tree, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def native_text(item: dict[str, Any]) -> bytes:
    return b'{"Item":' + json_text(item, UPPER) + b"}"


def ion_text(item: dict[str, Any]) -> bytes:
    """As DynamoDB's export in Amazon Ion has it: its developer guide, "Table export output format"."""
    return b"$ion_1_0 {Item:" + _ion_struct(item).encode() + b"}"


def _ion_struct(members: dict[str, Any]) -> str:
    return "{" + ",".join(f"{_ion_symbol(name)}:{_ion_value(value)}" for name, value in members.items()) + "}"


def _ion_value(value: dict[str, Any]) -> str:
    ((tag, content),) = value.items()
    if tag in ("SS", "NS", "BS"):
        return f"$dynamodb_{tag}::[" + ",".join(_ion_value({tag[0]: element}) for element in content) + "]"
    if tag == "L":
        return "[" + ",".join(map(_ion_value, content)) + "]"
    if tag == "M":
        return _ion_struct(content)
    if tag == "N":
        return content if "." in content else f"{content}."
    if tag == "B":
        return "{{" + content + "}}"
    return json.dumps(content, ensure_ascii=False) if tag == "S" else {"BOOL": json.dumps(content), "NULL": "null"}[tag]


def _ion_symbol(name: str) -> str:
    """Plain where it may be, in quotes elsewhere."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) and name not in ("null", "true", "false", "nan")
    return name if plain else "'" + json.dumps(name, ensure_ascii=False)[1:-1].replace("'", "\\'") + "'"


def hive_text(item: dict[str, Any], *, raw_controls: bool = False) -> bytes:
    """Hive's form; with `raw_controls` STX and ETX stand unescaped inside the values' strings."""
    text = "\x02".join(
        name + "\x03" + json.dumps(retagged(value, CONNECTOR), ensure_ascii=False) for name, value in item.items()
    )
    if raw_controls:
        text = text.replace("\\u0002", "\x02").replace("\\u0003", "\x03")
    return text.encode()


def fits_hive(item: dict[str, Any]) -> bool:
    """Names are raw: no separator and no line end may be in one, and a first U+FEFF would be a byte order mark."""
    return not any(name[0] == "\ufeff" or set(name) & set("\x02\x03\n\r") for name in item)
