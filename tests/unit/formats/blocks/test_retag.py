"""Tags renamed on bytes: exactly what a parser would have made of them, or None."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.blocks import grammar
from dynamodb_pipeline.formats.blocks.puts import known_puts
from dynamodb_pipeline.formats.blocks.retag import (
    BETWEEN_ITEMS_OF_A_PAGE,
    Retagger,
    scan_page_lines,
)
from dynamodb_pipeline.formats.blocks.shapes import MAX_SHAPES
from dynamodb_pipeline.formats.files.file_forms import Dialect
from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, CONNECTOR_TAGS, item_to_connector_line
from tests.unit.formats.strategies import STRUCTURE_LIKE, TAG_LIKE_NAMES, alike, items

UPPER_OF = {
    **{"s": "S", "n": "N", "b": "B", "sS": "SS", "nS": "NS", "bS": "BS", "bOOL": "BOOL", "l": "L", "m": "M"},
    **{"nULL": "NULL", "nULLValue": "NULL"},
}
connector_block_to_puts = partial(known_puts, dialect=Dialect.CONNECTOR)
CONNECTOR_OF = {upper: tag for tag, upper in UPPER_OF.items() if tag != "nULLValue"}


def connector_line_to_put(line: bytes) -> bytes | None:
    """A line's put as it is made of a block that has no other."""
    puts = connector_block_to_puts(line)
    return puts[0] if puts is not None and len(puts) == 1 else None


# ---- the oracle: JSON as lists of pairs, so that order and doubled members count; tags renamed level by level


class Pairs(list):
    """A JSON object; arrays are plain lists."""


