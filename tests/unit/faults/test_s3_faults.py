"""What each S3 fault does, and the checks S3 makes that the emulator does not."""

from __future__ import annotations

import base64
import hashlib

import pytest

from sandbox.faults.delivery import Delivery
from sandbox.faults.http_messages import Request
from sandbox.faults.kinds import KINDS, Service
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan, FaultRule
from sandbox.faults.s3_call import read_call
from sandbox.faults.s3_proxy import S3Faults
from sandbox.faults.s3_service import S3Service
from tests.unit.faults.fake_services import FakeS3, signed

BODY = b"line one\nline two\n"


def put(key="data", body=BODY, **headers):
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("PUT", f"/bucket/{key}", (signed(), *named), body)


def get(key="data", **headers):
    return Request("GET", f"/bucket/{key}", (signed(), *headers.items()))


class Rig:
    """One handler over a fake S3 that holds two objects."""

    def __init__(self, *rules: FaultRule, owners=None):
        self.upstream = FakeS3()
        self.upstream.objects = {"/bucket/data": BODY, "/bucket/other": b"something else\n"}
        self.ledger = Ledger()
        self.handler = S3Faults(
            S3Service(self.upstream, ledger=self.ledger, owners=owners), FaultPlan(1, Service.S3, rules)
        )

    def send(self, request: Request) -> Delivery:
        return self.handler.handle(request)


def status_and_body(delivery: Delivery):
    head, _, body = delivery.data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_without_a_plan_everything_passes():
    rig = Rig()
    assert status_and_body(rig.send(put("new")))[0] == 200
    assert status_and_body(rig.send(get("new"))) == (200, BODY)
    assert [(row.operation, row.table, row.outcome) for row in rig.ledger.rows()] == [
        ("PUT object", "bucket", "ok"),
        ("GET object", "bucket", "ok"),
    ]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("slow_down", 503),
        ("s3_internal_before", 500),
        ("request_timeout", 400),
        ("s3_expired_token", 400),
        ("s3_access_denied", 403),
    ],
)
def test_refusal_stores_nothing(kind, status):
    rig = Rig(FaultRule(kind))
    assert status_and_body(rig.send(put("new")))[0] == status
    assert "/bucket/new" not in rig.upstream.objects


@pytest.mark.parametrize("kind", ["lost_reply", "s3_internal_after"])
def test_stored_but_not_told(kind):
    rig = Rig(FaultRule(kind))
    rig.send(put("new"))
    assert rig.upstream.objects["/bucket/new"] == BODY


def test_flipped_upload_is_refused_when_a_hash_came_with_it():
    rig = Rig(FaultRule("flipped_upload"))
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    status, body = status_and_body(rig.send(put("new", x_amz_checksum_sha256=digest)))
    assert status == 400
    assert b"BadDigest" in body
    assert "/bucket/new" not in rig.upstream.objects


def test_flipped_upload_without_a_hash_is_stored_wrong():
    """The rig must not be kinder than S3."""
    rig = Rig(FaultRule("flipped_upload"))
    assert status_and_body(rig.send(put("new")))[0] == 200
    assert rig.upstream.objects["/bucket/new"] != BODY


@pytest.mark.parametrize(
    ("header", "right"),
    [
        ("x-amz-content-sha256", hashlib.sha256(BODY).hexdigest()),
        ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(BODY).digest()).decode()),
        ("x-amz-checksum-crc32", "n4NNng=="),
        ("content-md5", base64.b64encode(hashlib.md5(BODY).digest()).decode()),
    ],
)
def test_hash_that_does_not_fit_is_refused(header, right):
    if header == "x-amz-checksum-crc32":
        right = base64.b64encode(__import__("zlib").crc32(BODY).to_bytes(4, "big")).decode()
    rig = Rig()
    headers = {header.replace("-", "_"): right}
    assert status_and_body(rig.send(put("fits", **headers)))[0] == 200
    assert status_and_body(rig.send(put("wrong", body=BODY + b"x", **headers)))[0] == 400
    assert "/bucket/wrong" not in rig.upstream.objects


