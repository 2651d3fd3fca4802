"""Lines: LF alone ends one, and an error says where it is."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.formats.files.text import MAX_LINE_BYTES, LineError, PlainLines, blocks, iter_lines

line_bytes = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"\x85"))


@given(st.lists(line_bytes, max_size=8), st.booleans(), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_lines_are_what_stands_between_line_feeds(lines, ends_with_newline, bom):
    plain = bom + b"\n".join(lines) + (b"\n" if lines and ends_with_newline else b"")
    numbered = PlainLines(plain)
    found = list(numbered)
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip(b" \t\r")]
    if lines and lines[0][:3] == b"\xef\xbb\xbf" and not bom:
        return
    assert [(n, line) for n, _, line in found] == [(n, line[:-1] if line[-1:] == b"\r" else line) for n, line in kept]
    assert all(plain[offset : offset + len(line)] == line for _, offset, line in found)


@given(st.lists(line_bytes, max_size=8), st.integers(1, 20), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_blocks_hold_the_lines_of_the_whole_file(lines, block_bytes, bom):
    plain = bom + b"\n".join(lines)
    cut = list(blocks(plain, block_bytes=block_bytes))
    assert b"".join(block.text for block in cut).split() == plain.split()
    assert all(block.text == plain[block.offset_bytes : block.end_bytes] for block in cut)
    assert all(len(block.text) >= block_bytes for block in cut[:-1])
    assert [line for block in cut for line in PlainLines(block.text, block=block)] == list(iter_lines(plain))


def test_an_error_in_a_block_names_its_place_in_the_file():
    _, block = blocks(b"ab\n" + b"x" * 11, block_bytes=2)
    with pytest.raises(LineError) as error:
        list(PlainLines(block.text, max_line_bytes=10, block=block))
    assert (error.value.line, error.value.offset_bytes) == (2, 3)


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r", "\x00"], ids=ascii)
def test_lines_keep_every_other_line_separator(mark):
    line = f'{{"a":{{"s":"x{mark}y"}}}}'.encode()
    assert [text for _, _, text in iter_lines(line + b"\n" + line)] == [line, line]


def test_lines_lose_one_trailing_cr_and_no_more():
    assert [line for _, _, line in iter_lines(b"a\r\nb\r\r\n\r\nc\r")] == [b"a", b"b\r", b"c"]


def test_lines_skip_a_byte_order_mark_at_the_start_only():
    bom = b"\xef\xbb\xbf"
    assert list(iter_lines(bom + b"a\n" + bom + b"b\n")) == [(1, 3, b"a"), (2, 5, bom + b"b")]


def test_blank_lines_count_in_the_numbering():
    lines = PlainLines(b"\n  \t\na\n\nb\n\n")
    assert list(lines) == [(3, 5, b"a"), (5, 8, b"b")]


@pytest.mark.parametrize("plain", [b"ab\n" + b"x" * 11, b"ab\n" + b"x" * 11 + b"\nc"], ids=["last", "inner"])
def test_a_line_above_the_bound_is_refused_with_its_place(plain):
    with pytest.raises(LineError) as error:
        list(PlainLines(plain, name="s3://b/f", max_line_bytes=10))
    assert (error.value.line, error.value.offset_bytes, error.value.name) == (2, 3, "s3://b/f")
    assert "longer than 10 bytes" in str(error.value)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_exactly_the_bound_is_taken(end):
    assert list(PlainLines(b"x" * 10 + end, max_line_bytes=10)) == [(1, 0, b"x" * 10)]


def test_the_bound_holds_the_longest_line_of_a_400_kb_item():
    """The worst growth: a list of 1E-130, written out; size rule of the developer guide, 3 bytes an element."""
    element = b'{"n":"0.' + b"0" * 129 + b'1"},'
    assert len(element) == 141
    assert 409_600 // 3 * len(element) < MAX_LINE_BYTES < 2 * 409_600 // 3 * len(element)


def test_a_line_error_survives_pickling():
    """Workers hand it to the driver."""
    error = pickle.loads(pickle.dumps(LineError("reason", name="f", line=3, offset_bytes=9, path="a.b[3]")))
    assert str(error) == "f: line 3 (byte 9): a.b[3]: reason"
    assert (error.line, error.offset_bytes, error.path, error.reason) == (3, 9, "a.b[3]", "reason")