def parsed(text: bytes) -> Any:
    """Strict: no NaN, no lone surrogate, nothing raw below 0x20."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    tree = json.loads(text.decode(), object_pairs_hook=Pairs, parse_constant=refuse)
    json.dumps(tree, ensure_ascii=False).encode()
    return tree


def renamed_members(members: Any, tags: dict[str, str]) -> Pairs:
    assert isinstance(members, Pairs)
    return Pairs((name, renamed_value(value, tags)) for name, value in members)


def renamed_value(value: Any, tags: dict[str, str]) -> Pairs:
    assert isinstance(value, Pairs)
    ((tag, content),) = value
    if tag in {"m", "M"}:
        content = renamed_members(content, tags)
    if tag in {"l", "L"}:
        assert content.__class__ is list
        content = [renamed_value(element, tags) for element in content]
    return Pairs([(tags[tag], content)])


def compact(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def spelled(item: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """`item` (upper-case tags) with other tags."""

    def value(old: dict[str, Any]) -> dict[str, Any]:
        ((tag, content),) = old.items()
        if tag == "M":
            content = {name: value(inner) for name, inner in content.items()}
        if tag == "L":
            content = [value(inner) for inner in content]
        return {tags[tag]: content}

    return {name: value(old) for name, old in item.items()}


@st.composite
def connector_lines(draw: st.DrawFn) -> bytes:
    """A connector line without its line feed; ASCII escapes now and then, as others write them."""
    tags = {**CONNECTOR_OF, "NULL": draw(st.sampled_from(["nULL", "nULLValue"]))}
    tree = spelled(draw(items), tags)
    return json.dumps(tree, ensure_ascii=draw(st.booleans()), separators=(",", ":")).encode()


@st.composite
def scan_replies(draw: st.DrawFn) -> bytes:
    """A Scan reply with its members in any order."""
    page = draw(st.lists(items, max_size=4))
    reply = {
        "Items": page,
        "Count": len(page),
        "ScannedCount": len(page),
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 128.5, "Table": {"CapacityUnits": 128.5}},
        "LastEvaluatedKey": {"Items": {"S": '"Items":['}, "M": {"N": "1"}},
    }
    order = draw(st.permutations(sorted(reply)))
    return json.dumps({name: reply[name] for name in order}, ensure_ascii=False, separators=(",", ":")).encode()


# ---- lines to puts


def has_map_named_attribute_first(tree: Any) -> bool:
    """The one thing the grammar declines among shallow items: `m` as the first name of an item or a map."""

    def in_value(value: Any) -> bool:
        ((tag, content),) = value
        if tag in {"m", "M"}:
            return in_members(content)
        return tag in {"l", "L"} and any(map(in_value, content))

    def in_members(members: Any) -> bool:
        return (bool(members) and members[0][0] in {"m", "M"}) or any(in_value(value) for _, value in members)

    return in_members(tree)


def levels_of(value: Any) -> int:
    ((tag, content),) = value
    inner = [v for _, v in content] if tag in {"m", "M"} else content if tag in {"l", "L"} else None
    return 0 if inner is None else 1 + max(map(levels_of, inner), default=0)


@settings(max_examples=80)
@given(connector_lines())
def test_put_is_what_a_parser_would_make_of_the_line(line):
    put = connector_line_to_put(line)
    tree = parsed(line)
    if put is None:
        assert (
            has_map_named_attribute_first(tree)
            or any(levels_of(value) > 4 for _, value in tree)
            or b"\\ud" in line.lower()
        )
    else:
        assert parsed(put) == renamed_members(tree, UPPER_OF)


@settings(max_examples=60)
@given(st.lists(connector_lines(), max_size=4), st.booleans())
def test_a_block_is_its_lines(lines, last_line_feed):
    block = b"".join(line + b"\n" for line in lines)
    singly = [connector_line_to_put(line) for line in lines]
    expected = None if None in singly else singly
    assert connector_block_to_puts(block if last_line_feed else block[:-1]) == expected


SIMPLE = b'{"Id":{"s":"x"},"m":{"n":"1"},"l":{"sS":["a","b"]}}'


def test_both_null_tags_become_one():
    line = b'{"a":{"nULL":true},"b":{"nULLValue":true}}'
    assert connector_line_to_put(line) == b'{"a":{"NULL":true},"b":{"NULL":true}}'


def test_line_feed_is_optional_and_not_part_of_the_put():
    put = b'{"Id":{"S":"x"},"m":{"N":"1"},"l":{"SS":["a","b"]}}'
    assert connector_line_to_put(SIMPLE) == connector_line_to_put(SIMPLE + b"\n") == put


def test_an_empty_block_has_no_puts():
    assert connector_block_to_puts(b"") == []


@pytest.mark.parametrize("name", [*TAG_LIKE_NAMES, *STRUCTURE_LIKE, '"', "a\\", '\\"s', "é", "\U0001f600", " "])
@pytest.mark.parametrize("tag", ["s", "sS", "m", "l", "bOOL", "nULLValue"])
@pytest.mark.parametrize("place", ["first", "last", "in a map", "in a map in a list", "in a map in a map"])
def test_names_that_look_like_tags_stay(name, tag, place):
    contents = {"s": name, "sS": [name], "m": {name: {"s": name}}, "l": [{"s": name}], "bOOL": True, "nULLValue": True}
    member = {name: {tag: contents[tag]}}
    tree = {
        "first": {**member, "z": {"s": ""}},
        "last": {"a": {"s": ""}, **member},
        "in a map": {"a": {"m": {**member, "z": {"s": ""}}}},
        "in a map in a list": {"a": {"l": [{"m": member}]}},
        "in a map in a map": {"a": {"m": {"b": {"m": member}}}},
    }[place]
    put = connector_line_to_put(compact(tree))
    if put is None:
        assert name == "m"
    else:
        assert parsed(put) == renamed_members(parsed(compact(tree)), UPPER_OF)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}",
        b"[]",
        b'"x"',
        SIMPLE + b" ",
        b" " + SIMPLE,
        SIMPLE + b"\r\n",
        SIMPLE + b"\n\n",
        SIMPLE + SIMPLE,
        SIMPLE + b"\n" + SIMPLE,
        SIMPLE[:-1],
        SIMPLE + b"}",
        SIMPLE.replace(b":", b": "),
        SIMPLE.replace(b'"x"', b'"\n"'),
        SIMPLE.replace(b'"x"', b'"\t"'),
        SIMPLE.replace(b'"x"', b'"\x00"'),
        SIMPLE.replace(b'"x"', b'"\\x"'),
        SIMPLE.replace(b'"x"', b'"\\u12"'),
        SIMPLE.replace(b'"x"', b'"\\ud83d"'),
        SIMPLE.replace(b'"x"', b'"\\ud83d\\ude00"'),
        SIMPLE.replace(b'"x"', b'"\\"'),
        SIMPLE.replace(b'"x"', b'"\xff"'),
        SIMPLE.replace(b'"x"', b'"\xed\xa0\x80"'),
        SIMPLE.replace(b'"x"', b"5"),
        SIMPLE.replace(b'"x"', b"null"),
        SIMPLE.replace(b'"x"', b'["x"]'),
        SIMPLE.replace(b'"s"', b'"S"'),
        SIMPLE.replace(b'"sS"', b'"ss"'),
        SIMPLE.replace(b'"s"', b'"x"'),
        SIMPLE.replace(b'["a","b"]', b"[]"),
        SIMPLE.replace(b'["a","b"]', b'["a",]'),
        SIMPLE.replace(b'["a","b"]', b'["a""b"]'),
        SIMPLE.replace(b'{"s":"x"}', b"{}"),
        SIMPLE.replace(b'{"s":"x"}', b'{"s":"x","n":"1"}'),
        SIMPLE.replace(b'{"s":"x"}', b'"x"'),
        SIMPLE.replace(b'{"s":"x"}', b'{"bOOL":1}'),
        SIMPLE.replace(b'{"s":"x"}', b'{"nULL":false}'),
        SIMPLE.replace(b'{"s":"x"}', b'{"m":[]}'),
        SIMPLE.replace(b'{"s":"x"}', b'{"l":{}}'),
        SIMPLE.replace(b'{"s":"x"}', b'{"l":["x"]}'),
        SIMPLE.replace(b'{"s":"x"}', b'{"l":[{"s":"x"},]}'),
        SIMPLE.replace(b"},", b"},,", 1),
        SIMPLE.replace(b'"1"}', b'"1"},'),
        SIMPLE.replace(b"x", b"\x01\x02"),
        b'{"m":{"s":"x"}}',
        b'{"m":{"m":{}}}',
        b'{"a":{"m":{"m":{"m":{}}}}}',
    ],
)
def test_declines_what_is_not_exactly_a_line_or_could_be_misread(line):
    assert connector_line_to_put(line) is None


# ---- Scan replies to lines


@settings(max_examples=80)
@given(scan_replies(), st.sampled_from(["nULL", "nULLValue"]))
def test_lines_are_what_a_parser_would_make_of_the_reply(body, null_tag):
    result = scan_page_lines(body, null_tag=null_tag)
    page = dict(parsed(body))["Items"]
    if result is None:
        assert any(has_map_named_attribute_first(item) or levels_of([("M", item)]) > 5 for item in page)
        return
    lines, count = result
    tags = {**CONNECTOR_OF, "NULL": null_tag}
    assert count == len(page) == lines.count(b"\n")
    assert [parsed(line) for line in lines.split(b"\n")[:-1]] == [renamed_members(item, tags) for item in page]


@given(items)
def test_lines_are_the_connectors_own(item):
    """Where the reply escapes no more than the connector does, byte for byte."""
    body = compact({"Items": [item], "Count": 1})
    result = scan_page_lines(body, null_tag="nULL")
    assert result is None or result == (item_to_connector_line(item), 1)


def test_escapes_of_the_reply_are_kept():
    body = b'{"Count":1,"Items":[{"a\\u0062":{"S":"\\u00e9\\/\\\\\\""}}]}'
    assert scan_page_lines(body, null_tag="nULL") == (b'{"a\\u0062":{"s":"\\u00e9\\/\\\\\\""}}\n', 1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Items":[],"Count":0,"ScannedCount":0}',
        b'{"Count":0,"Items":[],"ScannedCount":7,"LastEvaluatedKey":{"Id":{"S":"x"}}}',
        b'{"Count":0,"Items":[]}',
    ],
)
def test_an_empty_page_has_no_lines(body):
    assert scan_page_lines(body, null_tag="nULL") == (b"", 0)


ITEM = b'{"Id":{"S":"x"}}'
REPLY = b'{"Count":2,"Items":[' + ITEM + b"," + ITEM + b'],"ScannedCount":2}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"Count":0}',
        b'{"Items":[',
        b'{"Items":[]',
        b'"Items":[]',
        REPLY[:-1],
        REPLY + b"}",
        REPLY + REPLY,
        REPLY.replace(b"],", b"]]"),
        REPLY.replace(b"],", b"}],"),
        REPLY.replace(b"],", b","),
        REPLY.replace(b"],", b",],"),
        REPLY.replace(b"},{", b"}{"),
        REPLY.replace(b"},{", b"}],{"),
        REPLY.replace(b"},{", b"}\n{"),
        REPLY.replace(b"},{", b"},\n{"),
        REPLY.replace(b"},{", b"},{},{"),
        REPLY.replace(b'"S"', b'"s"'),
        REPLY.replace(b'"Items"', b'"items"'),
        REPLY.replace(b'"Count":2', b'"Count":02'),
        REPLY.replace(b"}]", b'}],"Items":[]'),
        REPLY.replace(b'"ScannedCount":2', b'"Count":2'),
        b'{"x":' + REPLY + b"}",
        b'[{"Items":[' + ITEM + b"]}]",
        b'{"LastEvaluatedKey":{"Items":[' + ITEM + b"]}}",
        b'{"LastEvaluatedKey":{"Items":[' + ITEM + b']},"Items":[]}',
        b'{"a\\"Items":[' + ITEM + b'],"Items":[]}',
        b'{"a":"x"Items":[' + ITEM + b"]}",
        REPLY.replace(b'"x"', b'"\\uD83D"'),
        REPLY.replace(b'"x"', b'"\xc3"'),
    ],
)
def test_declines_what_is_no_whole_reply(body):
    assert scan_page_lines(body, null_tag="nULL") is None


def test_a_page_of_separators_and_quotes_is_not_cut_inside_strings():
    hard = [*STRUCTURE_LIKE, '"}},{"Id":{"S":"', "\\" * 5, '\\"' * 3, '"Items":[', "]}"]
    page = [{name: {"S": text}, "z": {"SS": [name, text]}} for name in hard for text in hard]
    result = scan_page_lines(compact({"Items": page, "Count": len(page)}), null_tag="nULL")
    assert result is not None
    assert [json.loads(line) for line in result[0].splitlines()] == [spelled(item, CONNECTOR_OF) for item in page]


# ---- damaged input: declined, or read as a parser reads it


def damaged(text: bytes, draw: random.Random) -> bytes:
    """One to three bytes replaced, removed or put in, or a piece doubled; often the bytes structure is made of."""
    alphabet = b'{}[],:"\\SsMmNnLlBtrue0 \n\x01\x02\x03\xe2\x80\xa8\xff'
    for _ in range(draw.randint(1, 3)):
        place, kind = draw.randrange(len(text) + 1), draw.randrange(4)
        byte = bytes([draw.choice(alphabet)])
        if kind == 3:
            end = min(len(text), place + draw.randint(1, 12))
            text = text[:end] + text[place:end] + text[end:]
        else:
            text = text[:place] + (b"" if kind == 1 else byte) + text[place + (kind != 2) :]
    return text


@settings(max_examples=80)
@given(connector_lines(), st.randoms(use_true_random=False))
def test_damaged_lines(line, draw):
    for _ in range(10):
        text = damaged(line, draw)
        put = connector_line_to_put(text)
        if put is not None:
            assert parsed(put) == renamed_members(parsed(text), UPPER_OF)


@settings(max_examples=80)
@given(scan_replies(), st.randoms(use_true_random=False))
def test_damaged_replies(body, draw):
    for _ in range(10):
        text = damaged(body, draw)
        result = scan_page_lines(text, null_tag="nULL")
        if result is not None:
            reply = parsed(text)
            (page,) = [value for name, value in reply if name == "Items"]
            lines = result[0].split(b"\n")[:-1]
            assert result[1] == len(lines)
            assert [parsed(line) for line in lines] == [renamed_members(item, CONNECTOR_OF) for item in page]


# ---- shapes: the quicker way through items that look alike

NEVER = 1 << 40


def another(tag: str, content: Any, draw: random.Random) -> Any:
    """Another text, other set elements, or the other truth; not all of them valid."""
    word = draw.choice(["", "x", '"', "\\", "%b", "%", "{", '"}},{"', "é", ":", "],["])
    if tag in {"S", "N", "B"}:
        return word
    if tag in {"SS", "NS", "BS"}:
        return [word] * draw.randint(1, 3)
    return not content if tag == "BOOL" else content


@st.composite
def texts_of_a_shape(draw: st.DrawFn, separator: str, tags: dict[str, str]) -> bytes:
    """Two or more items alike, others among them, perhaps damaged; in quiet form."""
    item = draw(items)
    chance = draw(st.randoms(use_true_random=False))
    other = partial(another, draw=chance)
    page = [{name: alike(value, other) for name, value in item.items()} for _ in range(4)]
    page[3:3] = draw(st.lists(items, max_size=2))
    text = separator.join(compact(spelled(entry, tags)).decode() for entry in page).encode()
    text += b"\n" if separator == "\n" else b"]}"
    if draw(st.booleans()):
        text = text[:40] + damaged(text[40:], chance)
    return grammar.quiet(text) or b""


@settings(max_examples=25)
@given(st.data(), st.sampled_from(["nULL", "nULLValue"]))
def test_shapes_make_of_a_page_what_the_grammar_makes_of_it(data, null_tag):
    text = data.draw(texts_of_a_shape(",", {tag: tag for tag in CONNECTOR_TAGS}))
    spellings = {**CONNECTOR_TAGS, "NULL": null_tag}
    quick, plain = (
        Retagger(grammar.DYNAMODB, spellings, separator=BETWEEN_ITEMS_OF_A_PAGE, shapes_from_bytes=threshold)
        for threshold in (0, NEVER)
    )
    assert quick.lines(text) == plain.lines(text)


@settings(max_examples=25)
@given(st.data(), st.sampled_from(["nULL", "nULLValue"]))
def test_shapes_make_of_lines_what_the_grammar_makes_of_them(data, null_tag):
    text = data.draw(texts_of_a_shape("\n", {**CONNECTOR_TAGS, "NULL": null_tag}))
    quick, plain = (Retagger.of_lines(CONNECTOR_SPELLINGS, shapes_from_bytes=threshold) for threshold in (0, NEVER))
    assert quick.lines(text) == plain.lines(text)


ALIKE = b'{"a":{"s":"%"},"b":{"bOOL":true},"c":{"nULL":true},"d":{"sS":["x"]},"e":{"m":{"true":{"n":"1"}}}}\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"%"', b'""'),
        (b'"%"', b'"%b%%"'),
        (b'"%"', b'"a\nb"'),
        (b'"%"', b'"a","f":{"s":"x"'),
        (b'"%"', b"true"),
        (b"true", b"false"),
        (b"true", b"truefalse"),
        (b"true", b'"true"'),
        (b'{"nULL":true}', b'{"nULL":false}'),
        (b'{"nULL":true}', b'{"nULLValue":true}'),
        (b'["x"]', b'["x","y"]'),
        (b'["x"]', b"[]"),
        (b'["x"]', b'["x",]'),
        (b'["x"]', b'"x"'),
        (b'"true"', b'"false"'),
        (b'"1"', b'"2"'),
        (b"}}\n", b"}}}\n"),
        (b"}}\n", b"}}"),
    ],
)
def test_what_differs_from_the_shape_by_a_little(old, new):
    quick, plain = (Retagger.of_lines(CONNECTOR_SPELLINGS, shapes_from_bytes=threshold) for threshold in (0, NEVER))
    text = ALIKE * 3 + ALIKE.replace(old, new, 1) + ALIKE
    assert text != ALIKE * 5
    assert quick.lines(text) == plain.lines(text)


def test_a_page_of_items_alike_goes_by_their_shape():
    """Large enough for the threshold, with one odd item in the middle."""
    page = [
        {"Id": {"S": f"{number:0100}"}, "on": {"BOOL": number % 2 == 0}, "z": {"NULL": True}} for number in range(900)
    ]
    page[450] = {"Id": {"S": "odd"}, "l": {"L": [{"N": "1"}]}}
    body = compact({"Items": page, "Count": 900})
    lines = b"".join(item_to_connector_line(item, null_tag="nULLValue") for item in page)
    assert scan_page_lines(body, null_tag="nULLValue") == (lines, 900)
    assert connector_block_to_puts(lines) == [compact(item) for item in page]


def test_more_shapes_than_are_kept_are_read_all_the_same():
    retagger = Retagger.of_lines(CONNECTOR_SPELLINGS, shapes_from_bytes=0)
    for number in range(2 * MAX_SHAPES):
        text = b'{"a%d":{"s":"x"}}\n' % number * 2
        assert retagger.lines(text) == (text.replace(b'"s"', b'"S"'), 2, b"")
