"""Checks of single options, and the collector of all their problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TypeVar

from dynamodb_pipeline.addresses import S3Uri, is_s3
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.formats.exports.layout import STAMP, STAMP_FORMAT

TABLE_NAME = re.compile(r"^[A-Za-z0-9_.-]{3,255}$")  # DynamoDB naming rules

T = TypeVar("T")


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


def parse_scheduled_time(text: str) -> datetime:
    """
    A moment given as ISO 8601 (EventBridge Scheduler's form, `2026-11-23T03:00:00Z`) or as a folder stamp, in UTC.

    Raises:
        UsageError: neither of the two.
    """
    if STAMP.match(text):
        return datetime.strptime(text, STAMP_FORMAT).replace(tzinfo=timezone.utc)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as err:
        msg = f"--scheduled-time {text!r} is neither ISO 8601 (2026-11-23T03:00:00Z) nor yyyy-MM-dd-HH-mm-ss"
        raise UsageError(msg) from err
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def check_log_folder(logs: str, *, outputs: Iterable[str]) -> S3Uri:
    """
    The log folder, refused before anything starts when it is a bucket's top or lies inside an export.

    Raises:
        UsageError: names the option and the rule.
    """
    folder = S3Uri.parse(logs, option="--logs").folder
    if not folder.key:
        msg = f"--logs {logs}: name a folder (s3://bucket/logs), never the bucket's top level"
        raise UsageError(msg)
    for output in outputs:
        if S3Uri.parse(output).holds_as_data(folder):
            msg = f"--logs {logs} lies inside the export folder {output}, where an import would read it as data"
            raise UsageError(msg)
    return folder


def check_set_aside(folder: str, *, source: str) -> S3Uri:
    """
    The folder for bad items, refused when it lies inside what is imported.

    Raises:
        UsageError: names the option and the rule.
    """
    where = S3Uri.parse(folder, option="--set-aside").folder
    if is_s3(source) and S3Uri.parse(source).holds_as_data(where):
        msg = f"--set-aside {folder} lies inside {source}, where an import would read it as data"
        raise UsageError(msg)
    return where


def check_table_name(name: str, *, option: str = "--table") -> str:
    """
    Raises:
        UsageError: not a DynamoDB table name (also an ARN: an index or stream cannot be exported).
    """
    if not TABLE_NAME.match(name):
        msg = f"{option} {name!r} is not a table name (3-255 of a-z A-Z 0-9 _ - .); ARNs are not taken"
        raise UsageError(msg)
    return name
