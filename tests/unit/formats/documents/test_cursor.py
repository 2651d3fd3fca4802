"""Ends of values are found exactly, through windows of any size, and without holding what is passed over."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.documents.cursor import BrokenJsonError, JsonCursor

HARD = st.text(st.sampled_from('"\\{}[],:é日\U0001f600\n\x00a '), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | HARD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HARD, inner, max_size=4),
    max_leaves=12,
)
windows = st.sampled_from([1, 2, 3, 7, 16, 64, 1 << 18])


def cursor(text: bytes, **options: int) -> JsonCursor:
    return JsonCursor(text, **options)


@given(st.dictionaries(HARD, json_values), st.sampled_from([None, 1]), st.booleans(), windows)
def test_both_ways_over_a_value_end_where_it_ends(value, indent, ascii_only, window_bytes):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    for before, behind in ((b"", b""), (b' \n["\xc3\xa9", ', b' , {"x": "}"}]')):
        there = cursor(before + text + behind, window_bytes=window_bytes)
        there.position = len(before)
        assert there.value_end() == len(before + text)
        there.skip_value()
        assert there.position == len(before + text)


@given(st.lists(st.dictionaries(HARD, json_values), min_size=1, max_size=5), windows, st.booleans())
def test_values_one_after_the_other(values, window_bytes, ascii_only):
    """The decoded window is kept from one to the next."""
    texts = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in values]
    whole = b" ".join(texts)
    there, found = cursor(whole, window_bytes=window_bytes), []
    while there.peek():
        end = there.value_end()
        found.append(whole[there.position : end])
        there.position = end
    assert found == texts


@given(json_values, windows)
def test_any_value_is_passed(value, window_bytes):
    text = json.dumps(value).encode()
    there = cursor(text + b"]", window_bytes=window_bytes)
    there.skip_value()
    assert there.position == len(text)


@pytest.mark.parametrize("text", [b'{"a":1', b'{"a":"x', b'{"a":"x\\', b'{"a":"x\\"}', b'{"a":tru', b'{"a":{}', b"{"])
def test_a_value_that_is_cut_says_so(text):
    with pytest.raises(BrokenJsonError, match="the document is cut off"):
        cursor(text, window_bytes=4).value_end()
    with pytest.raises(BrokenJsonError, match="the document is cut off"):
        cursor(text, window_bytes=4).skip_value()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a" 1}', "malformed JSON: Expecting"),
        (b"{a:1}", "malformed JSON: Expecting property name"),
        (b'{"a":' * 50_000, "nested too deep"),
        (b'{"a":"' + b"x" * 5000 + b'"}', "longer than 4000 bytes"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_that_is_none_is_refused_at_its_start(text, said):
    limits = {"max_value_bytes": 4000, "window_bytes": 64} if said.startswith("longer") else {}
    there = cursor(b"  " + text, **limits)
    there.peek()
    with pytest.raises(BrokenJsonError, match=said) as refused:
        there.value_end()
    assert refused.value.offset_bytes == 2


def test_a_long_run_of_backslashes_is_no_end_of_a_string():
    for count in (1, 2, 15, 16, 17, 4095, 4096, 70_000):
        text = b'"' + b"\\" * count + b'"'
        there = cursor(text + (b'"' if count % 2 else b""))
        there.skip_value()
        assert there.position == len(text) + count % 2


def test_a_huge_value_is_passed_in_little_memory():
    text = json.dumps({"rows": [{"id": {"S": f"{n}"}} for n in range(60_000)]}).encode()
    there = cursor(text)
    tracemalloc.start()
    try:
        there.skip_value()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert there.position == len(text) > 1_400_000
    assert peak < 768 * 1024


@pytest.mark.parametrize("text", [b"", b"   ", b"x:", b"[1]", b'"a" "b"', b'"a'])
def test_a_member_needs_name_and_colon(text):
    with pytest.raises(BrokenJsonError):
        cursor(text).member()


def test_a_byte_order_mark_is_no_content():
    there = cursor(b"\xef\xbb\xbf {}")
    assert there.peek() == b"{"
    assert there.value_end() == 6
