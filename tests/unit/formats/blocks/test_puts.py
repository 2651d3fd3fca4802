"""A block judged at once: the verdicts of the careful way, or None."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.blocks import grammar
from dynamodb_pipeline.formats.blocks.puts import BlockJudge, CheckedPut, checked_puts, known_puts
from dynamodb_pipeline.formats.blocks.retag import Retagger
from dynamodb_pipeline.formats.files.dialects import Dialect
from dynamodb_pipeline.formats.items.item_rules import ItemError, check_item
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeyAttribute, KeySchema, VectorAttribute
from dynamodb_pipeline.formats.items.tags import CONNECTOR_SPELLINGS, item_to_connector_line, to_dynamodb
from tests.unit.formats.blocks.test_retag import damaged
from tests.unit.formats.strategies import alike, items, texts

KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"),))
keyed_items = st.builds(lambda item, key: {**item, "Id": {"S": key}}, items, texts.filter(bool))
lines = st.builds(
    lambda item, null_tag: item_to_connector_line(item, null_tag=null_tag),
    keyed_items,
    st.sampled_from(["nULL", "nULLValue"]),
)


def carefully(block: bytes) -> list[tuple[dict, bytes, int]]:
    """Item, key and size of each line, by parsing, converting and checking one by one."""
    found = []
    for line in block.splitlines():
        item = to_dynamodb(parse_json(line))
        facts = check_item(item, keys=KEYS)
        found.append((item, facts.key, facts.size_bytes))
    return found


@pytest.mark.parametrize(("last", "accepted"), [(b"2", True), (b"4e38", False)])
def test_each_vector_is_judged_and_not_the_shape_alone(last: bytes, accepted: bool) -> None:
    index = IndexKeys("close", (), VectorAttribute("v", 2))
    line = b'{"Id":{"s":"%d"},"v":{"l":[{"n":"1"},{"n":"%b"}]}}\n'
    block = b"".join(line % (number, component) for number, component in enumerate([b"1"] * 5 + [last]))
    assert (checked_puts(block, keys=KEYS, index_keys=(index,)) is not None) is accepted
    assert checked_puts(block, keys=KEYS) is not None


def has_attribute_named(item: dict, names: set[str]) -> bool:
    def in_value(value: dict) -> bool:
        return has_attribute_named(value.get("M", {}), names) or any(map(in_value, value.get("L", ())))

    return bool(names & item.keys()) or any(map(in_value, item.values()))


@settings(max_examples=60)
@given(st.lists(lines, max_size=4))
def test_verdict_is_that_of_the_careful_way(block_lines):
    block = b"".join(block_lines)
    puts, careful = checked_puts(block, keys=KEYS), carefully(block)
    if puts is None:
        assert any(has_attribute_named(item, {"M", "m"}) for item, _, _ in careful)
    else:
        assert [(json.loads(put.json), put.key, put.size_bytes) for put in puts] == careful
        assert all(b"\n" not in put.json for put in puts)


@settings(max_examples=60)
@given(st.lists(lines, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_damaged_blocks(block_lines, draw):
    for _ in range(8):
        block = damaged(b"".join(block_lines), draw)
        puts = checked_puts(block, keys=KEYS)
        if puts is not None:
            assert [(parse_json(put.json), put.key, put.size_bytes) for put in puts] == carefully(block)


GOOD = b'{"Id":{"s":"x"},"a":{"l":[{"s":"y"},{"m":{"b":{"sS":["1","2"]}}}]}}\n'


def test_a_put_has_json_key_and_size():
    (put,) = checked_puts(GOOD, keys=KEYS) or []
    assert put == CheckedPut(
        b'{"Id":{"S":"x"},"a":{"L":[{"S":"y"},{"M":{"b":{"SS":["1","2"]}}}]}}', b"\x00\x00\x00\x01x", 3 + 1 + 3 + 2 + 8
    )


def test_an_empty_block_has_no_puts():
    assert checked_puts(b"", keys=KEYS) == []


# Every rule that only a careful look finds, once; what each line is made of is valid JSON.
BROKEN = [
    b'{"a":{"s":"no key"}}',
    b'{"Id":{"s":""}}',
    b'{"Id":{"n":"1"}}',
    b'{"Id":{"s":"x"},"a":{"n":"one"}}',
    b'{"Id":{"s":"x"},"a":{"n":5}}',
    b'{"Id":{"s":"x"},"a":{"b":"AB=="}}',
    b'{"Id":{"s":"x"},"a":{"sS":["y","y"]}}',
    b'{"Id":{"s":"x"},"a":{"nS":["1","1.0"]}}',
    b'{"Id":{"s":"x"},"a":{"sS":[]}}',
    b'{"Id":{"s":"x"},"a":{"nULL":false}}',
    b'{"Id":{"s":"x"},"a":{"ss":["y"]}}',
    b'{"Id":{"s":"x"},"a":{"s":"1"},"a":{"s":"2"}}',
    b'{"Id":{"s":"x"},"a":{"s":"1","s":"2"}}',
    b'{"Id":{"s":"x"},"a":{"s":"1","n":"2"}}',
    b'{"Id":{"s":"x"},"a":{"m":{"b":{"s":""},"b":{"s":""}}}}',
    b'{"Id":{"s":"x"},"a":{"l":[{"m":{"b":{"s":""},"b":{"s":""}}}]}}',
    b'{"Id":{"s":"x"},"a":{"S":"1","S" :"2"}}',
    b'{"Id":{"s":"x"},"a":{"s":":"},"a"  :{"s":"2"}}',
    b'{"Id":{"s":"x"},"a":{"s":":"},"a":{"s":":"}}',
    b'{"Id":{"s":"x"},"m":{"s":""},"M":{"s":""}}',
    b'{"m":{"m":{"Id":{"s":""}}},"Id":{"s":"x"}}',
    b'{"Id":{"s":"' + b"x" * 409_600 + b'"}}',
    b'{"Id":{"s":"x"},"a":' + b'{"l":[' * 40 + b"]}" * 40 + b"}",
    b'{"Id":{"s":"x"},"a":' + b'{"l":[' * 9999 + b"]}" * 9999 + b"}",
    b'{"Id":{"S":"x"}}',
    b"",
    b" ",
    b"{}",
    b"5",
    GOOD[:-2],
    GOOD[:-1] + b"," + GOOD[:-1],
    GOOD[:-1] + b"],[" + GOOD[:-1],
    GOOD[:-1] + b"\r",
]


# A large block goes by the shape of its items, a small one is parsed.
SIZES = pytest.mark.parametrize("count", [1, 1200], ids=["parsed", "by shape"])


@SIZES
@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:60].decode())
def test_declines_a_block_with_a_line_that_needs_a_careful_look(line, count):
    assert len(checked_puts(GOOD * count, keys=KEYS) or []) == count
    assert checked_puts(GOOD * count + line + b"\n" + GOOD, keys=KEYS) is None


@SIZES
@pytest.mark.parametrize(
    "block",
    [
        b'{"Id":{"sS":["x"\n"y"]}},{"Id":{"s":"z"}}\n',
        b'{"Id":{"s":"x"},"a":{"l":[{"s":"y"}\n{"s":"z"}]}},{"Id":{"s":"x"}}\n',
        b'{"Id":{"s":"x"}\n"a":{"s":"y"}}\n',
        b'{"Id":{"s":"x"},"a":{"sS":["y"\n"z"]}},{"Id":{"s":"x"}}\n',
        b'{"Id":{"s":"x"},"a":{"l":[[{"s":"y"}\n{"s":"z"}]]}}\n',
        b'{"Id":{"s":"x\ny"}}\n',
    ],
)
def test_an_item_cannot_span_lines(block, count):
    assert checked_puts(GOOD * (count - 1) + block, keys=KEYS) is None
    with pytest.raises((ItemError, JsonTextError)):
        carefully(block)


WRITERS = {
    Dialect.DYNAMODB_JSON: lambda item: json.dumps(item).encode(),
    Dialect.NATIVE: lambda item: json.dumps({"Item": item}, ensure_ascii=False, separators=(",", ":")).encode(),
}


@settings(max_examples=60)
@pytest.mark.parametrize("dialect", WRITERS)
@given(st.lists(keyed_items, max_size=4))
def test_other_dialects_are_judged_as_the_careful_way_judges_them(dialect, found):
    block = b"".join(WRITERS[dialect](item) + b"\n" for item in found)
    puts = checked_puts(block, dialect=dialect, keys=KEYS)
    if puts is None:
        assert b"\\ud" in block or any(has_attribute_named(item, {"M"}) for item in found)
    else:
        facts = [check_item(item, keys=KEYS) for item in found]
        assert [(json.loads(p.json), p.key, p.size_bytes) for p in puts] == [
            (item, fact.key, fact.size_bytes) for item, fact in zip(found, facts)
        ]
        assert known_puts(block, dialect) == [put.json for put in puts]


@pytest.mark.parametrize(
    "line",
    [
        b'{"Item":{"Id":{"S":"x"}}',
        b'{"Item":{"Id":{"S":"x"}},"b":1}',
        b'{"Item":{"Id":{"S":"x"}},"Item":{"Id":{"S":"y"}}}',
        b'{"Item":{"Id":{"S":"x"}},{"Id":{"S":"y"}}}',
        b'{"Item":{"Id":{"S":"x"}}],[{"Id":{"S":"y"}}}',
        b'{"Item":{"Id":{"s":"x"}}}',
        b'{"Item":{"Id":{"S":"x","S":"x"}}}',
        b'{"Id":{"S":"x"}}',
        b'{"Item":}',
        b"",
    ],
    ids=bytes.decode,
)
def test_a_line_that_is_no_wrapped_item_is_declined(line):
    good = b'{"Item":{"Id":{"S":"x"}}}\n'
    assert checked_puts(good * 2, dialect=Dialect.NATIVE, keys=KEYS) is not None
    assert checked_puts(good + line + b"\n" + good, dialect=Dialect.NATIVE, keys=KEYS) is None


def test_a_dialect_without_a_quick_way_is_declined():
    assert checked_puts(GOOD, dialect=Dialect.LOWER_CASE, keys=KEYS) is None
    assert known_puts(GOOD, Dialect.HIVE) is None


@SIZES
@pytest.mark.parametrize(("name", "accepted"), [("a", False), ("Id", True), ("absent", True)])
def test_indexed_attributes_are_checked(name, accepted, count):
    index = IndexKeys("by-name", (KeyAttribute(name, "HASH", "S"),))
    assert (checked_puts(GOOD * count, keys=KEYS, index_keys=(index,)) is not None) is accepted


# ---- items of one shape


def judge(keys: KeySchema = KEYS) -> BlockJudge:
    """One that goes by shape whatever the size of the block."""
    retagger = Retagger.of_lines(CONNECTOR_SPELLINGS, shapes_from_bytes=0)
    return BlockJudge(retagger, keys)


WORDS = ["", "x", '"', "\\", "%b", "{", '"}},{"', "é", "日", "\n", "\U0001f600", "],["]
NUMBERS = ["0", "1", "-1", "1.50", "1E5", ".5", "123456789012345678901234567890", "-0.0", "7700"]


def another(tag: str, content: Any, chance: random.Random) -> Any:
    """Another valid content."""
    if tag == "S":
        return chance.choice(WORDS)
    if tag == "N":
        return chance.choice(NUMBERS)
    if tag == "B":
        return chance.choice(["", "AA==", "AAA=", "AAAA"])
    if tag == "SS":
        return chance.sample(WORDS, chance.randint(1, 3))
    return not content if tag == "BOOL" else content


@st.composite
def blocks_of_a_shape(draw: st.DrawFn) -> bytes:
    """Keyed lines alike, perhaps a few others among them, perhaps one of them with an invalid number."""
    item, chance = draw(items), draw(st.randoms(use_true_random=False))
    other = partial(another, chance=chance)
    page = [{name: alike(value, other) for name, value in item.items()} for _ in range(4)]
    page[3:3] = draw(st.lists(items, max_size=2))
    keyed = [
        {**entry, "Id": {"S": f"é{number}"}, "n": {"N": chance.choice(NUMBERS)}} for number, entry in enumerate(page)
    ]
    if draw(st.integers(0, 4)) == 0:
        keyed[-1]["n"] = {"N": chance.choice(["", "one", "1e999", "1" * 39])}
    return b"".join(map(item_to_connector_line, keyed))


@settings(max_examples=100)
@given(blocks_of_a_shape())
def test_items_of_a_shape_are_judged_as_the_careful_way_judges_them(block):
    text = grammar.quiet(block)
    if text is None:
        return
    try:
        puts = judge().by_shape(text)
    except ItemError:
        named_m = any(has_attribute_named(to_dynamodb(parse_json(line)), {"M", "m"}) for line in block.splitlines())
        if not named_m:
            with pytest.raises(ItemError):
                carefully(block)
        return
    if puts is not None:
        assert [(json.loads(put.json), put.key, put.size_bytes) for put in puts] == carefully(block)


ALIKE = b'{"Id":{"s":"k"},"n":{"n":"1"},"b":{"b":"AA=="},"t":{"sS":["x"]},"l":{"l":[{"m":{"i":{"n":"2"}}}]}}\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"k"', b'""'),
        (b'"k"', b'"' + b"k" * 2049 + b'"'),
        (b'"1"', b'"one"'),
        (b'"1"', b'"' + b"1" * 39 + b'"'),
        (b'"AA=="', b'"AB=="'),
        (b'"AA=="', b'"A"'),
        (b'["x"]', b'["x","x"]'),
        (b'["x"]', b'["x","\\u0078"]'),
        (b'"2"', b'""'),
        (b'"2"', b'"two"'),
    ],
)
def test_a_content_that_breaks_a_rule_is_found_by_shape(old, new):
    text = ALIKE * 3 + ALIKE.replace(old, new, 1) + ALIKE
    assert text != ALIKE * 5
    quiet_text = grammar.quiet(text)
    assert quiet_text is not None
    with pytest.raises(ItemError):
        judge().by_shape(quiet_text)
    with pytest.raises(ItemError):
        carefully(text)


@pytest.mark.parametrize(
    ("content", "size_bytes"),
    [(b"kk", 2), (rb"\"", 1), (rb"\\\\", 2), (rb"\u00e9", 2), ("é".encode(), 2), ("日".encode(), 3), (rb"a\/b\n", 4)],
)
def test_sizes_by_shape_are_those_of_the_text(content, size_bytes):
    """In UTF-8 and without escapes, in the key too."""
    text = grammar.quiet(b'{"Id":{"s":"k"}}\n{"Id":{"s":"%b"}}\n' % content)
    assert text is not None
    _, put = judge().by_shape(text) or []
    assert (put.size_bytes, put.key) == (
        2 + size_bytes,
        size_bytes.to_bytes(4, "big") + json.loads(b'"%b"' % content).encode(),
    )


def test_the_size_limit_holds_by_shape():
    """4 bytes beside the text: `Id`, a key of one, `a`."""
    text = b'{"Id":{"s":"1"},"a":{"s":"y"}}\n{"Id":{"s":"2"},"a":{"s":"%b"}}\n'
    puts = judge().by_shape(text % (b"x" * (409_600 - 4))) or []
    assert [put.size_bytes for put in puts] == [5, 409_600]
    with pytest.raises(ItemError):
        judge().by_shape(text % (b"x" * (409_600 - 3)))


def test_a_number_key_by_shape_is_canonical():
    keys = KeySchema((KeyAttribute("Id", "HASH", "S"), KeyAttribute("n", "RANGE", "N")))
    one, same = judge(keys).by_shape(b'{"n":{"n":"1"},"Id":{"s":"k"}}\n{"n":{"n":"1.0"},"Id":{"s":"k"}}\n') or []
    assert one.key == same.key
    assert one.json != same.json


@pytest.mark.parametrize("key", [b'{"n":"1"}', b'{"l":[{"s":"k"}]}', b'{"nULL":true}'])
def test_a_key_of_another_type_is_found_by_shape(key):
    with pytest.raises(ItemError):
        judge().by_shape(b'{"Id":%b,"a":{"s":"k"}}\n' % key * 2)


@pytest.mark.parametrize(
    "line",
    [
        b'{"Id":{"s":"k"},"a":{"s":"1"},"a":{"s":"2"}}\n',
        b'{"Id":{"s":"k"},"a":{"m":{"b":{"s":""},"\\u0062":{"s":""}}}}\n',
        b'{"Id":{"nULL":true}}\n',
    ],
)
def test_a_shape_that_breaks_a_rule_is_not_gone_by(line):
    """Every line of it is left to the parse, which refuses it."""
    assert judge().by_shape(line * 2) is None
    with pytest.raises(ItemError):
        judge().by_parsing(line * 2)


def test_items_of_other_shapes_keep_their_place():
    lines = [b'{"Id":{"s":"%d"}}\n' % n if n % 3 else b'{"Id":{"s":"%d"},"a":{"l":[]}}\n' % n for n in range(1, 9)]
    puts = judge().by_shape(b"".join(lines)) or []
    assert not any(put.json.endswith(b"\n") for put in puts)
    assert [json.loads(put.json)["Id"]["S"] for put in puts] == [str(n) for n in range(1, 9)]
    assert [put.size_bytes for put in puts] == [3 if n % 3 else 7 for n in range(1, 9)]
