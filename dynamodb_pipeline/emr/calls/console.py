"""What every command gets beside its clients (a console) and gives back (a result in words and JSON, an exit code)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol

from dynamodb_pipeline.emr.calls.clock import Attention, Clock
from dynamodb_pipeline.errors import ExitCode


@dataclass(frozen=True)
class TableRow:
    """
    One table of a run as it stands; None for what nobody has said.

    Attributes:
        state: `waiting`, `running`, `paused`, `done`, `failed` and the like.
        share: of the expected items that is done, 0 to 1.
        units_s: mean units per second of the promised window; `allowed_units_s` the rate in force.
        left_s: seconds until it is done, at the speed so far.
        doing: the job's own word for what it is at, `export Forum`.
    """

    table: str
    state: str
    share: float | None = None
    items: int | None = None
    units_s: float | None = None
    allowed_units_s: float | None = None
    throttles: int | None = None
    left_s: float | None = None
    doing: str = ""


class Board(Protocol):
    """Draws the tables of a run in place."""

    def show(self, title: str, rows: Sequence[TableRow], *, since_s: float) -> None:
        """Draw these from now on, below a line of the title and the time since `since_s` (seconds since the epoch)."""


@dataclass(frozen=True)
class Console:
    """
    Where a command speaks and how it waits.

    Attributes:
        say: takes one line for people about what happens meanwhile (stderr).
        put: takes lines that are themselves what was asked for, such as a log (stdout).
        confirm: asks a person who is there a question; raises DeclinedError when the answer is not yes.
        verbose: also say what found nothing.
        board: draws while it is entered, where this process has a terminal; None elsewhere.
    """

    say: Callable[[str], None]
    clock: Clock
    attention: Attention
    put: Callable[[Iterable[str]], None] = lambda _: None
    confirm: Callable[[str], None] = lambda _: None
    verbose: bool = False
    board: Callable[[], AbstractContextManager[Board | None]] = nullcontext

    def say_all(self, lines: Iterable[str]) -> None:
        """Say every line in order."""
        for line in lines:
            self.say(line)


@dataclass(frozen=True)
class CommandResult:
    """
    The one result, as a JSON document and in words, and the process's exit code (also inside the document).

    A `bare` document is something to use as it is, a policy or a template, and gets nothing added. `narrow` are the
    words for a terminal that is narrower than a table's rows; none where `words` do.
    """

    exit_code: ExitCode
    document: dict[str, Any] = field(default_factory=dict)
    bare: bool = False
    words: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return self.document if self.bare else {**self.document, "exit_code": int(self.exit_code)}
