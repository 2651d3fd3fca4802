"""One run: what it remembers of its beginning, whom it lets go on with it, and what its exit code says was written."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from moto import mock_aws

import dynamodb_pipeline
from dynamodb_pipeline.errors import (
    DeniedError,
    ExitCode,
    PipelineError,
    PreconditionError,
    StoppedError,
    UnreachableError,
)
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.run.context import Effects, RunContext
from dynamodb_pipeline.run.heartbeat import Here
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.run.record import take_run
from dynamodb_pipeline.run.run import Run, stopped_part_way, tell_what_was_written
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from dynamodb_pipeline.settings.parser import job_options
from dynamodb_pipeline.store.objects import AlreadyExistsError, Body, ObjectInfo
from tests.unit.emr.aws import kept_client
from tests.unit.store.memory_store import MemoryStore

BUCKET = "pipeline-data"
LOGS = f"s3://{BUCKET}/logs"
WORDS = {
    "export": ("--table", "Forum", "--output", f"s3://{BUCKET}/exports"),
    "import": ("--table", "Forum", "--input", f"s3://{BUCKET}/exports/one"),
}
NOW = datetime(2026, 11, 23, 3, 0, 0, 900_000, tzinfo=timezone.utc)
Job = Callable[[RunContext, Any, Any], dict[str, Any]]


class TickingClock:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return NOW + timedelta(seconds=self.looks - 1)


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = kept_client("s3", "eu-west-1")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


def run(
    job: Job, *, kind: str = "export", run_id: str = "nightly", table: str = "Forum", say: Any = None, **here: Any
) -> Run:
    words = [word.replace("Forum", table) for word in WORDS[kind]]
    options = job_options(kind, [*words, "--region", "eu-west-1", "--logs", LOGS, "--run-id", run_id])
    own: dict[str, Any] = {"host": "here", "pid": 7, "now": lambda: NOW, "exists": lambda _: True, **here}
    return Run(
        kind,
        SETTINGS_OF[kind](options, program=("export",)),
        reporter=Reporter(say or (lambda _: None)),
        local=True,
        engine="process",
        tool_version="1",
        job=job,
        here=Here(**{"sleep": lambda _: None, **own}),
    )


def nothing(*_: Any) -> dict[str, Any]:
    return {}


def recorded(s3: Any, run_id: str = "nightly") -> dict[str, Any]:
    body = s3.get_object(Bucket=BUCKET, Key=f"logs/runs/{run_id}/run.json")["Body"].read()
    members: dict[str, Any] = json.loads(body)
    return members


def test_every_attempt_of_a_run_has_the_moment_of_its_one_look_at_the_clock(s3: Any) -> None:
    """A run id of the user's own holds no moment; two moments would be two folders, and the second is refused."""
    moments = []

    def job(ctx: RunContext, *_: Any) -> dict[str, Any]:
        moments.append(ctx.moment)
        if len(moments) == 1:
            raise StoppedError("the network is gone")
        return {}

    run(job, now=TickingClock()).execute()
    said = recorded(s3)
    assert {said["first_started"], said["started"], said["folder_moment"]} == {"2026-11-23T03:00:00Z"}
    run(job, now=lambda: NOW + timedelta(days=1)).execute()
    assert recorded(s3)["first_started"] == "2026-11-23T03:00:00Z"
    assert recorded(s3)["started"] == "2026-11-24T03:00:00Z"
    assert {f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments} == {"2026-11-23T03:00:00Z"}


def put_data(ctx: RunContext) -> None:
    ctx.store.put(f"s3://{BUCKET}/exports/one/_claim.json", b"{}")


def put_state(ctx: RunContext) -> None:
    ctx.store.put(f"{LOGS}/runs/nightly/ledger/export/Forum/header.json", b"{}")


def put_again(ctx: RunContext) -> None:
    s3_client = kept_client("s3", "eu-west-1")
    s3_client.put_object(Bucket=BUCKET, Key="exports/one/_claim.json", Body=b"another's")
    with pytest.raises(AlreadyExistsError):
        ctx.store.put(f"s3://{BUCKET}/exports/one/_claim.json", b"{}", if_absent=True)


WRITES = {
    "an object": (put_data, True),
    "items of a table": (lambda ctx: ctx.begin_writing(), True),
    "a deleted object": (lambda ctx: ctx.store.delete(f"s3://{BUCKET}/exports/one/x"), True),
    "state of the run": (put_state, False),
    "an object that was there": (put_again, False),
    "nothing": (lambda _: None, False),
}


