"""The object server answers as S3 does, as far as the library asks."""

from __future__ import annotations

import pytest

from benchmarks.object_server import ObjectService
from benchmarks.replay_http import cut_request


@pytest.fixture
def service():
    return ObjectService()


def ask(service, method, path, body=b"", **headers):
    lines = [f"{method} {path} HTTP/1.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    request = cut_request(bytearray("\r\n".join(lines).encode() + b"\r\n\r\n" + body))
    head, _, rest = b"".join(service.respond(request)).partition(b"\r\n\r\n")
    return int(head.split()[1]), head, rest


def test_object_is_kept_and_given_back(service):
    assert ask(service, "PUT", "/b/a%20b/c", b"content")[0] == 200
    assert ask(service, "GET", "/b/a%20b/c")[2] == b"content"
    status, head, body = ask(service, "HEAD", "/b/a%20b/c")
    assert (status, body) == (200, b"")
    assert b"Content-Length: 7" in head


def test_put_if_absent_loses_against_what_is_there(service):
    assert ask(service, "PUT", "/b/k", b"one", If_None_Match="*")[0] == 200
    assert ask(service, "PUT", "/b/k", b"two", If_None_Match="*")[0] == 412
    assert ask(service, "GET", "/b/k")[2] == b"one"


def test_get_is_pinned_by_etag(service):
    head = ask(service, "PUT", "/b/k", b"one")[1]
    etag = head.partition(b"ETag: ")[2].split(b"\r")[0].decode()
    assert ask(service, "GET", "/b/k", If_Match=etag)[0] == 200
    ask(service, "PUT", "/b/k", b"two")
    assert ask(service, "GET", "/b/k", If_Match=etag)[0] == 412


def test_listing_has_the_prefix_in_key_order(service):
    for key in ("p/b", "p/a", "q/c"):
        ask(service, "PUT", f"/b/{key}", b"xx")
    text = ask(service, "GET", "/b?list-type=2&prefix=p/")[2].decode()
    assert [piece.split("<")[0] for piece in text.split("<Key>")[1:]] == ["p/a", "p/b"]
    assert "<Size>2</Size>" in text


def test_missing_and_deleted_objects_are_404(service):
    assert ask(service, "GET", "/b/k")[0] == 404
    ask(service, "PUT", "/b/k", b"x")
    assert ask(service, "DELETE", "/b/k")[0] == 204
    assert ask(service, "HEAD", "/b/k")[0] == 404


def test_stats_count_calls(service):
    ask(service, "PUT", "/b/k", b"xyz")
    ask(service, "HEAD", "/b")
    assert service.stats() == {"calls": {"PUT object": 1, "HEAD bucket": 1}, "object_count": 1, "size_bytes": 3}
