"""
All that leaves the process: lines for people, and one result on stdout, in words or as JSON.

Names of objects, members of manifests, host names and errors of others come from outside and can hold anything; here,
and nowhere else, they become text that a terminal or a log shows as it is (`printable`). A line stays a line: what a
sink gets with a line feed in it did not come from us. A stream that is full or closed changes neither the run nor its
exit code: the result is in `run.json`, too.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, TextIO

# Controls of a terminal (C0, DEL, C1), line and paragraph separators, marks that turn the direction of writing or
# hide (Trojan Source: https://trojansource.codes), and halves of surrogate pairs.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
LINE_CHARS_MAX = 20_000  # of one line: enough for a command with two hundred tables

Say = Callable[[str], None]  # takes one line without its end


def printable(text: object, *, chars_max: int = LINE_CHARS_MAX) -> str:
    """Return one line: what could steer a terminal or forge a line as `\\x1b`, `\\n` or `\\u202e`; cut if very long."""
    line = _UNPRINTABLE.sub(_escaped, str(text))
    return line if len(line) <= chars_max else f"{line[:chars_max]}... ({len(line):,} characters)"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "backslashreplace").decode("ascii")


class Lines:
    """
    Lines for people; every text is made printable here. Safe for several threads.

    Args:
        put: takes finished text; may raise OSError or ValueError when nobody reads any more.
    """

    def __init__(self, put: Callable[[str], object]):
        self._put, self._lock, self._gone = put, threading.Lock(), False

    def say(self, line: object) -> None:
        """Write one line."""
        self._write(printable(line) + "\n")

    def say_all(self, lines: Iterable[object]) -> None:
        """Write each as a line."""
        self._write("".join(printable(line) + "\n" for line in lines))

    def ask(self, question: str) -> None:
        """Write a question; the answer follows on the same line."""
        self._write(printable(question) + " ")

    def _write(self, text: str) -> None:
        with self._lock:
            if self._gone:
                return
            try:
                self._put(text)
            except (OSError, ValueError):  # full, or closed: there is nobody to tell
                self._gone = True


def to_stream(stream: Callable[[], TextIO | None]) -> Callable[[str], None]:
    """
    Return what writes to the stream of that moment, at once; characters it cannot encode are escaped.

    Raises:
        OSError: it is closed or full; from then on nothing is left in its buffer that the interpreter's end would try
            to write again (its own exit code for that is 120).
    """

    def put(text: str) -> None:
        out = stream()
        if out is None:  # closed before we began
            msg = "the stream is closed"
            raise OSError(msg)
        encoding = out.encoding or "utf-8"
        try:
            out.write(text.encode(encoding, "backslashreplace").decode(encoding))
            out.flush()
        except OSError:
            _let_go(out)
            raise

    return put


def _let_go(stream: TextIO) -> None:
    """Lead what the stream still buffers to nowhere."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
    except (OSError, ValueError):
        return  # no descriptor of its own (a test's buffer): nothing is buffered either


def standard_error() -> Lines:
    """Lines on this process's stderr."""
    return Lines(to_stream(lambda: sys.stderr))


def standard_output() -> Lines:
    """Lines on this process's stdout."""
    return Lines(to_stream(lambda: sys.stdout))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees what this stream is given."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


@dataclass(frozen=True)
class Result:
    """
    What a command came to, for programs and for people.

    Attributes:
        document: one JSON object.
        words: the same in words, a line each; what matters most stands last.
        narrow: those for a terminal that is narrower than a table's rows; none where `words` do.
        bare: the document is something to use as it is, a policy or a template, and has no words.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    bare: bool = False
    narrow: tuple[str, ...] = ()


def print_result(result: Result, *, as_json: bool, lines: Lines) -> None:
    """
    Print the one result: as JSON on stdout with the words on stderr before it, or the words alone on stdout.

    Where nobody takes it a line says so, if that can still be read.
    """
    out = to_stream(lambda: sys.stdout)
    if as_json:
        lines.say_all(result.words)
        text = json.dumps(result.document, sort_keys=True) + "\n"
    elif result.bare:
        text = json.dumps(result.document, indent=2, ensure_ascii=True) + "\n"
    else:
        text = "".join(f"{printable(word)}\n" for word in result.words)
    if not text:
        return
    try:
        out(text)
    except (OSError, ValueError) as err:
        lines.say(f"the result could not be written to stdout ({err}); run.json holds it where --logs was given")
