"""HTTP messages are read and written exactly."""

from __future__ import annotations

import io

import pytest

from sandbox.faults.delivery import cut, nothing, whole
from sandbox.faults.http_messages import BadMessage, Reply, read_request


def read(data: bytes, sent: io.BytesIO | None = None):
    return read_request(io.BytesIO(data), on_continue=sent or io.BytesIO())


def test_request_with_a_body():
    request = read(b"POST /p?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcrest")
    assert (request.method, request.target, request.body) == ("POST", "/p?q=1", b"abc")
    assert request.header("HOST") == "h"
    assert request.url.query == "q=1"


def test_chunked_request_is_joined():
    data = b"PUT /k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    assert read(data).body == b"abcde"


def test_client_that_waits_for_continue_gets_it():
    sent = io.BytesIO()
    read(b"PUT /k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", sent)
    assert sent.getvalue().startswith(b"HTTP/1.1 100 ")


def test_closed_connection_is_none():
    assert read(b"") is None


@pytest.mark.parametrize(
    "data",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort"],
)
def test_bad_message_is_refused(data):
    with pytest.raises(BadMessage):
        read(data)


def test_access_key_is_that_of_the_signature():
    signature = b"AWS4-HMAC-SHA256 Credential=AKID/20240101/r/s/aws4_request, Signature=x"
    request = read(b"GET / HTTP/1.1\r\nauthorization: " + signature + b"\r\n\r\n")
    assert request.access_key == "AKID"
    assert read(b"GET / HTTP/1.1\r\n\r\n").access_key is None


def test_reply_states_its_length_once():
    data = Reply(200, (("Content-Length", "999"), ("x-amz-crc32", "5")), b"abc").to_bytes()
    assert data == b"HTTP/1.1 200 OK\r\nx-amz-crc32: 5\r\nContent-Length: 3\r\n\r\nabc"


def test_reply_to_head_keeps_the_stated_length():
    assert b"Content-Length: 42\r\n" in Reply(200, (), b"", stated_length=42).to_bytes()


def test_deliveries():
    reply = Reply(200, (), b"0123456789")
    assert whole(reply).data == reply.to_bytes()
    assert cut(reply, at=0.35, reset=True).data.endswith(b"Content-Length: 10\r\n\r\n012")
    assert nothing().data == b""
    assert nothing().reset
