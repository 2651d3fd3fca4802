"""Signatures are compared with botocore's own signer: an oracle that is not ours."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dynamodb_pipeline.dynamodb.signing import Scope, SignatureError, Signer, check_signature, signing_key


class Keys(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None = None


KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TIMESTAMP = "20150830T123600Z"
BODIES = [
    b"",
    b"{}",
    b'{"TableName":"orders","Limit":1}',
    '{"a":"\u20ac \U0001f600"}'.encode(),
    bytes(range(256)),
    b"\r\n\r\n",
    b"x" * 28_000,
]


def headers(timestamp: str, *, host: str, target: str, token: str | None) -> list[tuple[str, str]]:
    listed = [("content-type", "application/x-amz-json-1.0"), ("host", host), ("x-amz-date", timestamp)]
    listed += [("x-amz-security-token", token)] if token else []
    return [*listed, ("x-amz-target", target)]


def botocore_authorization(
    signed: list[tuple[str, str]], body: bytes, *, keys: Keys, region: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What botocore signs for the same request at the same time."""
    named = dict(signed)
    timestamp = named.pop("x-amz-date")
    named.pop("x-amz-security-token", None)
    host = named.pop("host")
    request = AWSRequest(method="POST", url=f"https://{host}/", headers=named, data=body)
    signer = SigV4Auth(Credentials(*keys), "dynamodb", region)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: _parsed(timestamp))
    signer.add_auth(request)
    return str(request.headers["Authorization"])


def _parsed(timestamp: str):
    from datetime import datetime

    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007  botocore's own clock is naive UTC


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEBYaD+/=="], ids=["user-key", "session-token"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_authorization_is_that_of_botocore(body: bytes, token: str | None, monkeypatch: pytest.MonkeyPatch):
    keys = Keys(KEYS.access_key, KEYS.secret_key, token)
    host, target = "dynamodb.eu-west-1.amazonaws.com", "DynamoDB_20120810.Scan"
    signed = headers(TIMESTAMP, host=host, target=target, token=token)
    ours = Signer("eu-west-1").authorization(signed, body, keys=keys, timestamp=TIMESTAMP)
    theirs = botocore_authorization(signed, body, keys=keys, region="eu-west-1", monkeypatch=monkeypatch)
    assert ours == theirs


def test_authorization_is_that_of_botocore_for_many_random_requests(monkeypatch: pytest.MonkeyPatch):
    """One signer throughout, so that its kept key must follow day and secret."""
    chance = random.Random(7)
    signer = Signer("us-east-1")
    for _ in range(300):
        keys = Keys("AK" + str(chance.randrange(3)), f"secret{chance.randrange(3)}", chance.choice([None, "tok=="]))
        day, hour = chance.randrange(1, 29), chance.randrange(24)
        timestamp = f"2024{chance.randrange(1, 13):02}{day:02}T{hour:02}0509Z"
        body = chance.randbytes(chance.randrange(200))
        host = f"localhost:{chance.randrange(1024, 65536)}"
        signed = headers(timestamp, host=host, target="DynamoDB_20120810.PutItem", token=keys.token)
        ours = signer.authorization(signed, body, keys=keys, timestamp=timestamp)
        assert ours == botocore_authorization(signed, body, keys=keys, region="us-east-1", monkeypatch=monkeypatch)


def test_signing_key_is_that_of_the_documented_example():
    """The worked example of AWS's general reference, "Deriving a signing key with other languages"."""
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Scope("20120215", "us-east-1", "iam"))
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def request(body: bytes = b"{}", **other: str) -> dict[str, str]:
    """Headers of a request signed with KEYS as an SDK would sign it, more headers than we send ourselves."""
    signed = [
        ("amz-sdk-invocation-id", "1-2-3"),
        ("amz-sdk-request", "attempt=1; max=4"),
        ("host", "127.0.0.1:8000"),
        ("x-amz-date", TIMESTAMP),
        ("x-amz-target", "DynamoDB_20120810.Scan"),
    ]
    authorization = Signer("eu-west-1").authorization(signed, body, keys=KEYS, timestamp=TIMESTAMP)
    return {**dict(signed), "user-agent": "x", "authorization": authorization, **other}


def test_request_signed_with_the_key_pair_is_accepted():
    check_signature(request(), b"{}", keys=KEYS)


def test_blanks_inside_a_signed_header_are_as_good_as_one():
    check_signature(request(**{"amz-sdk-request": "attempt=1;   max=4"}), b"{}", keys=KEYS)


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({}, b"{ }"),
        ({"x-amz-target": "DynamoDB_20120810.DeleteTable"}, b"{}"),
        ({"host": "127.0.0.1:8001"}, b"{}"),
        ({"x-amz-date": "20150830T123601Z"}, b"{}"),
        ({"authorization": ""}, b"{}"),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature="}, b"{}"),
        ({"authorization": request()["authorization"].replace("AKIDEXAMPLE", "AKIDOTHER")}, b"{}"),
        ({"authorization": request()["authorization"].replace("eu-west-1", "eu-west-2")}, b"{}"),
        ({"authorization": request()["authorization"][:-1] + "é"}, b"{}"),
        ({"authorization": request()["authorization"].replace("host;", "")}, b"{}"),
        ({"authorization": request()["authorization"].replace("host;", "host;x-missing;")}, b"{}"),
    ],
    ids=["body", "target", "host", "date", "none", "empty", "key", "region", "signature", "no-host", "unsent-header"],
)
def test_changed_request_is_refused(changed: dict[str, str], body: bytes):
    with pytest.raises(SignatureError):
        check_signature(request(**changed), body, keys=KEYS)


def test_signature_by_another_secret_is_refused():
    with pytest.raises(SignatureError):
        check_signature(request(), b"{}", keys=Keys(KEYS.access_key, "another"))
