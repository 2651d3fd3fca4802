"""
Random filters and projections with what they mean, by DynamoDB's manual and without any code of the library or an
emulator: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html

What the emulator does otherwise than the manual is not asked: size() and BETWEEN of empty values, equality of maps,
lists and two absent paths, IN and attribute_type() with an empty text or `false`, indexes of a list beyond a gap.
"""

from __future__ import annotations

import base64
import json
import operator
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.demo_check import by_value, exact

Item = dict[str, Any]
Value = dict[str, Any]
Path = tuple[str | int, ...]
Test = Callable[[Item], bool]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
NUMBERS = (
    "0", "-1", "5", "12", "12.50", "100", "1E+2", "0.1", "99999999999999999999999999999999999999",
    "12345678901234567890123456789012345678", "12345678901234567890123456789012345677", "-1E-130", "9.9E+125",
)  # fmt: skip
TEXTS = ("", "a", "ab", "abc", "b", "Ulm", "B\u00e4r", 'quo"te', "\u65e5\u672c", "\U0001f600", "line\nfeed\t\\", " ")
BINARIES = tuple(base64.b64encode(raw).decode() for raw in (b"", b"\0", b"\xff\xfe", b"ab", b"abc", bytes(range(40))))
ORDERED = ("S", "N", "B")
TYPES = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")
TOP = ("txt", "num", "bin", "any", "tags", "nums", "bins", "info", "list", "size", "no.dots", "nowhere")
RESERVED = {"list", "size", "no.dots", "any"}  # reserved by DynamoDB, or no name that an expression can spell


def scalar(rng: random.Random, tag: str) -> Value:
    return {tag: rng.choice({"S": TEXTS, "N": NUMBERS, "B": BINARIES}[tag])}


def a_set(rng: random.Random, tag: str) -> Value:
    """No value of a set twice, whatever its spelling."""
    member = tag[0]
    kinds = {by_value(value): value for value in (scalar(rng, member) for _ in range(rng.randint(1, 4)))}
    return {tag: [value[member] for value in kinds.values()]}


def a_value(rng: random.Random, depth: int = 2) -> Value:
    tag = rng.choice(TYPES if depth else TYPES[:-2])
    if tag in ORDERED:
        return scalar(rng, tag)
    if tag in ("SS", "NS", "BS"):
        return a_set(rng, tag)
    if tag == "L":
        return {"L": [a_value(rng, depth - 1) for _ in range(rng.randint(0, 4))]}
    if tag == "M":
        names = rng.sample(("city", "codes", "deep", "m", "B", "x y"), rng.randint(0, 4))
        return {"M": {name: a_value(rng, depth - 1) for name in names}}
    return {"BOOL": rng.random() < 0.5} if tag == "BOOL" else {"NULL": True}


def codes(rng: random.Random) -> Value:
    return {"L": [scalar(rng, "N"), scalar(rng, "S"), {"M": {"deep": scalar(rng, "N")}}]}


def an_item(rng: random.Random, number: int) -> Item:
    """Attributes that are mostly of one type and sometimes of another, or absent."""
    item: Item = {"id": {"S": f"k{number % 40:03d}"}, "n": {"N": str(number)}}
    usual: dict[str, Callable[[], Value]] = {
        "txt": lambda: scalar(rng, "S"), "num": lambda: scalar(rng, "N"), "bin": lambda: scalar(rng, "B"),
        "tags": lambda: a_set(rng, "SS"), "nums": lambda: a_set(rng, "NS"), "bins": lambda: a_set(rng, "BS"),
        "any": lambda: a_value(rng, 0), "size": lambda: scalar(rng, "N"), "no.dots": lambda: scalar(rng, "S"),
        "info": lambda: {"M": {"city": scalar(rng, "S"), "codes": codes(rng), "deep": a_value(rng)}},
        "list": lambda: {"L": [a_value(rng, 1) for _ in range(rng.randint(0, 5))]},
    }  # fmt: skip
    for name, make in usual.items():
        if rng.random() < 0.8:
            item[name] = a_value(rng) if rng.random() < 0.15 else make()
    if rng.random() < 0.5:
        item["status"] = {"S": rng.choice(("open", "closed", "new"))}
    if rng.random() < 0.6:
        item["created"] = {"N": str(rng.randint(-5, 500))}
    return item


@dataclass
class Words:
    """Placeholders of the expressions that are made with it."""

    rng: random.Random
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def path(self, path: Path) -> str:
        """As it is where its parts may be spelled, else with placeholders, and sometimes with them all the same."""
        spelled = ""
        for part in path:
            spelled += f"[{part}]" if isinstance(part, int) else ("." if spelled else "") + self._name(part)
        return spelled

    def _name(self, name: str) -> str:
        plain = name.isidentifier() and name.isascii() and name not in RESERVED | {"status"}
        if plain and self.rng.random() < 0.6:
            return name
        known = next((given for given, means in self.names.items() if means == name), None)
        given = known or self.rng.choice((f"#p{len(self.names)}", f"#key{len(self.names)}"))
        self.names[given] = name
        return given

    def value(self, value: Value) -> str:
        given = f":{self.rng.choice(('v', 'now', 'from'))}{len(self.values)}"
        self.values[given] = value
        return given


