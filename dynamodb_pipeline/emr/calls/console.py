"""What every command gets beside its clients (a console) and gives back (a JSON-able result and an exit code)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from dynamodb_pipeline.emr.calls.clock import Attention, Clock
from dynamodb_pipeline.errors import ExitCode


@dataclass(frozen=True)
class Console:
    """Where a command speaks and how it waits. `say` takes one line for people (stderr)."""

    say: Callable[[str], None]
    clock: Clock
    attention: Attention

    def say_all(self, lines: list[str] | tuple[str, ...]) -> None:
        """Say every line in order."""
        for line in lines:
            self.say(line)


@dataclass(frozen=True)
class CommandResult:
    """
    The one JSON document of stdout, and the process's exit code (also inside the document).

    A `bare` document is something to use as it is, a policy or a template, and gets nothing added.
    """

    exit_code: ExitCode
    document: dict[str, Any] = field(default_factory=dict)
    bare: bool = False

    def to_json(self) -> dict[str, Any]:
        return self.document if self.bare else {**self.document, "exit_code": int(self.exit_code)}
