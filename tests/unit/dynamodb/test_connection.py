from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import boto3
import pytest

from dynamodb_pipeline.aws.request_errors import Transient
from dynamodb_pipeline.dynamodb.connection import Connection, Endpoint, Proxy, Timeouts, open_tunnel, proxy_of
from dynamodb_pipeline.dynamodb.http1 import read_message
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire
from dynamodb_pipeline.errors import UsageError
from tests.unit.dynamodb.scripted_server import reply_bytes
from tests.unit.dynamodb.wire_fixtures import NOW_S, REGION, credentials

BODY = b'{"TableName":"orders"}'
GOOD = {"Count": 0, "Items": [], "ScannedCount": 0}


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"),
        ("https://dynamodb.eu-west-1.api.aws:443/", "dynamodb.eu-west-1.api.aws"),
        ("https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com:8443", None),
        ("http://localhost:8000", "localhost:8000"),
        ("http://127.0.0.5", "127.0.0.5"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_endpoint_is_that_of_the_url(url: str, authority: str | None):
    endpoint = Endpoint.from_url(url, region=REGION)
    assert endpoint.authority == (authority or url.removeprefix("https://"))
    assert endpoint.tls == url.startswith("https")


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8000", "http://dynamodb.eu-west-1.amazonaws.com", "http://localhost.evil.org"]
)
def test_plain_http_to_another_machine_is_refused(url: str):
    with pytest.raises(UsageError, match="plain http"):
        Endpoint.from_url(url, region=REGION)


@pytest.mark.parametrize("url", ["ftp://x", "dynamodb", "https://", "https://host/path"])
def test_endpoint_that_is_no_web_address_is_refused(url: str):
    with pytest.raises(UsageError, match="https://host"):
        Endpoint.from_url(url, region=REGION)


def test_endpoint_of_a_client_follows_its_configuration(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8123")
    client = boto3.Session("k", "s", region_name="eu-south-1").client("dynamodb")
    assert Endpoint.from_client(client) == Endpoint("127.0.0.1", 8123, tls=False, region="eu-south-1")


def test_tls_server_with_an_unknown_certificate_is_not_talked_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The name and the chain are checked; with AWS_CA_BUNDLE naming its own certificate it is trusted."""
    certificate = _own_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk() -> object:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = threading.Thread(target=_answer_once, args=(listener, context))
            server.start()
            endpoint = Endpoint("localhost", listener.getsockname()[1], tls=True, region=REGION)
            wire = DynamoDbWire(endpoint, credentials(), now=lambda: NOW_S)
            try:
                return wire.call("Scan", BODY).json()
            finally:
                wire.close()
                server.join()

    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(Transient, match="CERTIFICATE_VERIFY_FAILED"):
        talk()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    assert talk() == GOOD


# through a proxy

AWS = Endpoint("dynamodb.eu-west-1.amazonaws.com", 443, tls=True, region=REGION)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_a_proxy_connections_are_direct(proxies: pytest.MonkeyPatch):
    proxies.setenv("HTTP_PROXY", "http://other:1")
    assert proxy_of(AWS) is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://me:p%40ss@proxy.example", Proxy("proxy.example", 80, "bWU6cEBzcw==")),
    ],
)
def test_proxy_is_that_of_the_environment(proxies: pytest.MonkeyPatch, url: str, proxy: Proxy):
    proxies.setenv("HTTPS_PROXY", url)
    assert proxy_of(AWS) == proxy
    assert "bWU6" not in repr(proxy)


@pytest.mark.parametrize("bypassed", ["*", ".amazonaws.com", "dynamodb.eu-west-1.amazonaws.com", "other.example"])
def test_no_proxy_is_obeyed(proxies: pytest.MonkeyPatch, bypassed: str):
    proxies.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    proxies.setenv("NO_PROXY", bypassed)
    assert (proxy_of(AWS) is None) == (bypassed != "other.example")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost:8443", "https://[::1]:8443"])
def test_this_machine_is_never_reached_through_a_proxy(proxies: pytest.MonkeyPatch, url: str):
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        proxies.setenv(name, "http://proxy.example:3128")
    assert proxy_of(Endpoint.from_url(url, region=REGION)) is None


@pytest.mark.parametrize("url", ["https://me:secret@proxy:1", "socks5://proxy:1", "http://"])
def test_proxy_of_another_kind_is_refused_before_anything_is_sent(proxies: pytest.MonkeyPatch, url: str):
    proxies.setenv("HTTPS_PROXY", url)
    with pytest.raises(UsageError, match=r"HTTPS_PROXY is .* NO_PROXY") as caught:
        DynamoDbWire(AWS, credentials())
    assert "secret" not in str(caught.value)


def test_requests_go_through_the_tunnel_and_tls_through_the_proxy(tmp_path: Path):
    certificate = _own_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_tunnel_once, args=(listener, server, seen))
        thread.start()
        endpoint = Endpoint("localhost", 8443, tls=True, region=REGION)  # nobody listens there
        client = ssl.create_default_context(cafile=str(certificate))
        proxy = Proxy("127.0.0.1", listener.getsockname()[1], "bWU6cEBzcw==")
        connection = Connection(endpoint, timeouts=Timeouts(), context=client, proxy=proxy)
        try:
            assert connection.exchange(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").body
        finally:
            connection.close()
            thread.join()
    assert seen[0].splitlines() == [
        b"CONNECT localhost:8443 HTTP/1.1",
        b"Host: localhost:8443",
        b"Proxy-Authorization: Basic bWU6cEBzcw==",
        b"",
    ]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"", b"SSH-2.0-OpenSSH\r\n"])
def test_proxy_that_does_not_connect_is_named(answer: bytes):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(OSError, match=r"the proxy proxy\.example:3128 \(HTTPS_PROXY\) does not connect"):
            open_tunnel(ours, AWS, Proxy("proxy.example", 3128))


def _tunnel_once(listener: socket.socket, context: ssl.SSLContext, seen: list[bytes]) -> None:
    """A proxy whose other end is the server itself."""
    raw, _ = listener.accept()
    with raw:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += raw.recv(1)
        seen.append(head)
        raw.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        with context.wrap_socket(raw, server_side=True) as sock, sock.makefile("rb") as file:
            read_message(file, body_bytes_max=1000, body_optional=True)
            sock.sendall(reply_bytes(GOOD))


def _answer_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    raw, _ = listener.accept()
    with raw:
        try:
            with context.wrap_socket(raw, server_side=True) as sock, sock.makefile("rb") as file:
                read_message(file, body_bytes_max=1000)
                sock.sendall(reply_bytes(GOOD))
        except OSError:
            return


def _own_certificate(folder: Path) -> Path:
    """A certificate for localhost, made on the spot so that none expires in the repository."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = folder / "own.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        [*command.split(), "-keyout", folder / "k", "-out", folder / "c"],
        check=True,
        capture_output=True,
    )
    path.write_text((folder / "k").read_text() + (folder / "c").read_text())
    return path