def at(item: Item, path: Path) -> Value | None:
    """The value there, None where there is none."""
    here: Value | None = {"M": item}
    for part in path:
        if isinstance(part, int):
            inside = (here or {}).get("L", ())
            here = inside[part] if part < len(inside) else None
        else:
            here = (here or {}).get("M", {}).get(part)
    return here


def ordinal(value: Value | None) -> tuple[str, Any] | None:
    """What comparisons order by: numbers by value, texts by their UTF-8, binary by its bytes."""
    if value is None:
        return None
    ((tag, content),) = value.items()
    if tag == "N":
        return tag, exact(content)
    if tag == "S":
        return tag, content.encode()
    return (tag, base64.b64decode(content)) if tag == "B" else None


def measured(value: Value | None) -> int | None:
    """size() of the manual; None where it has none."""
    if value is None:
        return None
    ((tag, content),) = value.items()
    if tag == "B":
        return len(base64.b64decode(content))
    return len(content) if tag in ("S", "SS", "NS", "BS", "L", "M") else None


def contains(value: Value | None, wanted: Value) -> bool:
    if value is None:
        return False
    ((tag, content),) = value.items()
    ((kind, part),) = wanted.items()
    if tag == kind == "S":
        return part in content
    if tag == kind == "B":
        return base64.b64decode(part) in base64.b64decode(content)
    if tag in ("SS", "NS", "BS"):
        return tag[0] == kind and by_value(wanted) in {by_value({kind: member}) for member in content}
    return tag == "L" and any(by_value(member) == by_value(wanted) for member in content)


def a_path(rng: random.Random) -> Path:
    top = rng.choice((*TOP, "id", "n", "status", "created"))
    deeper: dict[str, tuple[Path, ...]] = {
        "info": (("info",), ("info", "city"), ("info", "codes", 0), ("info", "codes", 2, "deep"), ("info", "deep")),
        "list": (("list",), ("list", 0), ("list", 1), ("list", 3, "city")),
    }
    return rng.choice(deeper.get(top, ((top,),)))


def likely(rng: random.Random, items: list[Item], path: Path) -> Value:
    """A value that some item has there, so that conditions meet some and not others."""
    found = [value for value in (at(item, path) for item in items) if value is not None]
    return rng.choice(found) if found and rng.random() < 0.8 else a_value(rng, 0)


def simple(rng: random.Random, words: Words, items: list[Item]) -> tuple[str, Test]:
    """One condition and what it means."""
    path = a_path(rng)
    spelled, value = words.path(path), likely(rng, items, path)
    ((tag, content),) = value.items()
    kind = rng.choice(("=", "<>", "order", "between", "in", "exists", "type", "begins", "contains", "size", "paths"))
    if kind in ("=", "<>") and tag in (*ORDERED, "BOOL", "SS"):
        equal = lambda item: (v := at(item, path)) is not None and by_value(v) == by_value(value)  # noqa: E731
        return f"{spelled} {kind} {words.value(value)}", equal if kind == "=" else lambda item: not equal(item)
    if kind == "order" and tag in ORDERED:
        sign = rng.choice(tuple(COMPARISONS))
        return f"{spelled} {sign} {words.value(value)}", lambda item: ordered(sign, at(item, path), value)
    if kind == "between" and tag in ORDERED and not has_empty(items, path):
        low, high = sorted((value, scalar(rng, tag)), key=ordinal)  # type: ignore[arg-type]
        return (
            f"{spelled} BETWEEN {words.value(low)} AND {words.value(high)}",
            lambda item: ordered(">=", at(item, path), low) and ordered("<=", at(item, path), high),
        )
    if kind == "in":
        among = [v for v in (likely(rng, items, path) for _ in range(rng.randint(1, 5))) if comparable_in(v)]
        if among:
            given = ", ".join(words.value(each) for each in among)
            forms = {by_value(each) for each in among}
            return (
                f"{spelled} IN ({given})",
                lambda item: (v := at(item, path)) is not None and comparable_in(v) and by_value(v) in forms,
            )
    if kind == "type":
        wanted = rng.choice(("N", "NULL", "SS", "NS", "BS", "L", "M"))
        return f"attribute_type({spelled}, {words.value({'S': wanted})})", lambda item: wanted in (at(item, path) or {})
    if kind == "begins" and tag in ("S", "B"):
        start = {
            tag: content[: rng.randint(0, 2)]
            if tag == "S"
            else base64.b64encode(base64.b64decode(content)[:1]).decode()
        }
        return f"begins_with({spelled}, {words.value(start)})", lambda item: begins(at(item, path), start)
    if kind == "contains":
        part = inner(rng, value)
        if part is not None:
            return f"contains({spelled}, {words.value(part)})", lambda item: contains(at(item, path), part)
    if kind == "size" and not has_empty(items, path):
        sign, count = rng.choice((*COMPARISONS, "=")), rng.randint(1, 5)
        compare = COMPARISONS.get(sign, operator.eq)
        return (
            f"size({spelled}) {sign} {words.value({'N': str(count)})}",
            lambda item: (length := measured(at(item, path))) not in (None, 0) and compare(length, count),
        )
    if kind == "paths":
        other = ("n",) if path == ("id",) else ("id",)  # always there; another path than the first
        sign = rng.choice(tuple(COMPARISONS))
        return f"{spelled} {sign} {words.path(other)}", lambda item: ordered(sign, at(item, path), at(item, other))
    present = rng.random() < 0.5
    name = "attribute_exists" if present else "attribute_not_exists"
    return f"{name}({spelled})", lambda item: (at(item, path) is not None) is present


