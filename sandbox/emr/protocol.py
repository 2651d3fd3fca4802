"""AWS requests as they arrive over HTTP, and errors as each protocol words them. No state."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sandbox.emr import identifiers

StartResponse = Callable[..., Any]
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
XML_SERVICES = frozenset({"s3"})
QUERY_SERVICES = frozenset({"iam", "sts", "ec2", "cloudformation", "sns"})
BODY_SERVICES = frozenset({"elasticmapreduce", "dynamodb", "logs", "servicequotas", "scheduler", *QUERY_SERVICES})


class ServiceError(Exception):
    """An error reply of AWS: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, *, status: int = 400, **members: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members


@dataclass(frozen=True)
class Request:
    """One signed request. `body` is read only for the services whose action or resource is in it."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    access_key: str
    region: str
    service: str
    body: bytes = b""

    @property
    def target(self) -> str:
        """The operation of a JSON protocol request, empty for others."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a query protocol request."""
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}

    def json(self) -> dict[str, Any]:
        """Return the body of a JSON request; ServiceError when it is none."""
        try:
            document = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ServiceError("SerializationException", f"the request is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ServiceError("SerializationException", "the request is not a JSON object")
        return document


def read_request(environ: Mapping[str, Any]) -> Request:
    """Return the request of a WSGI environment; an unsigned one has no service."""
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    access_key, region, service = _credential(headers.get("authorization", ""), query)
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace"),  # PEP 3333: bytes as latin-1
        query=query,
        headers=headers,
        access_key=access_key,
        region=region,
        service=service,
        body=_read_body(environ) if service in BODY_SERVICES else b"",
    )


def _credential(authorization: str, query: Mapping[str, list[str]]) -> tuple[str, str, str]:
    scope = query.get("X-Amz-Credential", [""])[0]
    found = CREDENTIAL.search(authorization) or CREDENTIAL.search(f"Credential={scope}")
    return (found.group(1), found.group(2), found.group(3)) if found else ("", "", "")


def _read_body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    return body


def reply_json(
    start_response: StartResponse, document: Any, *, status: int = 200, content_type: str = "application/json"
) -> Iterable[bytes]:
    """Send a JSON document."""
    return reply_bytes(start_response, json.dumps(document).encode(), status=status, content_type=content_type)


def reply_bytes(start_response: StartResponse, body: bytes, *, status: int = 200, content_type: str) -> Iterable[bytes]:
    """Send a reply that is worded already."""
    start_response(f"{status} {'OK' if status < 300 else 'Error'}", _headers(content_type, body))
    return [body]


def body_stream(request: Request) -> io.BytesIO:
    """Return the body that has been read as a stream for the next reader."""
    return io.BytesIO(request.body)


def reply_error(start_response: StartResponse, request: Request, error: ServiceError) -> Iterable[bytes]:
    """Send an error in the words of the service's protocol; a HEAD request gets headers only."""
    content_type, body = _error_body(request.service, error)
    headers = [*_headers(content_type, body), ("x-amzn-errortype", error.code)]
    start_response(f"{error.status} Error", headers)
    return [] if request.method == "HEAD" else [body]


def _headers(content_type: str, body: bytes) -> list[tuple[str, str]]:
    return [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-requestid", identifiers.request_id()),
    ]


def _error_body(service: str, error: ServiceError) -> tuple[str, bytes]:
    code, message = escape(error.code), escape(error.message)
    if service in XML_SERVICES:
        return "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    if service == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        return "text/xml", f"<Response>{inner}</Response>".encode()
    if service in QUERY_SERVICES:
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return "text/xml", f"<ErrorResponse>{inner}</ErrorResponse>".encode()
    document = {"__type": error.code, "message": error.message, "Message": error.message, **error.members}
    return "application/x-amz-json-1.1", json.dumps(document).encode()
