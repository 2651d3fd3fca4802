"""
Exit codes and the exceptions that carry them.

One table for the whole product: jobs, command line, launcher and documentation read it from here. An exception
names one thing a caller can act on; whatever is not a `PipelineError` is a bug and ends with exit code 1.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a job or command says to its caller (README, "Exit codes")."""

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


MEANING = {
    ExitCode.DONE: "done",
    ExitCode.UNEXPECTED: "unexpected (a bug)",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.PRECONDITION: "precondition refused, nothing written or started",
    ExitCode.INTEGRITY: "integrity failure or verification mismatch",
    ExitCode.STOPPED: "stopped part-way, resumable",
    ExitCode.DEADLINE: "deadline reached",
    ExitCode.DENIED: "credentials or permission",
    ExitCode.SET_ASIDE: "finished, some items set aside",
    ExitCode.CLUSTER: "cluster or step failed",
    ExitCode.INTERRUPTED: "interrupted (SIGINT)",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}


class PipelineError(Exception):
    """A failure whose message says what happened, to what, and what to do."""

    exit_code = ExitCode.UNEXPECTED


class UsageError(PipelineError):
    """An option or configuration value is wrong; nothing was contacted."""

    exit_code = ExitCode.USAGE


class PreconditionError(PipelineError):
    """A check before the work refused it; nothing was written or started."""

    exit_code = ExitCode.PRECONDITION


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


# The exit code of a run of several tables is the first of these that any of them has.
WORST_FIRST = (
    ExitCode.UNEXPECTED,
    ExitCode.INTEGRITY,
    ExitCode.CLUSTER,
    ExitCode.DENIED,
    ExitCode.DEADLINE,
    ExitCode.STOPPED,
    ExitCode.PRECONDITION,
    ExitCode.USAGE,
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.SET_ASIDE,
)


def worst(codes: list[ExitCode]) -> ExitCode:
    """The exit code of the whole run; no result at all is a failure of the cluster."""
    if not codes:
        return ExitCode.CLUSTER
    return next((code for code in WORST_FIRST if code in codes), ExitCode.DONE)
