"""Servers behind the sandbox EMR, DynamoDB and YARN, that hang up or are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.emr import yarn_applications
from sandbox.emr.forwarding import Forwarder
from sandbox.emr.protocol import Request

pytestmark = pytest.mark.sandbox


class HangUp(BaseHTTPRequestHandler):
    """Answers with what it got, promises to keep the connection and closes it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("x-amz-crc32", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), HangUp) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_replies_pass_unchanged_though_the_server_hangs_up_each_time(url: str) -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    with closing(Forwarder()) as forwarder:
        for body in (b"one", b"two"):
            request = Request("POST", "/", {}, {"authorization": "signature"}, "key", "us-east-1", "dynamodb", body)
            reply = forwarder.forward(url, request, lambda status, headers: seen.append((status, dict(headers))))
            assert b"".join(reply) == body
    assert [(status, headers["x-amz-crc32"]) for status, headers in seen] == [("400 Bad Request", "7")] * 2


def test_a_server_that_is_gone_is_an_error() -> None:
    request = Request("POST", "/", {}, {}, "key", "us-east-1", "dynamodb", b"{}")
    with pytest.raises(ConnectionRefusedError):
        Forwarder().forward("http://127.0.0.1:1", request, lambda *_: None)


def test_a_resource_manager_that_is_gone_is_said_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert yarn_applications.kill_tagged("http://127.0.0.1:1", "s-1") == []
    assert "YARN applications of s-1 not killed" in capsys.readouterr().err
