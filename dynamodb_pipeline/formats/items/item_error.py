"""
The one exception for an item DynamoDB would refuse, and the spelling of a place inside an item.

A message names the place and the rule, never the value: item contents must not reach a log.
"""

from __future__ import annotations

import json
import re
from typing import Union

Step = Union[str, int]  # an attribute name or set tag, or a position in a list or set

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SHOWN_CHARS = 64


class ItemError(ValueError):
    """
    An item breaks one of DynamoDB's rules.

    Attributes:
        reason: the rule that is broken, without any part of the value.
        steps: where, from the item inwards; empty when the item as a whole is meant.
    """

    def __init__(self, reason: str, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = steps

    @property
    def path(self) -> str:
        """The place as text, for instance `a.b[3].SS[0]`; empty for the item as a whole."""
        return format_path(self.steps)

    def within(self, *outer: Step) -> ItemError:
        """This error, seen from outside the container that `outer` leads through."""
        self.steps = (*outer, *self.steps)
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.steps else self.reason


def format_path(steps: tuple[Step, ...]) -> str:
    """`('a', 'b', 3)` -> `a.b[3]`; unusual names as JSON strings, cut at 64 characters."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_shown_name(step)}" for step in steps)
    return text[1:] if text.startswith(".") else text


def _shown_name(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return json.dumps(name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "...")
