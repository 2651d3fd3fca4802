"""Requests are cut out of bytes however these arrive."""

from __future__ import annotations

import pytest

from benchmarks.replay_http import NotReplayable, awaits_continue, cut_request, reply_head

SCAN = b"POST / HTTP/1.1\r\nhost: x\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\ncontent-length: 2\r\n\r\n{}"
LEDGER = b"GET /ledger HTTP/1.1\r\nHost: x\r\n\r\n"


def test_request_is_whole_only_with_its_last_byte():
    for length in range(len(SCAN)):
        assert cut_request(bytearray(SCAN[:length])) is None
    request = cut_request(bytearray(SCAN))
    assert (request.method, request.path, request.operation, request.body) == ("POST", "/", "Scan", b"{}")


def test_two_requests_in_one_piece():
    received = bytearray(SCAN + LEDGER)
    assert cut_request(received).operation == "Scan"
    assert cut_request(received).path == "/ledger"
    assert received == b""


@pytest.mark.parametrize(
    "head",
    [b"POST / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"],
    ids=["no length", "above 16 MB"],
)
def test_request_that_cannot_be_served_is_refused(head):
    with pytest.raises(NotReplayable):
        cut_request(bytearray(head))


def test_client_that_waits_for_continue_is_noticed():
    head = SCAN.replace(b"host", b"Expect: 100-continue\r\nhost")
    assert awaits_continue(bytearray(head[:-2]))
    assert not awaits_continue(bytearray(SCAN[:-2]))


def test_reply_head_states_length_and_crc():
    head = reply_head(200, length_bytes=7, crc32=5, now_s=0.0)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 7\r\n" in head
    assert b"\r\nx-amz-crc32: 5\r\n" in head
    assert b"\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n" in head
