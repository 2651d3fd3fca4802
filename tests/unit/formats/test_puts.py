"""A block judged at once: the verdicts of the careful way, or None."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.attribute_values import ItemError, check_item
from dynamodb_pipeline.formats.dialects import Dialect
from dynamodb_pipeline.formats.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.key_schema import IndexKeys, KeyAttribute, KeySchema
from dynamodb_pipeline.formats.puts import Put, checked_puts, known_puts
from dynamodb_pipeline.formats.tags import item_to_connector_line, to_dynamodb
from tests.unit.formats.strategies import items, texts
from tests.unit.formats.test_retag import damaged

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
    assert put == Put(
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


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:60].decode())
def test_declines_a_block_with_a_line_that_needs_a_careful_look(line):
    assert checked_puts(GOOD, keys=KEYS) is not None
    assert checked_puts(GOOD + line + b"\n" + GOOD, keys=KEYS) is None


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
def test_an_item_cannot_span_lines(block):
    assert checked_puts(block, keys=KEYS) is None
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


def test_indexed_attributes_are_checked():
    index = IndexKeys("by-a", (KeyAttribute("a", "HASH", "S"),))
    assert checked_puts(GOOD, keys=KEYS, index_keys=(index,)) is None
