"""What S3 refuses for a while is sent again, within bounds of count and time; what it refuses for good is not."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Callable

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from dynamodb_pipeline.aws.retry import GaveUp
from dynamodb_pipeline.errors import DeniedError, ExitCode, PipelineError, PreconditionError, StoppedError
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.store.anywhere import bucket_clients
from dynamodb_pipeline.store.objects import AlreadyExistsError, put_once
from dynamodb_pipeline.store.s3 import S3_PACING, S3ObjectStore
from tests.unit.store.memory_store import MemoryStore
from tests.unit.store.s3_world import S3World, ScriptedS3, lost, refusal

URI = "s3://bucket/key"
SLOW_DOWN = refusal(503, "SlowDown")
PASSING = {
    "slow down": SLOW_DOWN,
    "no words (HEAD)": refusal(503, "503"),
    "internal": refusal(500, "InternalError"),
    "gateway": refusal(502, "502"),
    "request timeout": refusal(400, "RequestTimeout"),
    "altered": refusal(400, "BadDigest"),
    "race": refusal(409, "ConditionalRequestConflict"),
    "no connection": EndpointConnectionError(endpoint_url="https://s3"),
    "closed": ConnectionClosedError(endpoint_url="https://s3"),
    "silence": ReadTimeoutError(endpoint_url="https://s3"),
}
CALLS: dict[str, Callable[[S3ObjectStore], object]] = {
    "put": lambda store: store.put(URI, b"new"),
    "get": lambda store: store.get(URI),
    "head": lambda store: store.head(URI),
    "list": lambda store: list(store.list("s3://bucket/")),
    "delete": lambda store: store.delete(URI),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("name", CALLS)
def test_every_call_is_repeated_after_what_passes(name: str, error: Exception) -> None:
    world, client = S3World(), ScriptedS3(error, error, error, stored=b"old")
    CALLS[name](world.store(client))
    assert client.calls == [name] * 4
    assert world.slept == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_delay_is_a_random_part_of_a_limit_that_doubles(chance: float) -> None:
    world = S3World(chance=chance)
    world.store(ScriptedS3(*[SLOW_DOWN] * 10)).put(URI, b"")
    assert world.slept == [chance * min(20.0, 0.1 * 2**n) for n in range(10)]


def test_slow_down_without_end_stops_the_run_after_ten_minutes() -> None:
    world, client = S3World(), ScriptedS3(*[SLOW_DOWN] * 1000)
    with pytest.raises(GaveUp, match=r"no progress for 600 s.*put_object s3://bucket/key failed: SlowDown") as caught:
        world.store(client).put(URI, b"")
    assert 580 < sum(world.slept) <= 600
    assert caught.value.exit_code is ExitCode.STOPPED


def test_slow_down_without_end_stops_the_run_by_count_where_no_time_passes() -> None:
    client = ScriptedS3(*[SLOW_DOWN] * 1000)
    with pytest.raises(GaveUp, match="200 attempts"):
        S3World(chance=0.0).store(client).put(URI, b"")
    assert len(client.calls) == 200


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal(403, "AccessDenied"), DeniedError),
        (refusal(404, "NoSuchBucket"), PreconditionError),
        (refusal(403, "InvalidObjectState"), PreconditionError),
        (refusal(400, "MalformedXML"), StoppedError),
    ],
)
def test_what_stays_is_never_repeated(error: ClientError, kind: type[PipelineError]) -> None:
    world, client = S3World(), ScriptedS3(error)
    with pytest.raises(kind):
        world.store(client).put(URI, b"")
    assert (client.calls, world.slept) == (["put"], [])


def test_a_missing_bucket_is_nobodys_to_be_told_to_make() -> None:
    """It may have been meant to be read from."""
    with pytest.raises(PreconditionError) as of_call:
        S3World().store(ScriptedS3(refusal(404, "NoSuchBucket"))).put(URI, b"")
    assert str(of_call.value).startswith("bucket 'bucket' does not exist, in any account or region")
    assert "create" not in str(of_call.value)


def test_file_is_sent_from_its_start_each_time() -> None:
    """The attempt before has read it to its end."""
    client, body = ScriptedS3(lost(SLOW_DOWN), SLOW_DOWN), io.BytesIO(b"whole")
    S3World().store(client).put(URI, body, sha256_hex="00" * 32)
    assert (client.calls, client.stored) == (["put"] * 3, b"whole")


def test_hash_of_a_file_leaves_it_at_its_start() -> None:
    client = ScriptedS3()
    S3World().store(client).put(URI, io.BytesIO(b"whole"))
    assert client.stored == b"whole"


def test_stop_ends_the_wait_at_once() -> None:
    lifetime, reason, client = RunLifetime(), StoppedError("stopped by SIGTERM"), ScriptedS3(*[SLOW_DOWN] * 5)
    lifetime.stop(reason)
    store = S3ObjectStore(lambda _: client, pacing=replace(S3_PACING, sleep=lifetime.sleep))
    with pytest.raises(StoppedError) as caught:
        store.put(URI, b"")
    assert caught.value is reason
    assert client.calls == ["put"]


@pytest.mark.parametrize("error", [PASSING["internal"], PASSING["closed"], PASSING["race"]], ids=str)
def test_put_if_absent_whose_reply_was_lost_is_done(error: Exception) -> None:
    """Stored, then 412 to the repetition: what lies there is ours."""
    client = ScriptedS3(lost(error))
    assert put_once(S3World().store(client), URI, b"mine")
    assert client.calls == ["put", "put", "get"]


def test_put_if_absent_after_a_lost_reply_sees_another_writer() -> None:
    client = ScriptedS3(PASSING["internal"], stored=b"theirs")
    assert not put_once(S3World().store(client), URI, b"mine")
    assert client.stored == b"theirs"


def test_put_if_absent_says_that_the_object_is_there() -> None:
    with pytest.raises(AlreadyExistsError, match="s3://bucket/key exists already"):
        S3World().store(ScriptedS3(stored=b"")).put(URI, b"", if_absent=True)


def test_bucket_that_cannot_be_asked_for_its_region_is_asked_again() -> None:
    answers: list[Exception | dict] = [SLOW_DOWN, {"ResponseMetadata": {"HTTPHeaders": {}}}]
    client = ScriptedS3(stored=b"old")

    def head_bucket(**_: object) -> dict:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client.head_bucket = head_bucket  # type: ignore[attr-defined]
    clients = bucket_clients(lambda *_, **__: client)
    assert S3ObjectStore(clients, pacing=S3World().pacing).get(URI) == b"old"


def test_entries_are_read_although_this_process_seems_to_have_made_the_header() -> None:
    """A resume whose header PUT got an error and then 412 reads back equal bytes; the entries must not be lost."""
    store = MemoryStore()
    first = Ledger(store, "s3://logs/ledger")
    first.open({"table": "T"})
    first.add("segment-0", {"pages": 1})
    del store.objects["s3://logs/ledger/header.json"]
    assert Ledger(store, "s3://logs/ledger").open({"table": "T"}) == {"segment-0": {"pages": 1}}
