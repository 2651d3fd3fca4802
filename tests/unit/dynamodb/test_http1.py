from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.dynamodb.http1 import HEADERS_MAX, Message, MessageError, read_message, render_message

REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 3\r\nX-One:  b \r\n\r\n{ }"


def read(data: bytes, **how: object) -> Message | None:
    return read_message(io.BytesIO(data), **{"body_bytes_max": 100, **how})  # type: ignore[arg-type]


def test_message_is_read_with_lower_case_header_names():
    message = read(REPLY)
    assert message == Message("HTTP/1.1 200 OK", {"content-type": "a", "content-length": "3", "x-one": "b"}, b"{ }")


def test_messages_follow_one_another_on_one_connection():
    file = io.BytesIO(REPLY + REPLY)
    first = read_message(file, body_bytes_max=10)
    assert read_message(file, body_bytes_max=10) == first
    assert read_message(file, body_bytes_max=10) is None


@pytest.mark.parametrize("length", range(1, len(REPLY)))
def test_message_cut_anywhere_is_refused(length: int):
    with pytest.raises(MessageError):
        read(REPLY[:length])


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "no Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunked"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\n{ }", "1,3"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "-1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101, "101"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: 1\r\n" * (HEADERS_MAX + 1) + b"\r\n", "headers"),
        (b"x" * 70_000, "too long"),
        (b"HTTP/1.1 200 OK\r\n" + (b"a: " + b"x" * 40_000 + b"\r\n") * 2 + b"\r\n", "too long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n", "5000 digits"),
    ],
    ids=[
        "no-length",
        "chunked",
        "two-lengths",
        "negative",
        "too-big",
        "no-colon",
        "blank",
        "many",
        "long-line",
        "long-head",
        "digits",
    ],
)
def test_message_that_is_no_plain_message_is_refused_by_name(head: bytes, word: str):
    with pytest.raises(MessageError, match=word):
        read(head)


def test_request_without_a_length_has_no_body():
    message = read(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", body_optional=True)
    assert message is not None
    assert message.body == b""


def test_rendered_message_is_read_back():
    data = render_message("POST / HTTP/1.1", [("Host", "x"), ("A", "é")], b"\x00\r\n\r\n")
    assert read(data) == Message("POST / HTTP/1.1", {"host": "x", "a": "é", "content-length": "5"}, b"\x00\r\n\r\n")


def test_header_with_a_line_break_is_never_sent():
    with pytest.raises(ValueError, match="line break"):
        render_message("POST / HTTP/1.1", [("x-amz-target", "a\r\nX-Injected: 1")], b"")


class CountingFile(io.BytesIO):
    """Counts what is taken from it."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.taken += len(line)
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


PARTS = st.sampled_from(
    [
        b"POST / HTTP/1.1\r\n",
        b"\r\n",
        b"\n",
        b":",
        b"a: b\r\n",
        b"Content-Length: ",
        b"Transfer-Encoding: ",
        b"3\r\n",
        b"9" * 300,
        b"x" * 500,
    ]
)


@given(parts=st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=60), optional=st.booleans())
def test_whatever_arrives_is_a_message_or_refused_and_takes_no_more_than_its_bounds(parts: list[bytes], optional: bool):
    file, said = CountingFile(b"".join(parts)), ""
    try:
        message = read_message(file, body_bytes_max=64, head_bytes_max=1024, body_optional=optional)
    except MessageError as err:
        message, said = None, str(err)
    assert file.taken <= 1024 + 64
    assert len(said) < 200
    assert message is None or len(message.body) <= 64
