"""DynamoDB's form of Ion is read as Ion's maker reads it, and nothing else is taken."""

from __future__ import annotations

import base64
from contextlib import suppress
from decimal import Context, Decimal
from typing import Any

import pytest
from amazon.ion import simpleion
from amazon.ion.core import IonType
from amazon.ion.exceptions import IonException
from amazon.ion.simple_types import IonPyList, IonPyNull
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.files.dialects import Dialect, detect, parse_line, read_items
from dynamodb_pipeline.formats.files.ion_text import parse_ion_line
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import item_size_bytes
from dynamodb_pipeline.formats.items.scalars import canonical_number
from tests.unit.formats.item_texts import ion_text
from tests.unit.formats.strategies import items

EXACT = Context(prec=400)


def line(members: str) -> bytes:
    return f"$ion_1_0 {{Item:{{{members}}}}}".encode()


def to_ion(value: dict[str, Any]) -> Any:
    """The value as Ion's own library is given it."""
    ((tag, content),) = value.items()
    if tag in ("SS", "NS", "BS"):
        elements = [to_ion({tag[0]: element}) for element in content]
        return IonPyList.from_value(IonType.LIST, elements, (f"$dynamodb_{tag}",))
    return {
        "L": lambda: [to_ion(element) for element in content],
        "M": lambda: {name: to_ion(inner) for name, inner in content.items()},
        "N": lambda: EXACT.create_decimal(content),
        "B": lambda: base64.b64decode(content),
        "NULL": lambda: None,
    }.get(tag, lambda: content)()


def from_ion(value: Any) -> dict[str, Any]:
    """The tagged value of what Ion's own library has read; raises ValueError for what DynamoDB does not write."""
    annotations = [annotation.text for annotation in getattr(value, "ion_annotations", ())]
    kind = IonType.NULL if value is None else getattr(value, "ion_type", None)
    if annotations:
        (annotation,) = annotations
        tag = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}[annotation]
        if kind is not IonType.LIST:
            raise ValueError(kind)
        elements = [from_ion(element) for element in value]
        if any(element.keys() != {tag[0]} for element in elements):
            raise ValueError(tag)
        return {tag: [element[tag[0]] for element in elements]}
    if isinstance(value, IonPyNull) and kind is not IonType.NULL:
        raise ValueError(kind)
    if kind in (IonType.INT, IonType.DECIMAL):
        return {"N": canonical_number(str(Decimal(value)))}
    readers = {
        IonType.NULL: lambda: {"NULL": True},
        IonType.BOOL: lambda: {"BOOL": bool(value)},
        IonType.STRING: lambda: {"S": str(value)},
        IonType.BLOB: lambda: {"B": base64.b64encode(bytes(value)).decode()},
        IonType.LIST: lambda: {"L": [from_ion(element) for element in value]},
        IonType.STRUCT: lambda: {"M": struct(value)},
    }
    return readers[kind]()


def struct(value: Any) -> dict[str, Any]:
    members = list(value.items())
    if len({name for name, _ in members}) != len(members):
        raise ValueError("a member twice")
    return {name: from_ion(inner) for name, inner in members}


def canonical(value: dict[str, Any]) -> dict[str, Any]:
    ((tag, content),) = value.items()
    if tag == "N":
        return {tag: canonical_number(content)}
    if tag == "NS":
        return {tag: [canonical_number(number) for number in content]}
    if tag == "L":
        return {tag: [canonical(element) for element in content]}
    return {tag: {name: canonical(inner) for name, inner in content.items()} if tag == "M" else content}


@settings(max_examples=80)
@given(items)
def test_what_ions_own_library_writes_is_read(item):
    written = simpleion.dumps({"Item": to_ion({"M": item})}, binary=False)
    assert canonical({"M": parse_ion_line(written.encode())}) == canonical({"M": item})