def test_expected_owner_is_enforced():
    rig = Rig(owners={"bucket": "999999999999"})
    assert status_and_body(rig.send(get(**{"x-amz-expected-bucket-owner": "123456789012"})))[0] == 403
    assert status_and_body(rig.send(get(**{"x-amz-expected-bucket-owner": "999999999999"})))[0] == 200


def test_short_body_looks_whole():
    delivery = Rig(FaultRule("short_body")).send(get())
    head, _, body = delivery.data.partition(b"\r\n\r\n")
    assert BODY.startswith(body)
    assert len(body) < len(BODY)
    assert f"Content-Length: {len(body)}".encode() in head


def test_flipped_download_has_the_same_length():
    _, body = status_and_body(Rig(FaultRule("flipped_download")).send(get()))
    assert len(body) == len(BODY)
    assert body != BODY


def test_reset_within_cuts_the_body():
    delivery = Rig(FaultRule("s3_reset_within")).send(get())
    assert delivery.reset
    assert len(status_and_body(delivery)[1]) < len(BODY)


def test_swapped_object_comes_with_its_own_etag():
    rig = Rig(FaultRule("swapped_object", after_count=1))
    rig.send(get("other"))
    delivery = rig.send(get("data"))
    assert status_and_body(delivery) == (200, b"something else\n")
    assert f"ETag: {hash(rig.upstream.objects['/bucket/other'])}".encode() in delivery.data


def test_conflict_meets_only_a_put_if_absent():
    rig = Rig(FaultRule("conditional_conflict"))
    assert status_and_body(rig.send(put("plain")))[0] == 200
    status, body = status_and_body(rig.send(put("claim", If_None_Match="*")))
    assert (status, b"ConditionalRequestConflict" in body) == (409, True)
    assert "/bucket/claim" not in rig.upstream.objects


def test_rival_stores_first():
    rig = Rig(FaultRule("rival_writer"))
    assert status_and_body(rig.send(put("claim", If_None_Match="*")))[0] == 412
    assert b"rival" in rig.upstream.objects["/bucket/claim"]


def test_lasting_loss_hits_one_object_only():
    rig = Rig(FaultRule("object_gone", repeats=None))
    assert [status_and_body(rig.send(get(key)))[0] for key in ("data", "other", "data")] == [404, 200, 404]


def test_short_listing_asks_for_one_key():
    listing = Request("GET", "/bucket?list-type=2&prefix=a%2Fb&max-keys=1000", (signed(),))
    assert status_and_body(Rig(FaultRule("short_listing")).send(listing))[1] == b"list-type=2&prefix=a%2Fb&max-keys=1"


@pytest.mark.parametrize(
    ("method", "target", "operation", "key"),
    [
        ("GET", "/bucket/a/b%20c", "GET object", "a/b c"),
        ("HEAD", "/bucket/a", "HEAD object", "a"),
        ("GET", "/bucket?list-type=2&prefix=x", "LIST objects", ""),
        ("GET", "/bucket?location", "GET bucket", ""),
        ("HEAD", "/bucket", "HEAD bucket", ""),
        ("PUT", "/bucket/k?x-id=PutObject", "PUT object", "k"),
    ],
)
def test_operation_follows_from_method_and_path(method, target, operation, key):
    call = read_call(Request(method, target, ()))
    assert (call.operation, call.bucket, call.key) == (operation, "bucket", key)


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.service is Service.S3])
def test_every_kind_works_on_each_of_its_operations(kind):
    requests = {
        "GET object": get(),
        "PUT object": put(),
        "HEAD object": Request("HEAD", "/bucket/data", (signed(),)),
        "DELETE object": Request("DELETE", "/bucket/data", (signed(),)),
        "LIST objects": Request("GET", "/bucket?list-type=2", (signed(),)),
        "HEAD bucket": Request("HEAD", "/bucket", (signed(),)),
    }
    for operation in KINDS[kind].operations:
        rig = Rig(FaultRule(kind, wait_s=0.0))
        assert isinstance(rig.send(requests[operation]), Delivery)
        assert rig.ledger.count(outcome=kind) == 1
