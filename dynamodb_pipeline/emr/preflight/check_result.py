"""What one preflight check found, and how a list of them is shown and judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Protocol

from dynamodb_pipeline.aws.api_errors import denied_error, error_code, is_denied
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.errors import DeniedError, ExitCode
from dynamodb_pipeline.formats.items.key_schema import KeySchema

MAX_DETAIL = 200
NAME_MAX = 40  # a bucket may have 63 characters: then its row alone is longer
TRY_AGAIN = "the run may still work; try preflight again"
LOOK_REMEDY = "what this prints allows every read-only action that preflight takes: {policy launcher}"
RETRY_ADVICE = "Further retries may succeed"  # botocore's, followed by the reply itself


class ExportSource(Protocol):
    """What an import will read; whoever makes the checks finds it as the job does."""

    @property
    def folder(self) -> str: ...
    @property
    def files(self) -> Sized: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def origin(self) -> str: ...
    @property
    def key_schema(self) -> KeySchema | None: ...


class KeySample(Protocol):
    """How an item of an export that names no key fits the target's; `problem` is None where it does."""

    @property
    def seen(self) -> str: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def may_be_bad(self) -> bool: ...


@dataclass(frozen=True)
class ImportInput:
    """
    What an import will read.

    Attributes:
        find: finds it as the job does, and raises what the job would.
        sample: looks at one item of it by the target's key schema, and raises what the job would.
    """

    find: Callable[[], ExportSource]
    sample: Callable[[KeySchema], KeySample]


class CheckVerdict(Enum):
    """
    OK and WARNING let a run start; UNKNOWN could not be looked at and lets it start too; FAILED does not.

    SKIPPED was not asked, for what it is about is missing: the check it names has FAILED for the one cause of both.
    """

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class CheckResult:
    """One check: what was looked at, the verdict, what was seen and, unless ok or skipped, the remedy in one line."""

    name: str
    verdict: CheckVerdict
    detail: str
    remedy: str = ""
    exit_code: ExitCode = ExitCode.PRECONDITION

    def __post_init__(self) -> None:
        """What was seen and the remedy are one line each, whoever worded them."""
        for name in ("detail", "remedy"):
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "verdict": self.verdict.value, "detail": self.detail, "remedy": self.remedy}


def ok(name: str, detail: str) -> CheckResult:
    """The check passed."""
    return CheckResult(name, CheckVerdict.OK, detail)


def warning(name: str, detail: str, *, remedy: str) -> CheckResult:
    """Worth knowing; the run may start."""
    return CheckResult(name, CheckVerdict.WARNING, detail, remedy)


def unknown(name: str, detail: str, *, remedy: str) -> CheckResult:
    """Could not be looked at."""
    return CheckResult(name, CheckVerdict.UNKNOWN, detail, remedy)


def skipped(name: str, missing: str, *, see: str) -> CheckResult:
    """Not asked, for something is missing; `see` is the check that fails for it."""
    return CheckResult(name, CheckVerdict.SKIPPED, f"not asked: {missing} (see {see})")


def failed(name: str, detail: str, *, remedy: str, exit_code: ExitCode = ExitCode.PRECONDITION) -> CheckResult:
    """The run would fail."""
    return CheckResult(name, CheckVerdict.FAILED, detail, remedy, exit_code)


def run_check(name: str, check: Callable[[], CheckResult], *, remedy: str = LOOK_REMEDY) -> CheckResult:
    """
    Run a check; one that may not look, or gets no answer, is unknown and does not stop the others.

    Args:
        remedy: of a check that may not look.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return check()
    except (BotoCoreError, ClientError, ResponseParserError) as err:
        if is_denied(err):
            denied = denied_error(err, call=f"the check {name}")
            return unknown(name, str(denied), remedy=remedy)
        return unknown(name, error_text(err), remedy=TRY_AGAIN)
    except DeniedError as err:
        return unknown(name, str(err), remedy=remedy)


def error_text(err: Exception) -> str:
    """An error's code and the first line of its text, without botocore's advice and what follows it."""
    first = next(iter(without_secrets(str(err)).splitlines()), "").partition(RETRY_ADVICE)[0].rstrip(" .:,")
    text = f"{error_code(err)}: {first}"
    return text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL].rpartition(' ')[0]} ..."


def overall(results: Iterable[CheckResult]) -> ExitCode:
    """0 when nothing failed, else the first failure's code (missing credentials before anything else)."""
    codes = [result.exit_code for result in results if result.verdict is CheckVerdict.FAILED]
    if ExitCode.DENIED in codes:
        return ExitCode.DENIED
    return codes[0] if codes else ExitCode.DONE


def table_lines(results: Iterable[CheckResult]) -> list[str]:
    """A table for people: verdict, name, what was seen, and the remedy on its own line."""
    lines, checked = [], tuple(results)
    width = min(NAME_MAX, max((len(result.name) for result in checked), default=0))
    for result in checked:
        lines.append(f"{result.verdict.value.upper():8} {result.name:{width}}  {result.detail}")
        if result.remedy:
            lines.append(f"{'':8} {'':{width}}  remedy: {result.remedy}")
    return lines
