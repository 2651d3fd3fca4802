from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynamodb_pipeline.aws.request_errors import (
    BadReply,
    ClockSkewed,
    ConditionFailed,
    Denied,
    ExpiredCredentials,
    Gone,
    Rejected,
    Throttled,
    Transient,
)
from dynamodb_pipeline.dynamodb.connection import Endpoint
from dynamodb_pipeline.dynamodb.signing import SignatureError, check_signature
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import ExitCode
from tests.unit.dynamodb.scripted_server import (
    Answer,
    cut,
    error,
    reply,
    reply_bytes,
    reset,
    send,
    silence,
)
from tests.unit.dynamodb.wire_fixtures import KEYS, REGION, Keys, credentials, wire_to

BODY = b'{"TableName":"orders"}'
GOOD = {"Count": 0, "Items": [], "ScannedCount": 0}
GOOD_BYTES = reply_bytes(GOOD)


def test_request_is_a_signed_post_that_asks_for_no_compression():
    with wire_to(reply(GOOD)) as (wire, server):
        answer = wire.call("Scan", BODY)
    sent = server.requests[0]
    assert (answer.status, answer.json()) == (200, GOOD)
    assert (sent.start_line, sent.body) == ("POST / HTTP/1.1", BODY)
    assert sent.headers["x-amz-target"] == "DynamoDB_20120810.Scan"
    assert sent.headers["content-type"] == "application/x-amz-json-1.0"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["host"] == f"127.0.0.1:{server.port}"
    assert sent.headers["x-amz-date"] == "20231114T221320Z"
    check_signature(sent.headers, sent.body, keys=KEYS)


def test_session_token_is_sent_and_signed():
    keys = Keys("AKIDTEMP", "secret", "token==")
    with wire_to(reply(GOOD), keys=credentials(keys)) as (wire, server):
        wire.call("Scan", BODY)
    sent = server.requests[0]
    assert sent.headers["x-amz-security-token"] == "token=="
    check_signature(sent.headers, sent.body, keys=keys)
    with pytest.raises(SignatureError):
        check_signature({**sent.headers, "x-amz-security-token": "other"}, sent.body, keys=keys)


def test_connection_is_kept_for_the_next_request():
    with wire_to(*[reply(GOOD)] * 5) as (wire, server):
        for _ in range(5):
            wire.call("Scan", BODY)
    assert (len(server.requests), server.connection_count) == (5, 1)


def test_connection_that_the_server_announces_to_close_is_not_used_again():
    closing = reply(GOOD, headers=(("Connection", "close"),))
    with wire_to(closing, reply(GOOD)) as (wire, server):
        wire.call("Scan", BODY)
        wire.call("Scan", BODY)
    assert server.connection_count == 2


def test_connection_that_the_server_closed_while_it_rested_costs_no_failure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dynamodb_pipeline.dynamodb.connection.IDLE_CHECK_S", 0.0)
    closed = threading.Event()

    def close_and_tell(sock: socket.socket) -> bool:
        sock.sendall(GOOD_BYTES)
        sock.shutdown(socket.SHUT_RDWR)
        closed.set()
        return False

    with wire_to(close_and_tell, reply(GOOD)) as (wire, server):
        wire.call("Scan", BODY)
        closed.wait(60)
        wire.call("Scan", BODY)
    assert server.connection_count == 2


def test_threads_never_share_a_connection():
    """The server answers only when all four requests have come, so they must be on four connections."""
    together = threading.Barrier(4, timeout=60)

    def answer(sock: socket.socket) -> bool:
        together.wait()
        sock.sendall(GOOD_BYTES)
        return True

    with wire_to(*[answer] * 8) as (wire, server), ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            replies = list(pool.map(lambda _: wire.call("Scan", BODY).json(), range(4)))
            assert replies == [GOOD] * 4
    assert server.connection_count == 4


