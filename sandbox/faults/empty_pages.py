"""
Pages without items that still name a LastEvaluatedKey, as DynamoDB may send at any time.

The key is made up and stands for "where this request began"; when it comes back as ExclusiveStartKey it is turned
into that again. So nothing is skipped or repeated, whoever continues from it and whenever.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

from sandbox.faults.dynamodb_call import DynamoDbCall

Key = dict[str, Any]
KeyTypes = list[tuple[str, str]]  # attribute name, "S" | "N" | "B"

_MARK = "empty-page-"


class EmptyPages:
    """Remembers what each made-up key stands for; `key_types` asks the table for its key attributes."""

    def __init__(self, key_types: Callable[[DynamoDbCall], KeyTypes]) -> None:
        self._key_types = key_types
        self._starts: dict[str, Key | None] = {}
        self._lock = threading.Lock()

    def key_for(self, call: DynamoDbCall) -> Key:
        """A new key from which this very request can be asked again."""
        with self._lock:
            number = len(self._starts) + 1
            key = {name: {kind: _made_up(kind, number)} for name, kind in self._key_types(call)}
            self._starts[_text(key)] = call.payload.get("ExclusiveStartKey")
        return key

    def translated(self, call: DynamoDbCall) -> DynamoDbCall:
        """The call with a made-up start key replaced by the true one."""
        start = call.payload.get("ExclusiveStartKey")
        if start is None or _text(start) not in self._starts:
            return call
        return call.changed(ExclusiveStartKey=self._starts[_text(start)])


def _made_up(kind: str, number: int) -> str:
    if kind == "N":
        return f"{number}E-120"
    text = f"{_MARK}{number}"
    return text if kind == "S" else base64.b64encode(text.encode()).decode()


def _text(key: Key) -> str:
    return json.dumps(key, sort_keys=True)
