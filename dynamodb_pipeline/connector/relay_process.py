"""
The relay as a process of its own, one on each node that runs the connector.

`ensure_relay` is called on the node, by any number of tasks: the port decides who comes first, everybody else finds the
relay that is there and makes it prove, by a challenge, that it belongs to this run. The process outlives the task that
started it and ends with the run: when the driver's coordinator says stop or is gone. Its parent holds the port too and
starts it anew when it is killed, or kills itself because it accepts nobody any more: without a relay the connector
would ask in vain for ten minutes, and again in each of a task's attempts. Settings with their keys go through the
standard input, never through arguments or the environment, which other users of the node could read.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Callable, TypeVar

from dynamodb_pipeline.connector.relay import HOST, Relay, listen
from dynamodb_pipeline.connector.relay_handler import RelayHandler, RelayPlan
from dynamodb_pipeline.connector.relay_messages import TAKEN, proof_answer, proof_line, taker_line
from dynamodb_pipeline.connector.relay_settings import RelaySettings
from dynamodb_pipeline.dynamodb.http1 import MessageError, read_message, render_message
from dynamodb_pipeline.errors import ExitCode, PipelineError, StoppedError
from dynamodb_pipeline.workers.client import TcpCoordinatorClient
from dynamodb_pipeline.workers.contract import CoordinatorClient, metered
from dynamodb_pipeline.workers.failures import WorkerFailure
from dynamodb_pipeline.workers.worker import WorkerContext

START_TIMEOUT_S = 60.0
PROOF_TIMEOUT_S = 5.0
PROOF_ATTEMPTS = 3  # among many strangers it may be dropped before it is heard
PROOF_BYTES_MAX = 2048
TELL_S = 0.05

Piece = TypeVar("Piece")
POLL_S = 5.0
REVIVAL_PAUSE_S = 1.0
DEAF_POLLS = 12  # in a row; the accepting thread shows that it lives once in each

logger = logging.getLogger(__name__)


def ensure_relay(settings: RelaySettings) -> None:
    """
    Return once a relay of this run listens on this machine, started now or before.

    Raises:
        WorkerFailure: it cannot start, or the port is taken by something else; says why, with the exit code for it.
    """
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    where = f"the relay on {socket.gethostname()}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=settings.to_json().encode(),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            cwd="/",  # `-m` looks for modules here first: nobody else may write to it
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        msg = f"{where} did not start within {START_TIMEOUT_S:.0f} s"
        raise WorkerFailure(msg, ExitCode.STOPPED) from err
    if done.returncode != 0:
        msg = f"{where} did not start: {done.stdout.decode(errors='replace').strip()}"
        raise WorkerFailure(msg, ExitCode.of(done.returncode))


def main() -> int:
    """
    Read the settings and become the relay in a process of the background; return when it listens, or why it cannot.

    Returns 0 when a relay of this run listens; else the exit code, with the reason on stdout.
    """
    settings = RelaySettings.from_json(sys.stdin.read())
    result_in, result_out = os.pipe()
    if os.fork() > 0:
        os.close(result_out)
        return int.from_bytes(os.read(result_in, 1) or b"\x01", "big")  # nothing: it died
    os.close(result_in)
    os.setsid()
    report = _Report(result_out)
    try:
        listener = _claim(settings)
        if listener is not None:
            revive_when_killed(report.let_go)
            serve(settings, listener, on_ready=lambda: report.send(ExitCode.DONE))
        report.send(ExitCode.DONE)
    except PipelineError as err:
        logger.warning("no relay: %s", err)
        print(err, flush=True)
        report.send(err.exit_code)
    return int(ExitCode.DONE)


def revive_when_killed(let_go: Callable[[], None], *, pause_s: float = REVIVAL_PAUSE_S) -> None:
    """
    Fork, and return in the child; again in another child whenever one was killed. The parent exits with the last.

    To be called before there are threads. `let_go` is called in the parent, and so before a second child.
    """
    while (child := os.fork()) > 0:
        let_go()
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            os._exit(os.waitstatus_to_exitcode(status))
        logger.warning("the relay was killed by signal %d and is started again", os.WTERMSIG(status))
        time.sleep(pause_s)


def serve(settings: RelaySettings, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """
    Serve until the run is over and a little longer.

    Raises:
        PipelineError: no credentials, or no coordinator.
    """
    worker = WorkerContext(settings.aws)
    wire = worker.wire(worker.clients())
    words = settings.words.encode()
    plan = RelayPlan(settings.table, settings.keys, settings.item_bytes, settings.probe_keys, words, settings.splits)
    handler = RelayHandler(wire, plan)
    name = f"relay {socket.gethostname()} {os.getpid()}"

    def connect() -> CoordinatorClient:
        return TcpCoordinatorClient(settings.coordinator, worker_id=name)

    grants = connect()
    with Relay(handler, connect, listener=listener) as relay:
        on_ready()
        hearing = Hearing(lambda: relay.turns)
        logger.warning("the run has ended: %s", follow(grants, sleep=time.sleep, check=hearing.check))
        time.sleep(settings.linger_s)


def follow(grants: CoordinatorClient, *, sleep: Callable[[float], object], check: Callable[[], None]) -> str:
    """Return why the run has ended, when it has: the driver said so, or is gone; `check` is called between."""
    try:
        while True:
            metered(grants, {}, lambda: (None, {}))  # costs nothing, and is answered "stop" after the end
            sleep(POLL_S)
            check()
    except StoppedError as err:
        return str(err)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Hearing:
    """
    Ends this process, which its parent then starts again, when its relay accepts nobody any more.

    Not by a connection of its own: strangers could crowd that out.

    Args:
        turns: how often the accepting thread has looked.
    """

    def __init__(self, turns: Callable[[], int], *, die: Callable[[], None] = _die) -> None:
        self._turns = turns
        self._die = die
        self._last = -1
        self._unchanged = 0

    def check(self) -> None:
        """To be called every `POLL_S`, which is no less than the relay's `TURN_S`."""
        turns = self._turns()
        self._unchanged = self._unchanged + 1 if turns == self._last else 0
        self._last = turns
        if self._unchanged >= DEAF_POLLS:
            logger.error("the relay is deaf: it ends and is started again")
            self._die()


