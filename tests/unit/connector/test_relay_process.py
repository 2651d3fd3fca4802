"""The relay's settings and how it follows its run; the process itself is tested beside the emulator."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import BinaryIO, Callable

import pytest

from dynamodb_pipeline.aws.clients import AwsSettings, TableRole
from dynamodb_pipeline.connector.relay import TURN_S, listen
from dynamodb_pipeline.connector.relay_messages import TAKEN, asked_challenge, proof_answer, taken_partition
from dynamodb_pipeline.connector.relay_process import (
    DEAF_POLLS,
    POLL_S,
    Hearing,
    Taking,
    check_relay,
    follow,
    is_relay_of,
)
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.dynamodb.http1 import read_message
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.workers.contract import CoordinatorAddress, CoordinatorLost, RunStopped
from dynamodb_pipeline.workers.failures import WorkerFailure
from tests.unit.workers.fake_grants import FakeGrants

DIGITS = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
ON_A_NODE = AwsSettings("eu-west-1", bucket_owner="123456789012")
ON_LOOPBACK = AwsSettings("eu-west-1", (("dynamodb", "http://127.0.0.1:1"),), ("key", "real-secret", None))
IN_A_ROLE = replace(ON_A_NODE, table_role=TableRole("arn:aws:iam::210987654321:role/tables", "agreed"))


def settings(aws: AwsSettings) -> RelaySettings:
    address = CoordinatorAddress("10.0.0.1", 5000, "00ff")
    return RelaySettings(20_001, "orders", RelayKeys.new(), address, aws, item_bytes=1.5)


@pytest.mark.parametrize("aws", [ON_A_NODE, ON_LOOPBACK, IN_A_ROLE], ids=["node", "loopback", "role"])
def test_settings_come_through_the_standard_input_unchanged(aws: AwsSettings):
    sent = settings(aws)
    assert RelaySettings.from_json(sent.to_json()) == sent
    assert pickle.loads(pickle.dumps(sent)) == sent


def test_settings_are_printed_without_their_secrets():
    sent = settings(ON_LOOPBACK)
    for secret in (sent.keys.secret_key, sent.coordinator.key_hex, "real-secret"):
        assert secret not in repr(sent)


def test_keys_of_two_runs_differ():
    first, second = RelayKeys.new(), RelayKeys.new()
    assert first.access_key != second.access_key
    assert first.secret_key != second.secret_key
    assert first.token is None


@pytest.mark.parametrize("end", [RunStopped("cancelled"), CoordinatorLost("the driver is gone")])
def test_relay_follows_its_run_to_the_end_and_spends_nothing(end: Exception):
    polls = 3

    def before_grant() -> None:
        if len(grants.estimates_of_nothing) == polls:
            raise end

    grants = NothingGrants(before_grant=before_grant)
    slept: list[float] = []
    checked: list[int] = []
    assert follow(grants, sleep=slept.append, check=lambda: checked.append(1)) == str(end)
    assert len(slept) == len(checked) == polls
    assert all(entry[2] == {} for entry in grants.settled)
    assert len(grants.settled) == polls


class NothingGrants(FakeGrants):
    """Counts reservations of no units at all."""

    @property
    def estimates_of_nothing(self) -> list[object]:
        return [entry for entry in self.log if entry == ("reserve", {})]


@pytest.mark.parametrize(
    ("turns", "deaths"),
    [
        ([7] * (DEAF_POLLS + 1), 1),
        ([7] * DEAF_POLLS, 0),
        ([*[7] * DEAF_POLLS, 8, *[8] * (DEAF_POLLS - 1)], 0),
        (range(40), 0),
    ],
    ids=["deaf", "nearly", "twice-nearly", "hears"],
)
def test_relay_that_accepts_nobody_any_more_ends_so_that_it_is_started_again(turns: Iterable[int], deaths: int):
    seen, died = iter(turns), []
    hearing = Hearing(lambda: next(seen), die=lambda: died.append(1))
    for _ in turns:
        hearing.check()
    assert len(died) == deaths


def test_a_relay_looks_at_its_port_at_least_as_often_as_it_is_asked_whether_it_does():
    assert TURN_S <= POLL_S


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[RelaySettings]:
    """Settings whose port belongs to a program that reads one request and answers it."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            request = read_message(file, body_bytes_max=100, body_optional=True)
            assert request is not None
            with suppress(OSError):  # it has heard enough
                connection.sendall(answer(request.start_line.encode()))

    with listen() as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield replace(settings(ON_A_NODE), port=listener.getsockname()[1])
        thread.join()


