"""
Exit codes and the exceptions that carry them.

One table for the whole product: jobs, command line, launcher and documentation read it from here. An exception
names one thing a caller can act on; whatever is not a `PipelineError` is a bug and ends with exit code 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

PROGRAM = "dynamodb-pipeline"  # what people type, in every command that a message shows
SHOWN_CHARACTERS = 80
SIZES = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


class ExitCode(IntEnum):
    """What a job or command says to its caller; what follows from each is in `EXIT_CODES`."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    PRECONDITION = 3
    INTEGRITY = 4
    STOPPED = 5
    DEADLINE = 6
    DENIED = 7
    SET_ASIDE = 8
    CLUSTER = 9
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of(cls, value: object) -> ExitCode:
        """The code that a record, a worker or a process says; what is none of ours is UNEXPECTED, never DONE."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        return next((code for code in cls if whole and code == value), cls.UNEXPECTED)

    @classmethod
    def of_error(cls, err: BaseException) -> ExitCode:
        """The code that an exception ends the process with."""
        return cls.of(getattr(err, "exit_code", cls.UNEXPECTED))

    @property
    def row(self) -> ExitCodeRow:
        """What follows from the code."""
        return EXIT_CODES[self]

    @property
    def meaning(self) -> str:
        """In words, as every message says it."""
        return EXIT_CODES[self].meaning


class ExitCodeRow(NamedTuple):
    """
    All that follows from one exit code.

    Attributes:
        meaning: in words.
        severity: of several codes the highest is the whole run's.
        retried: a run repeats its job by itself, while attempts are left.
        resumable: the same run id goes on where it stopped.
        partly_done: ended before its end, and what was done stands.
        finished: the work was done to its end.
        status: of the result that ends with it.
    """

    meaning: str
    severity: int
    retried: bool = False
    resumable: bool = False
    partly_done: bool = False
    finished: bool = False
    status: str = "failed"


EXIT_CODES = {
    ExitCode.DONE: ExitCodeRow("done", 0, finished=True, status="done"),
    ExitCode.SET_ASIDE: ExitCodeRow(
        "finished, some items set aside", 1, partly_done=True, finished=True, status="done"
    ),
    ExitCode.INTERRUPTED: ExitCodeRow(
        "interrupted (SIGINT)", 2, resumable=True, partly_done=True, status="interrupted"
    ),
    ExitCode.TERMINATED: ExitCodeRow("terminated (SIGTERM)", 3, resumable=True, partly_done=True, status="terminated"),
    ExitCode.USAGE: ExitCodeRow("usage or configuration", 4),
    ExitCode.PRECONDITION: ExitCodeRow("precondition refused, nothing written or started", 5),
    ExitCode.STOPPED: ExitCodeRow("stopped part-way, resumable", 6, retried=True, resumable=True, partly_done=True),
    ExitCode.DEADLINE: ExitCodeRow("deadline reached", 7, resumable=True, partly_done=True),
    ExitCode.DENIED: ExitCodeRow("credentials or permission", 8, resumable=True),
    ExitCode.CLUSTER: ExitCodeRow("cluster or step failed", 9),
    ExitCode.INTEGRITY: ExitCodeRow("integrity failure or verification mismatch", 10),
    ExitCode.UNEXPECTED: ExitCodeRow("unexpected (a bug)", 11, retried=True, resumable=True),
}


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """
    The exit code of the whole run; no result at all is a failure of the cluster.

    Where one part was refused and another did something the whole is not PRECONDITION, which says that nothing was
    written: it stopped part-way, and its id goes on with the refused part.
    """
    parts = [*codes]
    highest = max(parts, key=lambda code: code.row.severity, default=ExitCode.CLUSTER)
    something_done = any(code.row.finished or code.row.partly_done for code in parts)
    return ExitCode.STOPPED if highest is ExitCode.PRECONDITION and something_done else highest


Failure = TypeVar("Failure", bound="PipelineError")


class PipelineError(Exception):
    """
    A failure whose message says in one line what happened, to what, and what to do.

    Attributes:
        lines: the message as people are shown it; several where it tells several things.
        rows: what the message speaks of, a line each, for people.
        facts: members of the JSON result of what did not end well, its `status` where the exit code's is not right.
    """

    exit_code = ExitCode.UNEXPECTED

    @property
    def heading(self) -> str:
        """What stands before the message: a failure is an error, the end that somebody asked for is none."""
        code = ExitCode.of_error(self)
        if code.row.status == "failed":
            return f"ERROR {int(code)} ({code.meaning})"
        return f"{code.meaning}, exit code {int(code)}"

    def __init__(self, message: str = "", *, rows: Iterable[str] = ()):
        super().__init__(message)
        self.lines: tuple[str, ...] = (message,)
        self.rows = tuple(rows)
        self.facts: dict[str, Any] = {}

    @classmethod
    def of_lines(cls: type[Failure], lines: Iterable[str]) -> Failure:
        """The error whose message is these lines; none of them holds a line end of its own."""
        error = cls("\n".join(shown := tuple(lines)))
        error.lines = shown
        return error


class UsageError(PipelineError):
    """An option or configuration value is wrong; nothing was contacted."""

    exit_code = ExitCode.USAGE


class PreconditionError(PipelineError):
    """A check before the work refused it; nothing was written or started."""

    exit_code = ExitCode.PRECONDITION


class UnreachableError(PreconditionError):
    """A service did not answer at the first word with it; once a run has done something, this stops it part-way."""


class DeclinedError(PreconditionError):
    """Somebody was asked and did not say yes; nothing was written or started."""

    def __init__(self, message: str):
        super().__init__(message)
        self.facts = {"status": "declined"}

    @property
    def heading(self) -> str:
        return f"not confirmed, exit code {int(self.exit_code)}"


class IntegrityError(PipelineError):
    """Data is not what it claims to be: hash, size, count, item, manifest, or a verification mismatch."""

    exit_code = ExitCode.INTEGRITY


class StoppedError(PipelineError):
    """The work ended part-way and can be resumed with the same run id."""

    exit_code = ExitCode.STOPPED


class DeadlineError(PipelineError):
    """The run's own deadline passed; what was done is kept."""

    exit_code = ExitCode.DEADLINE


class DeniedError(PipelineError):
    """Credentials are missing, expired or lack a permission; the message names action and resource."""

    exit_code = ExitCode.DENIED


class ClusterError(PipelineError):
    """The EMR cluster or one of its steps failed; the message ends with the cluster's fate."""

    exit_code = ExitCode.CLUSTER


def shown(text: str) -> str:
    """A text of the user's as a message quotes it: printable, and not without end."""
    return repr(text) if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]!r}..."


def size_text(size_bytes: float) -> str:
    """`1.5 GiB`, `3.2 MiB`, `900 bytes`: in the largest unit of which there is one."""
    name, unit = next(((name, unit) for name, unit in SIZES if size_bytes >= unit), ("", 1))
    return f"{size_bytes / unit:,.1f} {name}" if name else counted(int(size_bytes), "byte")


def counted(count: int, noun: str, *, plural: str | None = None) -> str:
    """`1 file`, `1,200 files`: a count with its noun, right for one and for many."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