def has_empty(items: list[Item], path: Path) -> bool:
    return any(at(item, path) in ({"S": ""}, {"B": ""}) for item in items)


def comparable_in(value: Value) -> bool:
    """Whether the emulator compares it in IN as the manual says."""
    ((tag, content),) = value.items()
    return tag in (*ORDERED, "BOOL") and content not in ("", False)


def inner(rng: random.Random, value: Value) -> Value | None:
    ((tag, content),) = value.items()
    if tag == "S":
        return {"S": content[: rng.randint(1, 2)]} if content else None
    if tag == "B" and content:
        return {"B": content}
    if tag in ("SS", "NS", "BS"):
        return {tag[0]: rng.choice(content)}
    found = [each for each in content if set(each) <= set(ORDERED)] if tag == "L" else []
    return rng.choice(found) if found else None


def ordered(sign: str, left: Value | None, right: Value | None) -> bool:
    one, other = ordinal(left), ordinal(right)
    return one is not None and other is not None and one[0] == other[0] and COMPARISONS[sign](one[1], other[1])


def begins(value: Value | None, start: Value) -> bool:
    one, other = ordinal(value), ordinal(start)
    return one is not None and other is not None and one[0] == other[0] and one[1].startswith(other[1])


def a_filter(rng: random.Random, words: Words, items: list[Item], depth: int = 2) -> tuple[str, Test]:
    """Conditions with AND, OR, NOT and the parentheses that they need, never more: DynamoDB refuses those."""
    if not depth or rng.random() < 0.3:
        return simple(rng, words, items)
    one, meets_one = a_filter(rng, words, items, depth - 1)
    if rng.random() < 0.25:
        return f"NOT {grouped(one)}", lambda item: not meets_one(item)
    other, meets_other = a_filter(rng, words, items, depth - 1)
    if rng.random() < 0.5:
        return f"{grouped(one)} AND {grouped(other)}", lambda item: meets_one(item) and meets_other(item)
    return f"{grouped(one)} OR {grouped(other)}", lambda item: meets_one(item) or meets_other(item)


def grouped(text: str) -> str:
    """In parentheses where it is more than one condition."""
    return f"({text})" if any(word in text for word in (" AND ", " OR ", "NOT ")) else text


def a_projection(rng: random.Random, words: Words) -> tuple[str, list[Path]]:
    """Paths of which none lies in another, for DynamoDB refuses such; keys are sometimes among them."""
    candidates: list[Path] = [
        ("txt",), ("num",), ("bin",), ("any",), ("tags",), ("size",), ("no.dots",), ("nowhere",), ("id",), ("n",),
        ("status",), ("nums",), ("info", "city"), ("info", "deep"), ("info", "codes", 0), ("info", "codes", 1),
        ("list", 0), ("list", 1), ("info",), ("list",), ("created",),
    ]  # fmt: skip
    paths: list[Path] = []
    for path in rng.sample(candidates, rng.randint(1, 7)):
        if not any(path[: len(known)] == known or known[: len(path)] == path for known in paths):
            paths.append(path)
    comma = rng.choice((",", ", ", " ,\n  "))
    return comma.join(map(words.path, paths)), paths


def shown(item: Item, paths: list[Path]) -> Item:
    """What a projection leaves: members of maps and entries of lists at their place, entries closed up."""
    tree: dict[Any, Any] = {}
    for path in paths:
        value = at(item, path)
        if value is not None:
            here = tree
            for part in path[:-1]:
                here = here.setdefault(part, {})
            here[path[-1]] = Leaf(value)
    return {name: built(below) for name, below in tree.items()}


@dataclass(frozen=True)
class Leaf:
    value: Value


def built(below: Leaf | dict[Any, Any]) -> Value:
    if isinstance(below, Leaf):
        return below.value
    if all(isinstance(part, int) for part in below):
        return {"L": [built(below[part]) for part in sorted(below)]}
    return {"M": {name: built(inside) for name, inside in below.items()}}


def options_of(words: Words, *, expression: str | None, projection: str | None) -> Iterator[str]:
    """As they stand on a command line."""
    yield from ("--filter", expression) if expression else ()
    yield from ("--projection", projection) if projection else ()
    yield from ("--expression-attribute-names", json.dumps(words.names)) if words.names else ()
    yield from ("--expression-attribute-values", json.dumps(words.values)) if words.values else ()
