"""
One text for each value an item can have, whatever way its JSON spells it.

- Attributes and map members are sorted by name, in the order of code points (which is that of UTF-8 bytes).
- Numbers stand as DynamoDB gives them back: `1.0`, `1` and `10E-1` are `1`.
- The elements of a set are sorted, since they have no order; those of a list stay as they are.
- Binary stands as base64, of which DynamoDB takes exactly one spelling for each value.
- Before each name, text, number and binary stands its length in characters, before each set, list and map the
  count of its elements, and before each value its tag, so that no two values share a text.

For instance `{"n": {"N": "1.0"}, "a": {"L": [{"BOOL": true}]}}` is `M2:1:aL1:BOOL:true1:nN1:1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from dynamodb_pipeline.formats.items.base64_text import decoded_length
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.numbers import canonical_number


def canonical_item(item: Mapping[str, Any]) -> bytes:
    """
    The UTF-8 bytes that stand for the item's value: equal for equal items, different for different ones.

    `item` is valid and has upper-case tags; sizes, keys and sets are not judged again.

    Raises:
        ItemError: a tag, a number, a binary or a character that is none.
    """
    try:
        return _map(item).encode()
    except UnicodeEncodeError as err:
        reason = "text holds a lone surrogate, which is no character"
        raise ItemError(reason) from err


def _map(members: Mapping[str, Any]) -> str:
    parts = [f"M{len(members)}:"]
    for name in sorted(members):
        (tag,) = value = members[name]
        content = value[tag]
        if tag == "S":  # the most frequent: no call
            parts.append(f"{len(name)}:{name}S{len(content)}:{content}")
        else:
            parts.append(f"{len(name)}:{name}{_value(value)}")
    return "".join(parts)


def _value(value: Mapping[str, Any]) -> str:
    (tag,) = value
    form = _FORMS.get(tag)
    if form is None:
        reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"
        raise ItemError(reason)
    return form(value[tag])


def _text(content: str) -> str:
    return f"S{len(content)}:{content}"


def _number(content: str) -> str:
    canonical = canonical_number(content)
    return f"N{len(canonical)}:{canonical}"


def _binary(content: str) -> str:
    return f"B{len(content)}:{_one_spelling(content)}"


def _flag(content: bool) -> str:
    return "BOOL:true" if content else "BOOL:false"


def _null(_: bool) -> str:
    return "NULL:"


def _list(content: list[Any]) -> str:
    return f"L{len(content)}:" + "".join(map(_value, content))


def _string_set(content: list[str]) -> str:
    return _sorted_set("SS", content)


def _number_set(content: list[str]) -> str:
    return _sorted_set("NS", map(canonical_number, content))


def _binary_set(content: list[str]) -> str:
    return _sorted_set("BS", map(_one_spelling, content))


def _sorted_set(tag: str, elements: Iterable[str]) -> str:
    ordered = sorted(elements)
    return f"{tag}{len(ordered)}:" + "".join(f"{len(element)}:{element}" for element in ordered)


def _one_spelling(base64_text: str) -> str:
    decoded_length(base64_text)  # refuses every other spelling
    return base64_text


_FORMS: dict[str, Callable[[Any], str]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _flag,
    "NULL": _null,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
    "L": _list,
    "M": _map,
}
