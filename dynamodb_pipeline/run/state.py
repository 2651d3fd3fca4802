"""What `run.json` says of how a run stands: a type whose members are there or not, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import Document, DocumentError, member, moment, natural, read_object, string, strings
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.settings.run_ids import is_run_id
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

FILE_NAME = "run.json"

PID_MAX = 1 << 31  # pid_t


def _pid(value: object) -> int:
    if not 0 < natural(value) < PID_MAX:
        msg = "a process id"
        raise DocumentError(msg)
    return natural(value)


def _run_id(value: object) -> str:
    if not is_run_id(string(value)):
        msg = "a run id"
        raise DocumentError(msg)
    return string(value)


@dataclass(frozen=True)
class RunState(Document):
    """
    What `run.json` says of how a run stands; None where it says nothing, or nothing that can be.

    Attributes:
        started: when the present attempt began; `first_started` the first one. UTC, as `heartbeat`.
        host, pid: who writes the record.
    """

    run_id: str | None = member(_run_id, default=None)
    kind: str | None = member(string, default=None)
    table_names: tuple[str, ...] | None = member(strings, default=None)
    state: str | None = member(string, default=None)
    exit_code: ExitCode | None = member(ExitCode.of, default=None)
    started: datetime | None = member(moment, default=None)
    first_started: datetime | None = member(moment, default=None)
    heartbeat: datetime | None = member(moment, default=None)
    host: str | None = member(string, default=None)
    pid: int | None = member(_pid, default=None)

    @property
    def began(self) -> datetime | None:
        """When the first attempt began."""
        return self.first_started or self.started

    @property
    def is_resumable(self) -> bool:
        """True for a run that its id can go on with; one that says it runs may have been killed."""
        failed = self.state == "failed" and self.exit_code is not None
        return self.state == "running" or (failed and self.exit_code.row.resumable)  # type: ignore[union-attr]


def read_state(store: ObjectStore, folder: str) -> RunState | None:
    """What `run.json` in a run's folder says, None when there is none or it is no document of ours."""
    try:
        return RunState.readable(read_object(store.get(join(folder, FILE_NAME))))
    except (ObjectMissingError, DocumentError):
        return None
