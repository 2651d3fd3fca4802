"""The one address: who asked, what struck, who answered. WSGI calls without a socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.emr.access import NODE, Principals
from sandbox.emr.gateway import Gateway
from sandbox.emr.ledger import Ledger
from tests.unit.sandbox_emr.emr_builders import World, run_job_flow

LAUNCHER_KEY = "AKIAIOSFODNN7EXAMPLE"


@dataclass
class FakeSocket:
    def shutdown(self, how: int) -> None:
        """As a socket's."""


@dataclass
class Address:
    """A gateway with a moto that answers 200 to all it gets."""

    world: World = field(default_factory=World)
    ledger: Ledger = field(default_factory=Ledger)
    principals: Principals = field(default_factory=Principals)
    reached_moto: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gateway = Gateway(
            self.world.service,
            ledger=self.ledger,
            principals=self.principals,
            control=lambda _environ, start: self._say(start, b"control"),
            moto=self._moto,
        )

    def _moto(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.reached_moto.append(f"{environ['PATH_INFO']} {environ['wsgi.input'].read(length).decode()}")
        return self._say(start_response, b"moto")

    def _say(self, start_response: Any, body: bytes) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [body]

    def send(
        self, method: str, path: str, *, service: str, key: str = LAUNCHER_KEY, target: str = "", body: bytes = b""
    ) -> tuple[int, bytes]:
        """Return (status, body) of one signed request."""
        statuses: list[str] = []
        scope = f"Credential={key}/20261123/us-east-1/{service}/aws4_request"
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "HTTP_X_AMZ_TARGET": target,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "werkzeug.socket": FakeSocket(),
        }
        reply = b"".join(self.gateway(environ, lambda status, *_: statuses.append(status)))
        return int(statuses[0][:3]), reply

    def emr(self, operation: str, **params: Any) -> tuple[int, dict[str, Any]]:
        target = f"ElasticMapReduce.{operation}"
        status, body = self.send(
            "POST", "/", service="elasticmapreduce", target=target, body=json.dumps(params).encode()
        )
        return status, json.loads(body)

    @property
    def recorded(self) -> list[tuple[str, str, int, str]]:
        return [(e["principal"], e["action"], e["status"], e["outcome"]) for e in self.ledger.entries()]


@pytest.fixture
def address() -> Address:
    return Address()


def test_emr_is_answered_here_and_everything_else_by_moto(address: Address) -> None:
    assert address.emr("ListClusters") == (200, {"Clusters": []})
    assert address.send("PUT", "/bucket/key", service="s3", body=b"data") == (200, b"moto")
    assert address.reached_moto == ["/bucket/key data"]


def test_what_moto_keeps_of_emr_goes_to_moto_with_its_body(address: Address) -> None:
    body = b'{"Name": "imdsv2", "SecurityConfiguration": "{}"}'
    target = "ElasticMapReduce.CreateSecurityConfiguration"
    assert address.send("POST", "/", service="elasticmapreduce", target=target, body=body)[1] == b"moto"
    assert address.reached_moto == [f"/ {body.decode()}"]


def test_every_request_is_recorded_with_its_principal_and_result(address: Address) -> None:
    node = address.principals.key_for(NODE, "export-nodes")
    address.send("GET", "/bucket/key", service="s3", key=node)
    address.emr("DescribeCluster", ClusterId="j-NONE")
    assert address.recorded == [
        ("node", "s3:GetObject", 200, "answered"),
        ("launcher", "elasticmapreduce:DescribeCluster", 400, "answered"),
    ]
    assert address.ledger.entries()[0]["role"] == "export-nodes"


def test_an_error_is_worded_as_the_service_words_it(address: Address) -> None:
    for service, action in (("s3", "s3:*"), ("elasticmapreduce", "elasticmapreduce:*"), ("iam", "iam:*")):
        address.world.faults.add({"kind": "deny", "action": action})
        body = {"iam": b"Action=GetRole&RoleName=x"}.get(service, b"{}")
        target = "ElasticMapReduce.ListClusters" if service == "elasticmapreduce" else ""
        status, reply = address.send("POST", "/b/k", service=service, target=target, body=body)
        assert status in (400, 403)
        assert b"AccessDenied" in reply
        assert reply.startswith(b"{" if service == "elasticmapreduce" else b"<Error")
    assert address.reached_moto == []


def test_a_head_request_gets_no_body_with_its_error(address: Address) -> None:
    address.world.faults.add({"kind": "deny", "action": "s3:ListBucket"})
    assert address.send("HEAD", "/bucket", service="s3") == (403, b"")


def test_a_lost_reply_is_done_and_a_lost_request_is_not(address: Address) -> None:
    for kind in ("lost-reply", "lost-request"):
        address.world.faults.add({"kind": kind, "action": "elasticmapreduce:RunJobFlow"})
        with pytest.raises(ConnectionAbortedError):
            address.emr("RunJobFlow", **run_job_flow(Name=kind))
    assert [cluster.request["Name"] for cluster in address.world.fleet.all()] == ["lost-reply"]
    assert {outcome for _, _, status, outcome in address.recorded if status == 0} == {"lost-reply", "lost-request"}


def test_a_fault_lets_pass_what_it_is_told_to_and_then_strikes(address: Address) -> None:
    address.world.faults.add({"kind": "throttle", "action": "elasticmapreduce:ListClusters", "skip": 1, "count": 2})
    assert [address.emr("ListClusters")[0] for _ in range(4)] == [200, 400, 400, 200]


def test_a_buckets_owner_is_checked(address: Address) -> None:
    scope = f"Credential={LAUNCHER_KEY}/20261123/us-east-1/s3/aws4_request"
    for owner, expected in (("123456789012", "200 OK"), ("999999999999", "403 Error")):
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/bucket",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 {scope}",
            "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER": owner,
            "wsgi.input": io.BytesIO(),
        }
        list(address.gateway(environ, lambda status, *_, into=statuses: into.append(status)))
        assert statuses == [expected]


def test_a_body_that_is_no_json_is_a_serialization_error(address: Address) -> None:
    status, reply = address.send(
        "POST", "/", service="elasticmapreduce", target="ElasticMapReduce.ListClusters", body=b"{"
    )
    assert status == 400
    assert b"SerializationException" in reply


def test_unsigned_requests_pass_unrecorded_and_faults_do_not_strike_them(address: Address) -> None:
    address.world.faults.add({"kind": "deny"})
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
    assert list(address.gateway(environ, lambda *_: None)) == [b"moto"]
    assert address.recorded == []


def test_dynamodb_goes_on_to_moto_unless_another_server_is_set(address: Address) -> None:
    address.send("POST", "/", service="dynamodb", target="DynamoDB_20120810.ListTables", body=b"{}")
    assert address.reached_moto == ["/ {}"]
