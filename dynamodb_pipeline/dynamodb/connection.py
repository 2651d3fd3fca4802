"""
Where DynamoDB is and the kept-alive connections to it.

Bytes only: signing, operations and errors are in `wire`. TLS uses Python's default context; the certificate
bundle is that of AWS_CA_BUNDLE when set, as in every AWS SDK. So is a proxy of HTTPS_PROXY and NO_PROXY: encrypted
connections go through it by CONNECT, this machine itself never does.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import select
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable
from urllib.parse import unquote, urlsplit

from dynamodb_pipeline.aws.clients import check_region, refuse_user_in_url
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.dynamodb.http1 import HEAD_BYTES_MAX, Message, MessageError, read_message
from dynamodb_pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REPLY_BYTES_MAX = 64 * 1024 * 1024  # a page is 1 MB for DynamoDB; a few times that as escaped JSON
IDLE_CHECK_S = 1.0  # a connection that rested longer may have been closed by the server: look before use
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
PROXY_PORT = 80  # of a proxy whose URL names none


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next byte of a reply."""

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S


@dataclass(frozen=True)
class Endpoint:
    """
    DynamoDB's address and the region to sign for.

    Raises:
        UsageError: plain http to anything but this machine, or a malformed region.
    """

    host: str
    port: int
    tls: bool
    region: str

    def __post_init__(self) -> None:
        check_region(self.region)
        if not self.tls and not _is_loopback(self.host):
            url = f"http://{self.host}:{self.port}"
            msg = f"endpoint {url} is plain http; only https, or a loopback address, is allowed"
            raise UsageError(msg)

    @classmethod
    def from_url(cls, url: str, *, region: str) -> Endpoint:
        """Return the endpoint of `http[s]://host[:port]`."""
        msg = f"endpoint {without_secrets(url)!r} is not of the form https://host[:port]"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as err:  # no number, or an unfinished IPv6 address
            raise UsageError(msg) from err
        refuse_user_in_url(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise UsageError(msg)
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), tls, region)

    @classmethod
    def from_client(cls, client: DynamoDBClient) -> Endpoint:
        """Return the endpoint a boto3 DynamoDB client was built for (profile, environment, FIPS ...)."""
        return cls.from_url(client.meta.endpoint_url, region=client.meta.region_name)

    @property
    def authority(self) -> str:
        """The Host header: without the scheme's own port, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy: where it is, and what it is told of who we are ("" for nothing)."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


def proxy_of(endpoint: Endpoint) -> Proxy | None:
    """
    The proxy that the environment names for the endpoint, None for a direct connection.

    Raises:
        UsageError: it is none that speaks plain HTTP, as botocore's own may be; nothing was sent.
    """
    known = urllib.request.getproxies_environment()
    url = known.get("https", "")
    host = f"{endpoint.host}:{endpoint.port}"
    if not url or not endpoint.tls or _is_loopback(endpoint.host):
        return None
    if urllib.request.proxy_bypass_environment(host, known):  # type: ignore[attr-defined]  # of the standard library
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        msg = (
            f"HTTPS_PROXY is {without_secrets(url)!r}; DynamoDB is reached through a proxy of the form "
            f"http://host:port only; set that, or put {endpoint.host} into NO_PROXY where it can be reached directly"
        )
        raise UsageError(msg)
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(parts.hostname, parts.port or PROXY_PORT, base64.b64encode(who.encode()).decode("ascii"))


def open_tunnel(sock: socket.socket, endpoint: Endpoint, proxy: Proxy) -> None:
    """
    Have the proxy connect to the endpoint (RFC 9110 9.3.6); what is sent afterwards goes there.

    Raises:
        OSError: it refuses, or does not speak HTTP.
    """
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"CONNECT {host}:{endpoint.port} HTTP/1.1", f"Host: {host}:{endpoint.port}"]
    lines += [f"Proxy-Authorization: Basic {proxy.authorization}"] if proxy.authorization else []
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)  # not one more: what follows is the endpoint's
        head += byte
        if not byte or len(head) > HEAD_BYTES_MAX:
            break
    status = head.partition(b"\r\n")[0].decode("latin-1")
    if not re.match(r"HTTP/1\.[01] 2\d\d\b", status):
        msg = f"the proxy {proxy.host}:{proxy.port} (HTTPS_PROXY) does not connect: {status[:80]!r}"
        raise OSError(msg)


def tls_context() -> ssl.SSLContext:
    """Return Python's default client context with AWS_CA_BUNDLE's certificates, if that is set."""
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


def has_news(sock: socket.socket) -> bool:
    """True when something can be read at once: bytes, or that the peer has closed."""
    poll = select.poll()  # select() ends at file descriptor 1023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class Connection:
    """One connection: a request out, a reply in, over and over."""

    def __init__(
        self, endpoint: Endpoint, *, timeouts: Timeouts, context: ssl.SSLContext | None, proxy: Proxy | None = None
    ) -> None:
        first = proxy or endpoint
        sock = socket.create_connection((first.host, first.port), timeout=timeouts.connect_s)
        try:
            if proxy is not None:
                open_tunnel(sock, endpoint, proxy)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else Nagle costs 40 ms per request
            self._sock = context.wrap_socket(sock, server_hostname=endpoint.host) if context else sock
        except OSError:
            sock.close()
            raise
        self._sock.settimeout(timeouts.read_s)
        self._file = self._sock.makefile("rb")
        self.rested_since_s = 0.0

    def exchange(self, request: bytes) -> Message:
        """
        Send one request and return its reply.

        Raises:
            OSError: reset, closed or timed out.
            MessageError: the reply is incomplete or malformed.
        """
        self._sock.sendall(request)
        reply = read_message(self._file, body_bytes_max=REPLY_BYTES_MAX)
        while reply is not None and reply.start_line.startswith("HTTP/1.1 1"):
            reply = read_message(self._file, body_bytes_max=REPLY_BYTES_MAX)
        if reply is None:
            msg = "closed by the server before a reply"
            raise ConnectionResetError(msg)
        return reply

    def is_stale(self) -> bool:
        """True when the server has closed it (or sent what nobody asked for) while it rested."""
        return has_news(self._sock)

    def close(self) -> None:
        self._file.close()
        self._sock.close()


class ConnectionPool:
    """Idle connections to one endpoint, newest first; each is used by one thread at a time."""

    def __init__(self, endpoint: Endpoint, *, timeouts: Timeouts, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._context = tls_context() if endpoint.tls else None
        self._proxy = proxy_of(endpoint)
        self._clock = clock
        self._idle: list[Connection] = []

    def exchange(self, request: bytes) -> Message:
        """Send one request over an idle or new connection; raises what `Connection.exchange` raises."""
        connection = self._take()
        try:
            reply = connection.exchange(request)
        except (OSError, MessageError):
            connection.close()
            raise
        if reply.headers.get("connection", "").lower() == "close" or reply.start_line.startswith("HTTP/1.0"):
            connection.close()
        else:
            connection.rested_since_s = self._clock()
            self._idle.append(connection)
        return reply

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection(self._endpoint, timeouts=self._timeouts, context=self._context, proxy=self._proxy)
            rested_s = self._clock() - connection.rested_since_s
            if rested_s < IDLE_CHECK_S or not connection.is_stale():
                return connection
            connection.close()

    def close(self) -> None:
        """Close the idle connections; those in use close themselves when their thread's request fails."""
        while self._idle:
            self._idle.pop().close()
