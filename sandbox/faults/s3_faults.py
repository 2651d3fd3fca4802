"""
How each kind of S3 fault is done. `STRIKES` maps the names of `kinds` to functions of one exchange.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox.faults.delivery import Delivery, cut, nothing, whole
from sandbox.faults.dynamodb_faults import flipped
from sandbox.faults.http_messages import Reply, without
from sandbox.faults.plan import FaultRule
from sandbox.faults.s3_call import S3Call
from sandbox.faults.s3_replies import error
from sandbox.faults.s3_service import S3Service

RIVAL_BODY = b'{"rival": "somebody else was here first"}\n'
_OK = 200


@dataclass(frozen=True)
class Exchange:
    """One request that is to fail, and all that a fault may use."""

    call: S3Call
    service: S3Service
    rule: FaultRule
    rng: random.Random

    def carried_out(self) -> Reply:
        """The true reply; the request has been carried out then."""
        return self.service.serve(self.call)


Strike = Callable[[Exchange], Delivery]


def refusal(status: int, code: str, message: str) -> Strike:
    """A fault that answers with an error and does nothing."""
    return lambda _: whole(error(status, code, message))


internal_before = refusal(500, "InternalError", "We encountered an internal error. Please try again.")


def internal_after(exchange: Exchange) -> Delivery:
    """Stored, reported as an error."""
    exchange.carried_out()
    return internal_before(exchange)


def reset_before(_exchange: Exchange) -> Delivery:
    """No byte, nothing done."""
    return nothing()


def reset_within(exchange: Exchange) -> Delivery:
    """Some of the body, then RST."""
    return cut(exchange.carried_out(), at=exchange.rng.random(), reset=True)


def lost_reply(exchange: Exchange) -> Delivery:
    """Stored, no byte."""
    exchange.carried_out()
    return nothing()


def slow(exchange: Exchange) -> Delivery:
    """The true reply, late."""
    return whole(exchange.carried_out(), wait_s=exchange.rule.wait_s)


def short_body(exchange: Exchange) -> Delivery:
    """Fewer bytes and a Content-Length that agrees with them."""
    return _with_body(exchange, lambda body: body[: exchange.rng.randrange(max(len(body), 1))])


def flipped_download(exchange: Exchange) -> Delivery:
    """One bit of the content is another."""
    return _with_body(exchange, lambda body: flipped(body, exchange.rng))


def flipped_upload(exchange: Exchange) -> Delivery:
    """One bit changes on the way in; S3 refuses it if it was told a hash."""
    call = exchange.call
    altered = call.request.with_body(flipped(call.request.body, exchange.rng))
    return whole(exchange.service.serve(replace(call, request=altered)))


def swapped_object(exchange: Exchange) -> Delivery:
    """The content and ETag of another object that was read before; the first object ever read stays itself."""
    other = exchange.service.other_key(exchange.call)
    call = exchange.call if other is None else exchange.call.at(other)
    return whole(exchange.service.serve(call))


def conditional_conflict(exchange: Exchange) -> Delivery:
    """Only a put-if-absent can meet this."""
    if not exchange.call.put_if_absent:
        return whole(exchange.carried_out())
    return whole(error(409, "ConditionalRequestConflict", "A conflicting operation occurred; retry the upload."))


def rival_writer(exchange: Exchange) -> Delivery:
    """Another writer stores the key first; a put-if-absent then gets its 412 from S3 itself."""
    if exchange.call.put_if_absent:
        request = exchange.call.request
        kept = without(
            request.headers, "content-md5", "x-amz-content-sha256", "x-amz-checksum-sha256", "x-amz-checksum-crc32"
        )
        rival = replace(exchange.call, request=replace(request, headers=kept, body=RIVAL_BODY))
        exchange.service.serve(rival)
    return whole(exchange.carried_out())


def short_listing(exchange: Exchange) -> Delivery:
    """One key a page; the continuation token is S3's own."""
    return whole(exchange.service.serve(exchange.call.with_query(**{"max-keys": "1"})))


def silence(exchange: Exchange) -> Delivery:
    """Neither done nor answered; the connection closes in order after the wait."""
    return nothing(wait_s=exchange.rule.wait_s, reset=False)


def reset_in_head(exchange: Exchange) -> Delivery:
    """Some of the reply's head, then RST."""
    data = exchange.carried_out().to_bytes()
    return Delivery(data[: exchange.rng.randrange(1, len(data) - 4)], close=True, reset=True)


def answer(body: bytes) -> Strike:
    """Carried out, answered 200 with another body."""
    return lambda exchange: _with_body(exchange, lambda _: body)


def without_etag(exchange: Exchange) -> Delivery:
    """Carried out; the reply lacks what every such reply holds."""
    reply = exchange.carried_out()
    return whole(replace(reply, headers=without(reply.headers, "etag")))


def _with_body(exchange: Exchange, change: Callable[[bytes], bytes]) -> Delivery:
    """The reply with another body and without the checksums S3 may tell: an old object has none."""
    reply = exchange.carried_out()
    if reply.status != _OK:
        return whole(reply)
    kept = tuple((name, value) for name, value in reply.headers if not name.lower().startswith("x-amz-checksum-"))
    return whole(replace(reply, headers=kept, body=change(reply.body)))


STRIKES: dict[str, Strike] = {
    "slow_down": refusal(503, "SlowDown", "Please reduce your request rate."),
    "s3_internal_before": internal_before,
    "s3_internal_after": internal_after,
    "request_timeout": refusal(400, "RequestTimeout", "Your socket connection to the server was not read from."),
    "s3_reset_before": reset_before,
    "s3_reset_within": reset_within,
    "lost_reply": lost_reply,
    "s3_slow": slow,
    "short_body": short_body,
    "flipped_download": flipped_download,
    "flipped_upload": flipped_upload,
    "swapped_object": swapped_object,
    "conditional_conflict": conditional_conflict,
    "short_listing": short_listing,
    "s3_expired_token": refusal(400, "ExpiredToken", "The provided token has expired."),
    "rival_writer": rival_writer,
    "object_gone": refusal(404, "NoSuchKey", "The specified key does not exist."),
    "object_archived": refusal(403, "InvalidObjectState", "The operation is not valid for the storage class."),
    "s3_access_denied": refusal(403, "AccessDenied", "Access Denied"),
    "bucket_reset": reset_before,
    "bucket_reset_within": reset_in_head,
    "bucket_silence": silence,
    "bucket_internal": lambda _: whole(replace(error(500, "InternalError", ""), body=b"")),
    "bucket_slow_down": lambda _: whole(replace(error(503, "SlowDown", ""), body=b"")),
    "list_empty": answer(b""),
    "list_bare": answer(b"<ListBucketResult></ListBucketResult>"),
    "list_cut": short_body,
    "list_reset": reset_within,
    "list_html": answer(b"<html><body>Sign in to the network</body></html>"),
    "head_bare": without_etag,
    "put_bare": without_etag,
}
