"""
Strict JSON: what Python's own parser lets through silently is refused here.

Python keeps the last of two equal members, takes NaN, makes floats of numbers, accepts halves of surrogate pairs
and ends in RecursionError on deep nesting. In an item each of these is lost or changed data. The price is twice
plain `json.loads`, because a Python function sees every object; regular blocks go another way (formats/blocks).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

from dynamodb_pipeline.formats.items.tags import NumberLiteral

HALF_OF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # may be whole with its partner; worth a closer look
_SHOWN_CHARS = 64


class JsonTextError(ValueError):
    """
    The text is no strict JSON; the message names the rule and the place, never a value.

    Attributes:
        steps: the members and positions that lead to the object that is meant, from the outermost value inwards; empty
            where that itself is meant, or nothing more is known.
    """

    def __init__(self, message: str, steps: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.steps = steps


class RepeatedMemberError(JsonTextError):
    """A member twice in one object; where that is, the parser does not tell."""


def parse_json(data: bytes) -> Any:
    """
    The value of one JSON text in UTF-8; numbers as `NumberLiteral`, their literal text.

    Raises:
        JsonTextError: not UTF-8, not JSON, other text behind it, a member twice, NaN or Infinity, a lone
            surrogate, or nested deeper than the interpreter can follow.
    """
    text = decode_utf8(data)
    value, end = scan_json(text, 0, decoder=STRICT)
    if end != len(text) and text[end:].strip(" \t\r\n"):
        msg = f"other text follows the JSON value (byte {_byte_position(text, end)})"
        raise JsonTextError(msg)
    return value


def scan_json(text: str, position: int, *, decoder: JSONDecoder | None = None) -> tuple[Any, int]:
    """
    The JSON value that starts at `position` (white space before it is skipped) and the position after it.

    Without a `decoder`, raw control characters inside strings are taken, as Hive text has them.

    Raises:
        JsonTextError: as `parse_json`, but for what follows the value.
    """
    try:
        value, end = (decoder or _LENIENT_STRINGS).raw_decode(text, _skip_space(text, position))
        if "\\u" in text and HALF_OF_PAIR.search(text, position, end):
            refuse_lone_surrogates(value)
    except JSONDecodeError as err:
        msg = f"malformed JSON: {shape_of(err.msg)} (byte {_byte_position(text, err.pos)})"
        raise JsonTextError(msg) from err
    except RepeatedMemberError as err:
        raise JsonTextError(str(err), steps_to_repeated(text[_skip_space(text, position) :])) from None
    except RecursionError:
        msg = "nested too deep"
        raise JsonTextError(msg) from None
    return value, end


def decode_utf8(data: bytes) -> str:
    """
    The text of `data`.

    Raises:
        JsonTextError: not UTF-8, with the position of the first wrong byte.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as err:
        msg = f"not UTF-8 (byte {err.start})"
        raise JsonTextError(msg) from err


def integer(value: object) -> int:
    """
    A non-negative whole number from parsed JSON, below 2^63.

    Raises:
        ValueError: anything else, also a string of digits, `1.0` or `1e3`.
    """
    if isinstance(value, NumberLiteral) and re.fullmatch(r"(?:0|[1-9][0-9]{0,18})", value, re.ASCII):
        number = int(value)
        if number < 1 << 63:
            return number
    msg = "not a whole number from 0 to 2^63 - 1"
    raise ValueError(msg)


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object. Raises RepeatedMemberError where one stands there twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        refuse_repeated([name for name, _ in pairs])
    return members


def refuse_repeated(names: Sequence[str]) -> NoReturn:
    """Raise RepeatedMemberError for the first name that stands there twice."""
    seen: set[str] = set()
    twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    msg = f"member {json.dumps(twice[:_SHOWN_CHARS])} stands there twice"
    raise RepeatedMemberError(msg)


class _Repeated:
    """Stands for an object with a member twice."""


def _object_or_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Repeated()


def steps_to_repeated(text: str) -> tuple[str | int, ...]:
    """Where `text`, read once more, has an object with a member twice; nothing where what follows is malformed."""
    try:
        value, _ = JSONDecoder(strict=False, object_pairs_hook=_object_or_repeated).raw_decode(text)
    except (ValueError, RecursionError):
        return ()
    if isinstance(value, _Repeated):
        return ()
    steps: list[str | int] = []
    inner = [_children(value)]  # of each container on the way, what is still to be looked at: no path for each element
    while inner:
        step, child = next(inner[-1], (None, None))
        if step is None:
            inner.pop()
            del steps[-1:]
            continue
        steps.append(step)
        if isinstance(child, _Repeated):
            return tuple(steps)
        inner.append(_children(child))
    return ()


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return enumerate(value) if isinstance(value, list) else iter(())


def _refuse_constant(word: str) -> NoReturn:
    msg = f"{word} is no JSON number"
    raise JsonTextError(msg)


def refuse_lone_surrogates(value: Any) -> None:
    """Raise JsonTextError where a text in `value` holds one."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        msg = "a lone surrogate, which is no character (\\ud800 to \\udfff without its partner)"
        raise JsonTextError(msg) from None


def _skip_space(text: str, position: int) -> int:
    while text[position : position + 1] in {" ", "\t", "\r", "\n"}:
        position += 1
    return position


def _byte_position(text: str, position: int) -> int:
    return len(text[:position].encode("utf-8", "surrogatepass"))


def shape_of(message: str) -> str:
    """Python's message without a quoted character of the input."""
    return message.partition(": '")[0].rstrip(" :")


STRICT_HOOKS: dict[str, Any] = {
    "object_pairs_hook": unique_members,
    "parse_int": NumberLiteral,
    "parse_float": NumberLiteral,
    "parse_constant": _refuse_constant,
}
STRICT = JSONDecoder(strict=True, **STRICT_HOOKS)
_LENIENT_STRINGS = JSONDecoder(strict=False, **STRICT_HOOKS)
