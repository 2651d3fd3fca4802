"""Checks of single options, and the collector of all their problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from dynamodb_pipeline.errors import UsageError

T = TypeVar("T")

ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


class Problems:
    """Collects every problem of a command line so that the user meets them all at once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def attempt(self, check: Callable[[], T]) -> T | None:
        """What the check returns, None when it finds a problem."""
        try:
            return check()
        except UsageError as err:
            self.texts.append(str(err))
            return None

    def require(self, holds: bool, text: str) -> None:
        if not holds:
            self.texts.append(text)

    def end(self) -> None:
        """
        Raises:
            UsageError: all problems, one a line.
        """
        if self.texts:
            raise UsageError("\n".join(self.texts))


def parse_item_limit(text: str, *, option: str) -> tuple[int | None, float | None]:
    """
    `(count, None)` for `100`, `(None, percent)` for `1%`.

    Raises:
        UsageError: neither a whole number nor a percentage of 0 to 100.
    """
    if text.endswith("%"):
        try:
            percent = float(text[:-1])
        except ValueError:
            percent = -1.0
        if 0 <= percent <= 100:
            return None, percent
    elif text.isascii() and text.isdigit():
        return int(text), None
    msg = f"{option} {text!r}: write a number of items (100) or a percentage (1%)"
    raise UsageError(msg)


def refuse_secrets(argv: Sequence[str]) -> None:
    """
    Raises:
        UsageError: an AWS access key id stands in an argument; step arguments are readable by many.
    """
    if any(ACCESS_KEY.search(word) for word in argv):
        msg = "an AWS access key stands in the arguments; remove and rotate it: the usual credential chain is used"
        raise UsageError(msg)


def parse_units(text: str, *, option: str) -> float:
    """
    Units per second.

    Raises:
        UsageError: no number above 0.
    """
    try:
        units = float(text)
    except ValueError:
        units = 0.0
    if not 0 < units <= 10_000_000:
        msg = f"{option} {text!r} is not a number of units per second above 0"
        raise UsageError(msg)
    return units