@settings(max_examples=150)
@given(items, st.data())
def test_no_line_is_read_otherwise_than_ions_own_library_reads_it(item, data):
    """Damaged at one place, or not at all: what we take, the library takes as the same."""
    text = bytearray(ion_text(item))
    place = data.draw(st.integers(len(b"$ion_1_0 "), len(text)))
    text[place : place + data.draw(st.integers(0, 1))] = data.draw(
        st.sampled_from([b"", b'"', b"'", b"{", b"}", b"[", b",", b":", b"::", b"\\", b"-", b"1", b"e", b"d", b" "])
    )
    with suppress(ItemError):
        ours = parse_ion_line(bytes(text))
        item_size_bytes(ours)  # base64 and the like are judged behind every reader
        (read,) = simpleion.loads(bytes(text), single_value=False)
        assert canonical({"M": ours}) == from_ion(read["Item"])


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ("a:103.", {"N": "103"}),
        ("a:6d2", {"N": "6E2"}),
        ("a:-1.50D-3", {"N": "-1.50E-3"}),
        ("a:0d-10", {"N": "0E-10"}),
        ("a:5", {"N": "5"}),
        ("a:null", {"NULL": True}),
        ("a : false ", {"BOOL": False}),
        (r'a:"\x41\u00e9\U0001F600\0\a\b\v\?\/\'\ud83d\ude00"', {"S": "Aé\U0001f600\0\a\b\v?/'\U0001f600"}),
        ("a:{{ aGk= }}", {"B": "aGk="}),
        ("a:{{}}", {"B": ""}),
        ("'a':[]", {"L": []}),
        ('"a":{}', {"M": {}}),
        ("a:$dynamodb_BS::[{{aGk=}}]", {"BS": ["aGk="]}),
        ("a:$dynamodb_NS::[1.,2d1]", {"NS": ["1", "2E1"]}),
        ("a:{'null':1.,'x y':2.}", {"M": {"null": {"N": "1"}, "x y": {"N": "2"}}}),
    ],
)
def test_a_value_is_read_by_its_type(members, value):
    assert parse_ion_line(line(members)) == {"a": value}
    assert parse_line(line(members), Dialect.ION) == {"a": value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{Item:{a:1.}}", "does not begin with $ion_1_0"),
        (b"$ion_1_0_x {Item:{a:1.}}", "does not begin with $ion_1_0"),
        (b"$ion_1_0 {Record:{a:1.}}", "one member Item"),
        (b"$ion_1_0 {Item:{a:1.},b:2.}", "} expected"),
        (b"$ion_1_0 {Item:{a:1.}} {Item:{a:1.}}", "other text follows"),
        (b"$ion_1_0 {Item:{{aGk=}}}", "{ expected"),
        (b"$ion_1_0 {Item:[1.]}", "{ expected"),
        (b'$ion_1_0 {Item:{a:"\xff"}}', "not UTF-8"),
        (line("a:1.,a:2."), "a: attribute stands there twice"),
        (line("b:{a:1.,a:2.}"), "b.a: attribute stands there twice"),
        (line("a:1e5"), "a value that DynamoDB does not write"),
        (line("a:nan"), "a value that DynamoDB does not write"),
        (line("a:0x1F"), "a value that DynamoDB does not write"),
        (line("a:1_000"), "a value that DynamoDB does not write"),
        (line("a:2007-02-23"), "a value that DynamoDB does not write"),
        (line("a:007"), "a value that DynamoDB does not write"),
        (line("a:null.string"), "a value that DynamoDB does not write"),
        (line("a:symbol"), "a value that DynamoDB does not write"),
        (line("a:'symbol'"), "a value that DynamoDB does not write"),
        (line("a:(1.)"), "a value that DynamoDB does not write"),
        (line('a:{{"clob"}}'), "base64 expected"),
        (line("a:other::[1.]"), "a value that DynamoDB does not write"),
        (line('a:$dynamodb_SS::"x"'), "[ expected"),
        (line("a:$dynamodb_SS::[1.]"), "a[0]: an element of another type in a set (SS)"),
        (line("a:[1.,2e0]"), "a[1]: "),
        (line("a:[1.,]"), "a[1]: "),
        (line("a:1.,"), "a member's name expected"),
        (line("$4:1."), "a member's name expected"),
        (line("null:1."), "a member's name expected"),
        (line("'''a''':1."), "a long text"),
        (line("a:1. /* x */"), ", expected"),
        (line(r'a:"\z"'), "an escape that Ion does not have"),
        (line(r'a:"\u12"'), "an escape that Ion does not have"),
        (line(r'a:"\U00110000"'), "an escape that Ion does not have"),
        (line(r'a:"\ud800"'), "a lone surrogate"),
        (line('a:"x'), "a text that does not end"),
        (line('a:"\x01"'), "holds a control character"),
        (line("a:" + "[" * 50_000), "nested too deep"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_dynamodb_does_not_write_is_refused(text, said):
    with pytest.raises(ItemError) as refused:
        parse_line(text, Dialect.ION)
    assert said in str(refused.value)


def test_the_library_agrees_that_broken_lines_are_broken():
    """So the refusals above that are no Ion at all are refused by both."""
    for text in (line("a:1.,,"), line(r'a:"\z"'), line("a:1. b:2."), b"$ion_1_0 {Item:{a:1.}"):
        with pytest.raises(IonException):
            simpleion.loads(text, single_value=False)


def test_a_damaged_line_is_a_bad_line_of_its_file():
    plain = line("a:1.") + b"\n" + line("a:1e0") + b"\n" + line("a:2.")
    assert detect(line("a:1e0")) is detect(plain) is Dialect.ION
    found = list(read_items(plain, name="f"))
    assert [item.item for item in found] == [{"a": {"N": "1"}}, None, {"a": {"N": "2"}}]
    assert str(found[1].error).startswith("f: line 2 (byte 23): a: malformed Ion")


def outcome(text: bytes, **options: int) -> object:
    try:
        return parse_ion_line(text, **options)
    except ItemError as err:
        return err.path


@given(items, st.data())
def test_a_long_line_is_read_like_any_other(item, data):
    text = ion_text(item)
    place = data.draw(st.integers(0, len(text)))
    text = text[:place] + data.draw(st.sampled_from([b"", b"", b" ", b"]", b'"', b"}", "é".encode()])) + text[place:]
    assert outcome(text, most_bytes=0) == outcome(text)


def test_a_long_line_with_more_in_it_than_an_item_is_refused_on_the_way():
    with pytest.raises(ItemError, match="more in it than an item of 400 KB can hold"):
        parse_ion_line(line(f"a:[{','.join(['[]'] * 110_000)}]"), most_bytes=0)