@pytest.mark.parametrize(("write", "written"), WRITES.values(), ids=WRITES.keys())
def test_a_refusal_after_the_first_write_is_no_refusal_any_more(
    write: Callable[[RunContext], None], written: bool, s3: Any
) -> None:
    def job(ctx: RunContext, *_: Any) -> dict[str, Any]:
        write(ctx)
        raise PreconditionError("it is not as it must be")

    with pytest.raises(PipelineError, match="not as it must be") as caught:
        run(job).execute()
    expected = ExitCode.STOPPED if written else ExitCode.PRECONDITION
    assert (ExitCode.of_error(caught.value), recorded(s3)["exit_code"]) == (expected, expected)
    assert ("resume" in caught.value.facts) is written


@pytest.mark.parametrize(
    ("write", "begun"),
    [(put_state, True), (put_data, True), (lambda _: None, False)],
    ids=["ledger", "data", "nothing"],
)
@pytest.mark.parametrize("error", [DeniedError, KeyboardInterrupt])
def test_only_what_had_begun_is_to_be_gone_on_with(
    write: Callable[[RunContext], None], begun: bool, error: type[BaseException], s3: Any
) -> None:
    def job(ctx: RunContext, *_: Any) -> dict[str, Any]:
        write(ctx)
        raise error("gone")

    said: list[str] = []
    with pytest.raises(error):
        run(job, say=said.append).execute()
    assert ("resume" in recorded(s3)) is begun
    assert any(line.startswith("to go on where it stopped: ") for line in said) is begun


def kinds_of(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(kinds_of(each) for each in kind.__subclasses__()))


def test_no_error_of_the_library_gets_past_by_being_of_a_kind_of_its_own() -> None:
    for module in pkgutil.walk_packages(dynamodb_pipeline.__path__, "dynamodb_pipeline."):
        importlib.import_module(module.name)
    refusals = {kind for kind in kinds_of(PipelineError) if kind.exit_code is ExitCode.PRECONDITION}
    assert len(refusals) >= 3
    for kind in refusals:
        error = kind.__new__(kind)
        tell_what_was_written(error, Effects(any=False))
        assert ExitCode.of_error(error) is ExitCode.PRECONDITION
        tell_what_was_written(error, Effects(any=True))
        assert ExitCode.of_error(error) is ExitCode.STOPPED


def test_the_same_run_started_twice_at_once_is_told_of_the_living_one(s3: Any) -> None:
    def job(*_: Any) -> dict[str, Any]:
        with pytest.raises(PreconditionError, match=r"run nightly is at work: process 7 on here"):
            run(nothing, pid=8).execute()
        with pytest.raises(PreconditionError, match=r"run nightly is at work: process 7 on here"):
            run(nothing, pid=8, host="there").execute()
        assert recorded(s3)["pid"] == 7
        return {}

    run(job).execute()
    assert recorded(s3)["state"] == "done"


class RivalStore(MemoryStore):
    """Another process takes the run at the moment in which we do."""

    def put(self, uri: str, body: Body, *, if_absent: bool = False, sha256_hex: str | None = None) -> None:
        if "/starts/" in uri and uri not in self.objects:
            rival = {"run_id": "nightly", "state": "running", "heartbeat": "2026-11-23T03:00:00Z"}
            self.objects[uri] = json.dumps({**rival, "host": "there", "pid": 9}).encode()
        super().put(uri, body, if_absent=if_absent, sha256_hex=sha256_hex)


HERE = Here("here", 7, lambda: NOW, lambda _: True, lambda _: None)
OWN = RunState("nightly", "export", ("Forum",))
FOLDER = f"{LOGS}/runs/nightly"


@pytest.mark.parametrize("before", [{}, {"state": "failed", "exit_code": 5}], ids=["new", "resumed"])
def test_of_two_that_take_a_run_at_one_moment_one_has_it(before: dict[str, Any]) -> None:
    store = RivalStore({f"{FOLDER}/run.json": json.dumps(before).encode()} if before else {})
    with pytest.raises(PreconditionError, match=r"run nightly is at work: process 9 on there"):
        take_run(store, FOLDER, OWN, here=HERE)
    assert "pid" not in json.loads(store.objects.get(f"{FOLDER}/run.json", b"{}"))


class LaterRivalStore(MemoryStore):
    """Another process takes the run just after we have looked whether one has it."""

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        yield from list(super().list(folder_uri))
        if folder_uri.endswith("/starts"):
            rival = {"run_id": "nightly", "state": "running", "heartbeat": "2026-11-23T03:00:00Z"}
            self.objects.setdefault(
                f"{folder_uri}/000001.json", json.dumps({**rival, "host": "there", "pid": 9}).encode()
            )


