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
from dynamodb_pipeline.dynamodb.connection import Endpoint
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