def _claim(settings: RelaySettings) -> socket.socket | None:
    """The port, or None when a relay of this run has it already."""
    try:
        return listen(settings.port)
    except OSError as err:
        if err.errno != errno.EADDRINUSE:
            raise
    if not proves_itself(settings):
        msg = f"port {settings.port} is taken by another program; resume the run, or read with --reader direct"
        raise StoppedError(msg)
    return None


def check_relay(settings: RelaySettings) -> None:
    """
    To be called on a node after something was read through its relay: nobody else had the port meanwhile.

    The relay's parent holds it as long as it lives, and nobody starts a second one there. So a port that proves itself
    now was ours all the time; what came from another program would be anything.

    Raises:
        WorkerFailure: another program listens there, or nobody.
    """
    if not proves_itself(settings):
        msg = f"the relay on {socket.gethostname()} is gone: what was read through its port does not count; resume"
        raise WorkerFailure(msg, ExitCode.STOPPED)


class Taking:
    """
    What a worker takes of its partition, and that the relay of its node hears of it; a context manager.

    A thread tells it many times a second, and again after the relay was started anew: the loop that takes the items
    pays nothing for it.

    Args:
        settings: None where no relay reads for the connector.

    Attributes:
        items: taken so far; to be counted up.
    """

    def __init__(self, settings: RelaySettings | None, partition: int) -> None:
        self._settings, self._partition = settings, partition
        self.items = 0
        self._is_waiting = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taking", daemon=True)

    def __enter__(self) -> Taking:
        if self._settings is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._settings is not None:
            self._thread.join()

    def watched(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The same pieces; between them it is known whether the next one is waited for."""
        self._is_waiting = True
        for piece in pieces:
            self._is_waiting = False
            yield piece
            self._is_waiting = True
        self._is_waiting = False

    def _run(self) -> None:
        heard = 0
        while not self._ended.is_set():
            try:
                with self._introduced() as connection:
                    while not self._ended.wait(TELL_S):
                        items = self.items
                        connection.sendall(TAKEN.pack(items - heard, self._is_waiting))
                        heard = items
            except OSError:
                self._ended.wait(TELL_S)

    def _introduced(self) -> socket.socket:
        assert self._settings is not None
        connection = socket.create_connection((HOST, self._settings.port), timeout=PROOF_TIMEOUT_S)
        connection.sendall(render_message(taker_line(self._settings.keys, self._partition), [("Host", HOST)], b""))
        return connection


def proves_itself(settings: RelaySettings) -> bool:
    """Whether whoever listens on the port is a relay of this run; asked several times, for strangers crowd it too."""
    return any(is_relay_of(settings) for _ in range(PROOF_ATTEMPTS))


def is_relay_of(settings: RelaySettings) -> bool:
    """Ask whoever listens on the port to prove that it has the keys; False when it does not within a few seconds."""
    challenge = secrets.token_hex(32)
    request = render_message(proof_line(challenge), [("Host", HOST)], b"")
    try:
        with socket.create_connection((HOST, settings.port), timeout=PROOF_TIMEOUT_S) as connection:
            connection.sendall(request)
            data = _read_all(connection, ends_at_s=time.monotonic() + PROOF_TIMEOUT_S)
        reply = read_message(io.BytesIO(data), body_bytes_max=PROOF_BYTES_MAX)
    except (OSError, MessageError):
        return False
    proof = proof_answer(settings.keys, challenge, where=socket.gethostname())
    return reply is not None and reply.body == proof.body


def _read_all(connection: socket.socket, *, ends_at_s: float) -> bytes:
    """What comes until it hangs up, in a bounded time however slowly it comes."""
    data = b""
    while len(data) <= PROOF_BYTES_MAX:
        left_s = ends_at_s - time.monotonic()
        if left_s <= 0:
            return data
        connection.settimeout(left_s)
        chunk = connection.recv(PROOF_BYTES_MAX)
        if not chunk:
            return data
        data += chunk
    return data


class _Report:
    """Tells who waits for the start how it ended, once."""

    def __init__(self, result_out: int) -> None:
        self._result_out: int | None = result_out

    def send(self, code: ExitCode) -> None:
        if self._result_out is not None:
            os.write(self._result_out, bytes([code]))
            self.let_go()

    def let_go(self) -> None:
        """Close all that the one who waits may be reading; stderr stays, for the node's logs."""
        if self._result_out is None:
            return
        os.close(self._result_out)
        self._result_out = None
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.close(nothing)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s relay: %(message)s")
    sys.exit(main())
