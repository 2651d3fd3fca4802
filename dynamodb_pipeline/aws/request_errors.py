"""
What a failed DynamoDB request means: one exception class for each thing a caller can do about it.

`kind` says what that is: wait and send again, repair the credentials or the clock, or stop. Which error
code belongs to which class and how a reply becomes an exception is in `error_replies`. No
error's text holds an item's contents or a credential.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from dynamodb_pipeline.errors import ExitCode, PipelineError


class ErrorKind(Enum):
    """What can be done about a failed request."""

    THROTTLE = "wait and send again; the table is asked too much"
    TRANSIENT = "wait and send again; the request may have been carried out"
    BAD_REPLY = "send again a few times; the reply was damaged"
    CREDENTIALS = "refresh the credentials and send again once"
    CLOCK = "correct the clock and send again once"
    CONDITION = "the condition of a conditional write is false"
    STOP = "sending again cannot help"


class ThrottleReason(NamedTuple):
    """One of the ThrottlingReasons: e.g. TableReadKeyRangeThroughputExceeded, and the ARN it is about."""

    reason: str
    resource: str


class WireError(PipelineError):
    """
    A request that gave no usable reply.

    Attributes:
        code: DynamoDB's error code, or our own word ("connection reset") when there was no error reply.
        status: HTTP status, 0 when no reply came.
        body: the error reply as it came; for passing on, never for logs.
        exit_code: how the run ends when this error ends it.
    """

    kind = ErrorKind.STOP

    def __init__(self, text: str, *, code: str = "", status: int = 0, body: bytes = b"") -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.body = body


class Throttled(WireError):
    """Refused for capacity: nothing was read or written."""

    kind = ErrorKind.THROTTLE
    exit_code = ExitCode.STOPPED
    reasons: tuple[ThrottleReason, ...] = ()

    @property
    def key_range_only(self) -> bool:
        """True when only a hot partition was over its limit, which tells nothing about the table."""
        return bool(self.reasons) and all("KeyRange" in r.reason for r in self.reasons)


class Transient(WireError):
    """No reply, or a server-side failure: a write may or may not have happened, its units count as spent."""

    kind = ErrorKind.TRANSIENT
    exit_code = ExitCode.STOPPED


class BadReply(Transient):
    """The reply is damaged or lacks a required field: it must never be taken for an answer."""

    kind = ErrorKind.BAD_REPLY


class ExpiredCredentials(WireError):
    """The access key is not, or no longer, accepted."""

    kind = ErrorKind.CREDENTIALS
    exit_code = ExitCode.DENIED


class ClockSkewed(WireError):
    """The signature's time is too far from DynamoDB's, which is `offset_s` seconds ahead of this machine's clock."""

    kind = ErrorKind.CLOCK
    exit_code = ExitCode.DENIED
    offset_s: float | None = None  # None when the reply had no usable Date header


class ConditionFailed(WireError):
    """A conditional write found its condition false; it cost write units that the reply does not state."""

    kind = ErrorKind.CONDITION


class Denied(WireError):
    """The credentials lack a permission, or a KMS key may not be used."""

    exit_code = ExitCode.DENIED


class Gone(WireError):
    """The table does not exist (any more)."""

    exit_code = ExitCode.INTEGRITY  # it was there before the run began


class Rejected(WireError):
    """The request itself is refused; the row of its code gives the exit code."""