@pytest.mark.parametrize(
    "broken",
    [
        reset(),
        cut(b"", at=0),
        reset(GOOD_BYTES, at=30),
        reset(GOOD_BYTES, at=len(GOOD_BYTES) - 1),
        cut(GOOD_BYTES, at=30),
        cut(GOOD_BYTES, at=len(GOOD_BYTES) - 1),
        send(b"\x16\x03\x01\x00\x00\r\n\r\n"),
        send(b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        reply(GOOD, crc=1),
        reply(b"[]"),
        reply(b""),
        reply(b'{"Count":0'),
        reply({"__type": "x#ValidationException"}, status=400, crc=1),
    ],
    ids=[
        "reset-before",
        "closed-before",
        "reset-in-head",
        "reset-in-body",
        "cut-in-head",
        "cut-in-body",
        "no-http",
        "no-status",
        "chunked",
        "crc",
        "list",
        "empty",
        "cut-json-with-good-crc",
        "crc-of-an-error",
    ],
)
def test_damaged_reply_is_transient_and_leaves_no_connection_behind(broken: Answer):
    with wire_to(broken, reply(GOOD)) as (wire, _):
        with pytest.raises(Transient) as caught:
            wire.call("Scan", BODY)
        assert caught.value.exit_code in (ExitCode.STOPPED, ExitCode.INTEGRITY)
        assert wire.call("Scan", BODY).json() == GOOD


def test_request_is_never_repeated_by_itself_after_a_reset():
    """A write may have been carried out: only the caller may decide to send it again."""
    with wire_to(reset(), reply(GOOD)) as (wire, server):
        with pytest.raises(Transient):
            wire.call("BatchWriteItem", BODY)
        assert len(server.requests) == 1


def test_every_single_flipped_bit_of_a_body_is_noticed():
    """The head's own bits are not covered: there a flip is seen only where it breaks HTTP or a length."""
    head, _, body = GOOD_BYTES.partition(b"\r\n\r\n")
    flipped = [
        head + b"\r\n\r\n" + body[:i] + bytes([body[i] ^ 1 << bit]) + body[i + 1 :]
        for i in range(len(body))
        for bit in (0, 3, 6)
    ]
    with wire_to(*[send(data) for data in flipped]) as (wire, _):
        for _ in flipped:
            with pytest.raises(BadReply, match="crc32"):
                wire.call("Scan", BODY)


def test_reply_without_a_crc_is_taken():
    """Other implementations (moto before 1.3.17) send none."""
    with wire_to(reply(GOOD, crc=False)) as (wire, _):
        assert wire.call("Scan", BODY).json() == GOOD


def test_silent_server_ends_in_transient():
    with wire_to(lambda sock: silence(server.over)(sock), read_s=0.02) as (wire, server):
        with pytest.raises(Transient, match="timed out"):
            wire.call("Scan", BODY)
        server.over.set()


def test_refused_connection_is_transient_and_names_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        wire = DynamoDbWire(Endpoint("127.0.0.1", port, tls=False, region=REGION), credentials())
        with pytest.raises(Transient, match=f"127.0.0.1:{port}"):
            wire.call("Scan", BODY)


def test_interim_replies_are_passed_over():
    with wire_to(send(b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + GOOD_BYTES)) as (wire, _):
        assert wire.call("Scan", BODY).json() == GOOD


@pytest.mark.parametrize(
    ("answer", "raised", "code", "exit_code"),
    [
        (error("ProvisionedThroughputExceededException"), Throttled, None, 5),
        (error("RequestLimitExceeded"), Throttled, None, 5),
        (error("InternalServerError", status=500), Transient, None, 5),
        (reply(b"<html>", status=503), Transient, "", 5),
        (reply(b"", status=502), Transient, "", 5),
        (error("ResourceNotFoundException"), Gone, None, 4),
        (error("ValidationException"), Rejected, None, 4),
        (error("SerializationException"), Rejected, None, 1),
        (error("ConditionalCheckFailedException"), ConditionFailed, None, 1),
        (error("AccessDeniedException"), Denied, None, 7),
        (reply(b"", status=413), Rejected, "", 4),
        (reply(b"", status=301), Rejected, "", 1),
    ],
)
def test_error_reply_raises_its_class(answer: Answer, raised: type[Exception], code: str | None, exit_code: int):
    with wire_to(answer, reply(GOOD)) as (wire, server):
        with pytest.raises(raised) as caught:
            wire.call("Scan", BODY)
        assert type(caught.value) is raised
        assert caught.value.exit_code == exit_code  # type: ignore[attr-defined]
        wire.call("Scan", BODY)
    assert server.connection_count == 1


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_refused_key_is_renewed_once_and_the_request_sent_again(code: str):
    old, new = Keys("AKIDOLD", "old"), Keys("AKIDNEW", "new")
    with wire_to(error(code), reply(GOOD), keys=credentials(old, new)) as (wire, server):
        assert wire.call("Scan", BODY).json() == GOOD
    check_signature(server.requests[1].headers, BODY, keys=new)


def test_refused_key_that_renewal_does_not_change_is_not_tried_again():
    with wire_to(error("ExpiredTokenException"), reply(GOOD)) as (wire, server):
        with pytest.raises(ExpiredCredentials) as caught:
            wire.call("Scan", BODY)
        assert caught.value.exit_code is ExitCode.DENIED
        assert len(server.requests) == 1


def test_renewed_key_that_is_refused_too_ends_it():
    script = [error("ExpiredTokenException")] * 2 + [reply(GOOD)]
    keys = credentials(Keys("A", "1"), Keys("B", "2"), Keys("C", "3"))
    with wire_to(*script, keys=keys) as (wire, server):
        with pytest.raises(ExpiredCredentials):
            wire.call("Scan", BODY)
        assert len(server.requests) == 2


def skewed(*, date: str | None) -> Answer:
    message = "Signature expired: 20231114T221320Z is now earlier than 20231114T231320Z (20231114T232820Z - 15 min.)"
    headers = (("Date", date),) if date else ()
    return error("InvalidSignatureException", message, headers=headers)


def test_skewed_clock_is_corrected_by_the_date_of_the_reply_and_stays_corrected():
    """The server is 75 minutes ahead."""
    script = [skewed(date="Tue, 14 Nov 2023 23:28:20 GMT"), reply(GOOD), reply(GOOD)]
    with wire_to(*script) as (wire, server):
        wire.call("Scan", BODY)
        wire.call("Scan", BODY)
    dates = [r.headers["x-amz-date"] for r in server.requests]
    assert dates == ["20231114T221320Z", "20231114T232820Z", "20231114T232820Z"]


def test_clock_that_stays_skewed_is_named_with_its_seconds():
    script = [skewed(date="Tue, 14 Nov 2023 23:28:20 GMT")] * 2 + [reply(GOOD)]
    with wire_to(*script) as (wire, server):
        with pytest.raises(ClockSkewed, match="4500 s behind") as caught:
            wire.call("Scan", BODY)
        assert len(server.requests) == 2
    assert caught.value.exit_code is ExitCode.DENIED


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_skewed_clock_without_a_usable_date_is_not_tried_again(date: str | None):
    with wire_to(skewed(date=date), reply(GOOD)) as (wire, server):
        with pytest.raises(ClockSkewed):
            wire.call("Scan", BODY)
        assert len(server.requests) == 1


def test_reply_json_is_one_object():
    with wire_to(reply(b'{"a":1}{"b":2}')) as (wire, _), pytest.raises(BadReply, match="not JSON"):
        wire.call("Scan", BODY).json()