def test_a_start_that_comes_after_the_look_has_the_run() -> None:
    store = LaterRivalStore()
    with pytest.raises(PreconditionError, match=r"run nightly is at work: process 9 on there"):
        take_run(store, FOLDER, OWN, here=HERE)
    assert [uri for uri in store.objects if "/starts/" in uri] == [f"{FOLDER}/starts/000001.json"]


def test_a_start_counts_before_its_process_has_written_the_record() -> None:
    store = MemoryStore({f"{FOLDER}/run.json": b'{"state": "failed", "exit_code": 5, "host": "here", "pid": 3}'})
    assert take_run(store, FOLDER, OWN, here=HERE) == RunState(
        state="failed", exit_code=ExitCode.STOPPED, host="here", pid=3
    )
    with pytest.raises(PreconditionError, match="process 7 on here"):
        take_run(store, FOLDER, OWN, here=replace(HERE, pid=8))
    take_run(store, FOLDER, OWN, here=replace(HERE, pid=8, exists=lambda _: False))  # killed before it wrote
    assert sorted(uri.rpartition("/")[2] for uri in store.objects) == ["000001.json", "000002.json", "run.json"]


def test_a_record_of_the_same_second_as_a_start_counts_while_it_says_that_it_runs() -> None:
    """Times are whole seconds: of two signs of one second the living one decides, whoever looks."""
    sign = {"state": "running", "heartbeat": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    start = {"run_id": "nightly", **sign, "host": "here", "pid": 7}
    record = {"run_id": "nightly", **sign, "host": "there", "pid": 9}
    store = MemoryStore(
        {f"{FOLDER}/starts/000001.json": json.dumps(start).encode(), f"{FOLDER}/run.json": json.dumps(record).encode()}
    )
    with pytest.raises(PreconditionError, match="process 9 on there"):
        take_run(store, FOLDER, OWN, here=HERE)


@pytest.mark.parametrize(
    ("start", "number"),
    [("000041.json", "000042.json"), ("x.json", "000001.json"), ("000007.tmp", "000001.json")],
)
def test_whatever_lies_among_the_starts_the_next_number_is_taken(start: str, number: str) -> None:
    store = MemoryStore({f"{FOLDER}/starts/{start}": b"no JSON"})
    take_run(store, FOLDER, OWN, here=HERE)
    assert f"{FOLDER}/starts/{number}" in store.objects


@pytest.mark.parametrize(
    ("kind", "table", "said"),
    [
        ("import", "Forum", "a run of another command (export of Forum)"),
        ("export", "Thread", "a run of another command (export of Forum)"),
    ],
)
def test_a_run_id_of_another_command_is_refused_and_its_record_stays(kind: str, table: str, said: str, s3: Any) -> None:
    run(lambda *_: {"items": 7}).execute()
    with pytest.raises(PreconditionError) as caught:
        run(nothing, kind=kind, table=table).execute()
    assert said in str(caught.value)
    assert "choose another --run-id" in str(caught.value)
    assert (recorded(s3)["kind"], recorded(s3)["items"]) == ("export", 7)


def test_silence_in_a_later_attempt_never_says_that_nothing_was_written() -> None:
    unreachable = UnreachableError("S3 cannot be reached")
    assert ExitCode.of_error(unreachable) is ExitCode.PRECONDITION
    assert ExitCode.of_error(stopped_part_way(unreachable)) is ExitCode.STOPPED
    refused = PreconditionError("table 't' is DELETING")
    assert stopped_part_way(refused) is refused


def test_a_service_that_is_silent_at_the_beginning_of_a_resumed_run_is_asked_again(s3: Any) -> None:
    """Of a new run it is a refusal: nothing was written, and nobody is to wait for attempts."""
    calls: list[str] = []

    def job(ctx: RunContext, *_: Any) -> dict[str, Any]:
        calls.append(ctx.run_id)
        raise UnreachableError("DynamoDB did not answer")

    codes = []
    for _ in range(2):
        with pytest.raises(PipelineError) as caught:
            run(job).execute()
        codes.append(ExitCode.of_error(caught.value))
    assert codes == [ExitCode.PRECONDITION, ExitCode.STOPPED]
    assert len(calls) > 2
    assert recorded(s3)["exit_code"] == ExitCode.STOPPED
