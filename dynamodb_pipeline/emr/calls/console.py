"""What every command gets beside its clients (a console) and gives back (a result in words and JSON, an exit code)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable

from dynamodb_pipeline.emr.calls.clock import Attention, Clock
from dynamodb_pipeline.errors import ExitCode


@dataclass(frozen=True)
class Console:
    """
    Where a command speaks and how it waits.

    Attributes:
        say: takes one line for people about what happens meanwhile (stderr).
        put: takes lines that are themselves what was asked for, such as a log (stdout).
        confirm: asks a person who is there a question; raises DeclinedError when the answer is not yes.
        verbose: also say what found nothing.
    """

    say: Callable[[str], None]
    clock: Clock
    attention: Attention
    put: Callable[[Iterable[str]], None] = lambda _: None
    confirm: Callable[[str], None] = lambda _: None
    verbose: bool = False

    def say_all(self, lines: Iterable[str]) -> None:
        """Say every line in order."""
        for line in lines:
            self.say(line)


@dataclass(frozen=True)
class CommandResult:
    """
    The one result, as a JSON document and in words, and the process's exit code (also inside the document).

    A `bare` document is something to use as it is, a policy or a template, and gets nothing added.
    """

    exit_code: ExitCode
    document: dict[str, Any] = field(default_factory=dict)
    bare: bool = False
    words: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return self.document if self.bare else {**self.document, "exit_code": int(self.exit_code)}