def test_relay_proves_the_keys_over_the_challenge_of_whoever_asks():
    keys = RelayKeys.new()
    with answering(prover(keys)) as asked:
        assert is_relay_of(replace(asked, keys=keys))


def prover(keys: RelayKeys, *, where: str | None = None) -> Callable[[bytes], bytes]:
    def proved(line: bytes) -> bytes:
        challenge = asked_challenge(line.decode())
        assert challenge is not None
        return proof_answer(keys, challenge, where=where or socket.gethostname()).render()

    return proved


def test_proof_that_was_heard_before_or_on_another_node_or_from_other_keys_is_none():
    keys = RelayKeys.new()
    heard = proof_answer(keys, "0" * 64, where=socket.gethostname()).render()
    for answer in (lambda _: heard, prover(keys, where="another-node"), prover(RelayKeys.new())):
        with answering(answer) as asked:
            assert not is_relay_of(replace(asked, keys=keys))


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n", b"x" * 100_000, DIGITS],
    ids=["hangs-up", "cut-off", "long", "digits"],
)
def test_program_that_answers_anything_else_is_no_relay(answer: bytes):
    """It may hang up on us for the rest of a long answer, which is as good."""
    with answering(lambda _: answer) as asked:
        assert not is_relay_of(asked)


@pytest.mark.parametrize(
    "answer", [b"", DIGITS, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], ids=["closed", "5,000 digits", "a 200"]
)
def test_what_was_read_does_not_count_when_the_port_is_not_the_relays_any_more(answer: bytes):
    """A relay whose whole process tree is gone leaves its port to any user of the node, who could answer anything."""
    with answering(lambda _: answer) as sent, pytest.raises(WorkerFailure, match="does not count; resume") as caught:
        check_relay(sent)
    assert ExitCode.of_error(caught.value) is ExitCode.STOPPED


def test_what_was_read_counts_when_the_relay_proves_itself():
    def answer(line: bytes) -> bytes:
        challenge = asked_challenge(line.decode())
        assert challenge is not None
        return proof_answer(sent.keys, challenge, where=socket.gethostname()).render()

    with answering(answer) as sent:
        check_relay(sent)


@contextmanager
def introduced(listener: socket.socket, settings: RelaySettings, partition: int) -> Iterator[BinaryIO]:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as file:
        request = read_message(file, body_bytes_max=0, body_optional=True)
        assert request is not None
        assert taken_partition(settings.keys, request.start_line) == partition
        assert taken_partition(RelayKeys.new(), request.start_line) is None
        yield file


def hear(file: BinaryIO, *, until: tuple[int, bool]) -> None:
    """Read until so many items were told of in all, and the worker waits or not; more than that fails."""
    items, is_waiting = 0, None
    while (items, is_waiting) != until:
        taken, is_waiting = TAKEN.unpack(file.read(TAKEN.size))
        items += taken
        assert items <= until[0]


def test_worker_tells_the_relay_what_it_takes_and_a_new_relay_the_rest():
    with listen() as listener:
        own = replace(settings(ON_A_NODE), port=listener.getsockname()[1])
        with Taking(own, 7) as taking:
            with introduced(listener, own, 7) as file:

                def source() -> Iterator[bytes]:
                    yield b"a"
                    hear(file, until=(20, True))  # it was asked for more, which has not come
                    yield b"b"

                groups = taking.watched(source())
                next(groups)
                taking.items += 20
                next(groups)
                taking.items += 5
                hear(file, until=(5, False))
            with introduced(listener, own, 7) as file:  # what went into the dead connection held no items
                taking.items += 3
                hear(file, until=(3, False))


def test_nobody_is_told_where_there_is_no_relay():
    with Taking(None, 0) as taking:
        assert list(taking.watched([b"a"])) == [b"a"]
