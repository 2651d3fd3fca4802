"""
How one command line speaks: what a person reads while it runs and at its end, what a program reads, and who is asked.

What happens meanwhile goes to stderr, in place where that is a terminal; the result to stdout, in words where that is a
terminal and as JSON elsewhere, unless `--output-format` says which. `--quiet` leaves the result and errors.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from select import select
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.display import folded
from dynamodb_pipeline.errors import DeclinedError, ExitCode, PipelineError
from dynamodb_pipeline.job_main import run_and_print
from dynamodb_pipeline.output import Lines, Result, Say, is_terminal, printable, standard_error, standard_output
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.settings.job import ImportSettings, JobSettings
from dynamodb_pipeline.settings.rows import Options

if TYPE_CHECKING:
    from dynamodb_pipeline.cli.display import TerminalDisplay
    from dynamodb_pipeline.emr.calls.console import Board

JSON_FORMAT = "json"
LOOK_S = 0.2  # while an answer is waited for
TABLE_COLUMNS = 80  # of the rows of `list` and `runs`


@dataclass(frozen=True)
class Voice:
    """
    Attributes:
        lines: errors, questions, and (where stdout is for a program) the result in words, on stderr.
        as_json: the result goes to stdout as JSON.
        quiet: nothing is said of what happens meanwhile; `verbose`: more than usual.
        display: draws on stderr where that is a terminal.
    """

    lines: Lines
    as_json: bool
    quiet: bool = False
    verbose: bool = False
    display: TerminalDisplay | None = None

    @property
    def say(self) -> Say:
        """Takes a line about what happens meanwhile."""
        return _nothing if self.quiet else self.lines.say

    @property
    def put(self) -> Lines:
        """Takes lines that are what was asked for, a log."""
        return self.lines if self.as_json else standard_output()

    def reporter(self) -> Reporter:
        """Tells of a job's progress."""
        return Reporter(self.say, display=None if self.quiet else self.display)

    def board(self) -> AbstractContextManager[Board | None]:
        """Draws the tables of a run on a cluster; None where nothing is to be drawn."""
        return nullcontext() if self.quiet or self.display is None else self.display.board()

    def end(self, kind: str, work: Callable[[], Result]) -> ExitCode:
        """Do the work, print its result or its error, return the exit code."""

        def worded() -> Result:
            result = work()
            if self.as_json:
                return Result(result.document, bare=result.bare) if self.quiet else self._fitting(result)
            return replace(result, words=self._folded(self._fitting(result).words, kind=kind))

        return run_and_print(kind, worded, lines=self.lines, as_json=self.as_json)

    def _fitting(self, result: Result) -> Result:
        """The result with the words for a narrow terminal, where they go to one."""
        on_terminal = self.display is not None if self.as_json else is_terminal(sys.stdout)
        narrow = on_terminal and get_terminal_size().columns < TABLE_COLUMNS
        return replace(result, words=result.narrow) if narrow and result.narrow else result

    def _folded(self, words: tuple[str, ...], *, kind: str) -> tuple[str, ...]:
        """The words as a terminal can show them; a script and what goes elsewhere stay as they are."""
        if kind in own.SCRIPT_VERBS or not is_terminal(sys.stdout):
            return words
        width = get_terminal_size().columns
        return tuple(line for word in words for line in folded(printable(word), width=width))

    def answer(self, question: str) -> str:
        """Put a question to the person who is there and return what was typed."""
        self.lines.ask(question)
        return sys.stdin.readline()

    def confirm(self, question: str, *, stopped: Callable[[], bool] = lambda: False) -> None:
        """
        Ask a person who is there; where nobody is there to answer, nobody is asked.

        Args:
            stopped: whether waiting for the answer has become pointless (a signal that somebody else handles came).

        Raises:
            DeclinedError: the answer is not yes.
        """
        if not somebody_is_there():
            return
        self.lines.ask(f"{question} Go on? [y/N]")
        while not select([sys.stdin], [], [], LOOK_S)[0]:
            if stopped():
                self.lines.say("")
                return
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            msg = "nothing was written or started"
            raise DeclinedError(msg)


def voice_of(verb: str, options: Options) -> Voice:
    """The voice that the options of a command line ask for."""
    display = _display()
    lines = display.lines if display else standard_error()
    verbose = options[own.VERBOSE]
    logging.lastResort = _WarningLines(lines, logging.WARNING)
    if verbose:
        _log_to(lines)
    return Voice(lines, _as_json(options[own.OUTPUT_FORMAT], verb), options[own.QUIET], verbose, display)


def first_voice(words: Sequence[str]) -> Voice:
    """The voice for a command line that cannot be read."""
    name = own.OUTPUT_FORMAT.name
    given = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    given += [after for word, after in zip(words, words[1:]) if word == name]
    display = _display()
    return Voice(display.lines if display else standard_error(), _as_json(given[-1] if given else None, ""))


def import_question(settings: JobSettings, find: Callable[[], ImportSource] | None) -> str | None:
    """
    Which backup's items go where, for a person to agree to, and why where that cannot be told; None of a job that
    needs no yes.
    """
    if find is None or not isinstance(settings, ImportSettings) or settings.yes or settings.dry_run:
        return None
    try:
        source = find()
        backup = f"{source.folder} ({source.origin})"
    except PipelineError as err:
        place = f"the newest backup below {settings.input}" if settings.latest else settings.input
        backup = f"{place} (not known here: {err.lines[0]})"
    return f"Import {backup} into table {settings.table}: items with the same key are replaced."


def somebody_is_there() -> bool:
    """Whether a question would be read and answered."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def _as_json(chosen: str | None, verb: str) -> bool:
    """A log or a script is text for programs too; everything else is a document for them."""
    if chosen is not None:
        return chosen == JSON_FORMAT
    return verb not in own.TEXT_VERBS and not is_terminal(sys.stdout)


def _display() -> TerminalDisplay | None:
    if not is_terminal(sys.stderr):
        return None
    from dynamodb_pipeline.cli.display import terminal_display

    display = terminal_display()
    return None if display.is_dumb else display


class _LogLines(logging.Handler):
    """Records of the library's loggers as lines."""

    def __init__(self, lines: Lines, level: int = logging.NOTSET):
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.say(f"{record.levelname} {record.name}: {record.getMessage()}")


class _WarningLines(_LogLines):
    """What nobody else takes, botocore's warnings among it: else Python would write it to stderr as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.say(record.getMessage())


def _log_to(lines: Lines) -> None:
    logger = logging.getLogger("dynamodb_pipeline")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [_LogLines(lines)]
    logger.propagate = False


def _nothing(line: str) -> None:
    """Say nothing."""
