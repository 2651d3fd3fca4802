"""
What an option's text may be, and the value it becomes: every kind of value once, with its range in words.

A text is taken whole or refused: digits are 0-9, nothing follows the value, and a number beyond its range is named
with both ends of the range.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from dynamodb_pipeline.addresses import BUCKET, TABLE_NAME, S3Uri, TableAddress, is_s3, local_path
from dynamodb_pipeline.aws.clients import check_region
from dynamodb_pipeline.durations import LONGEST_D, duration_s
from dynamodb_pipeline.errors import UsageError, shown
from dynamodb_pipeline.formats.exports.layout import STAMP
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.key_schema import ROLES as KEY_ROLES
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.rate.capacity import PERCENT_MAX, PERCENT_MIN, parse_percent
from dynamodb_pipeline.settings.run_ids import check_run_id

TABLE_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,255}")
ACCOUNT = re.compile(r"[0-9]{12}")
EXTERNAL_ID = re.compile(r"[A-Za-z0-9+=,.@:/_-]{2,1224}")  # STS API Reference, AssumeRole
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
DECIMAL = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")
WHOLE = re.compile(r"[0-9]{1,18}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
FIRST_YEAR, LAST_YEAR = 1970, 9999
MAX_UNITS = 10_000_000
MAX_ITEMS = 10**15


@dataclass(frozen=True)
class ValueKind:
    """How a text becomes a value: `parse(text, option=NAME)`, which raises UsageError, and the range in words."""

    parse: Callable[..., Any]
    range: str = ""
    may_have_lines: bool = False  # an expression, or JSON: a line feed is as good as a space


@dataclass(frozen=True)
class ItemLimit:
    """A count, a percentage of all items, or neither: no limit."""

    count: int | None
    percent: float | None

    def most(self, total: int) -> int | None:
        """The limit as a count where there are `total` items, None for no limit."""
        if self.count is not None:
            return self.count
        return None if self.percent is None else int(total * self.percent / 100)

    def exceeded(self, count: int, *, total: int) -> bool:
        """True when `count` items are too many."""
        most = self.most(total)
        return most is not None and count > most

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{self.percent:g}%"


def utf8_word(word: str) -> str:
    """
    A word of the command line with what the locale did to its bytes undone.

    Under LANG=C Python may decode the words as ASCII, every other byte as a lone surrogate.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError as err:
        msg = f"argument {shown(word)} is not UTF-8"
        raise UsageError(msg) from err


def check_text(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: with a control character, as a line feed behind the value.
    """
    if CONTROL.search(text):
        msg = f"{option} {shown(text)} holds a control character"
        raise UsageError(msg)
    return text


def parse_text(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: nothing, or only blanks.
    """
    if not text.strip():
        msg = f"{option} is empty; give it a value or leave it out"
        raise UsageError(msg)
    return text


def matching(form: re.Pattern[str], meant: str) -> ValueKind:
    """Texts of this form, said in words."""

    def parse(text: str, *, option: str) -> str:
        if not form.fullmatch(text):
            msg = f"{option} {shown(text)} is not {meant}"
            raise UsageError(msg)
        return text

    return ValueKind(parse, meant)


def whole(least: int, most: int) -> ValueKind:
    """Whole numbers of this range."""
    taken = f"{least} to {most}"

    def parse(text: str, *, option: str) -> int:
        if not WHOLE.fullmatch(text) or not least <= int(text) <= most:
            msg = f"{option} {shown(text)} must be {taken}"
            raise UsageError(msg)
        return int(text)

    return ValueKind(parse, taken)


def parse_item_limit(text: str, *, option: str) -> ItemLimit:
    """
    A count for `100`, a percentage for `1%`.

    Raises:
        UsageError: neither a whole number nor a percentage of 0 to 100.
    """
    number = text.removesuffix("%")
    if text.endswith("%") and DECIMAL.fullmatch(number) and Decimal(number) <= 100:
        return ItemLimit(None, float(number))
    if WHOLE.fullmatch(text) and int(text) <= MAX_ITEMS:
        return ItemLimit(int(text), None)
    msg = f"{option} {shown(text)}: write a number of items (100, at most {MAX_ITEMS:,}) or a percentage (1%, 0 to 100)"
    raise UsageError(msg)


def parse_units(text: str, *, option: str) -> float:
    """
    Units per second.

    Raises:
        UsageError: no number above 0, or beyond what is taken.
    """
    if not DECIMAL.fullmatch(text) or not 0 < float(text) <= MAX_UNITS:
        msg = f"{option} {shown(text)} is not a number of units per second above 0 and up to {MAX_UNITS:,}"
        raise UsageError(msg)
    return float(text)


def parse_scheduled_time(text: str, *, option: str) -> datetime:
    """
    A moment given as ISO 8601 (EventBridge Scheduler's form, `2026-11-23T03:00:00Z`) or as a folder stamp, in UTC.

    Raises:
        UsageError: neither of the two, no day of the calendar, or outside the years that are taken.
    """
    try:
        moment = _moment(text)
    except (ValueError, OverflowError) as err:
        msg = f"{option} {shown(text)} is no moment: {err}"
        raise UsageError(msg) from err
    if moment is None:
        msg = f"{option} {shown(text)} is neither ISO 8601 (2026-11-23T03:00:00Z) nor yyyy-MM-dd-HH-mm-ss"
        raise UsageError(msg)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        msg = f"{option} {shown(text)} is outside the years {FIRST_YEAR} to {LAST_YEAR}"
        raise UsageError(msg)
    return moment


def _moment(text: str) -> datetime | None:
    if STAMP.fullmatch(text):
        year, month, day, hour, minute, second = map(int, text.split("-"))
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    match = ISO.fullmatch(text)
    if match is None:
        return None
    date_and_time = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    year, month, day, hour, minute, second = date_and_time
    there = datetime(year, month, day, hour, minute, second, micros, tzinfo=_zone(match[8]))
    return there.astimezone(timezone.utc)


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return timezone.utc
    digits = str(text)[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes > 59:
        msg = f"{text} is no offset"
        raise ValueError(msg)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if str(text).startswith("-") else offset)


def parse_table_name(name: str, *, option: str) -> str:
    """A table's name, or its ARN where it is another account's; raises UsageError for what is neither."""
    if is_pattern(name):
        msg = f"{option} {shown(name)} is a pattern, which only an export takes: other jobs are of one table and folder"
        raise UsageError(msg)
    try:
        return str(TableAddress.parse(name))
    except ValueError as err:
        msg = f"{option} {shown(name)} is not a table name (3-255 of a-z A-Z 0-9 _ - .) and not the ARN of a table"
        raise UsageError(msg) from err


def parse_expression_names(text: str, *, option: str) -> dict[str, str]:
    """
    ExpressionAttributeNames, such as `{"#s": "Status"}`.

    Raises:
        UsageError: no JSON object of names.
    """
    names = _placeholders(text, option=option, example='{"#s": "Status"}', mark="#")
    wrong = next((name for name, meant in names.items() if type(meant) is not str), None)
    if wrong is not None:
        msg = f'{option}: {shown(wrong)} stands for no attribute; write {{"#s": "Status"}}'
        raise UsageError(msg)
    return names


def parse_expression_values(text: str, *, option: str) -> dict[str, Any]:
    """
    ExpressionAttributeValues, such as `{":x": {"S": "open"}}`.

    Raises:
        UsageError: no JSON object, or a value that DynamoDB would refuse.
    """
    values = _placeholders(text, option=option, example='{":x": {"S": "open"}}', mark=":")
    for name, value in values.items():
        try:
            check_item({name: value})
        except ItemError as err:
            msg = f'{option}: {shown(name)}: {err.reason}; write {{":x": {{"S": "open"}}}}'
            raise UsageError(msg) from err
    return values


def _placeholders(text: str, *, option: str, example: str, mark: str) -> dict[str, Any]:
    try:
        members = parse_json(text.encode("utf-8", "replace"))
    except JsonTextError as err:
        msg = f"{option} {shown(text)} is not JSON ({err}); write {example}"
        raise UsageError(msg) from err
    if not isinstance(members, dict) or not all(name.startswith(mark) for name in members):
        msg = f"{option} {shown(text)} is no JSON object of names that begin with {mark}; write {example}"
        raise UsageError(msg)
    return members


def is_pattern(name: str) -> bool:
    """Whether it stands for all tables that it matches: `*` for any characters, `?` for one."""
    return "*" in name or "?" in name


def literal_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """How the tables of the patterns among `names` begin, as far as all begin alike."""
    return tuple(dict.fromkeys(filter(None, (re.split(r"[*?]", name)[0] for name in names if is_pattern(name)))))


def parse_table_pattern(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: neither a table's name nor a pattern of names.
    """
    if not is_pattern(text):
        return parse_table_name(text, option=option)
    if not TABLE_PATTERN.fullmatch(text):
        own = "; a table of another account is named by its whole ARN" if text.startswith("arn:") else ""
        msg = f"{option} {shown(text)} is no pattern of table names (1-255 of a-z A-Z 0-9 _ - . and * or ?){own}"
        raise UsageError(msg)
    return text


def parse_log_folder(text: str, *, option: str) -> S3Uri:
    """
    A folder for logs, without its final slash.

    Raises:
        UsageError: no address in S3, or a bucket's top level.
    """
    folder = S3Uri.parse(text, option=option)
    if not folder.folder.key:
        msg = f"{option} {text}: name a folder (s3://bucket/logs), never the bucket's top level"
        raise UsageError(msg)
    return S3Uri(folder.bucket, folder.key.rstrip("/"))


def parse_place(text: str, *, option: str) -> str:
    """
    A folder or file, of S3 or of this machine.

    Raises:
        UsageError: an address of S3 that holds no bucket name.
    """
    if is_s3(text):
        S3Uri.parse(text, option=option)
    return parse_text(text, option=option)


def parse_file(text: str, *, option: str) -> str:
    """
    The path of a file of this machine.

    Raises:
        UsageError: nothing, only blanks, or what no bytes stand for.
    """
    try:
        return local_path(parse_text(text, option=option))
    except UnicodeError as err:
        msg = f"{option} {shown(text)} is not UTF-8"
        raise UsageError(msg) from err


def parse_pair(text: str, *, option: str) -> tuple[str, str]:
    """
    Raises:
        UsageError: no `KEY=VALUE`.
    """
    key, mark, value = text.partition("=")
    if not mark or not key:
        msg = f"{option} {shown(key)} is not KEY=VALUE"
        raise UsageError(msg)
    return key, value


def parse_region(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: what cannot be the name of a region.
    """
    try:
        check_region(text)
    except UsageError as err:
        msg = f"{option} {err}"
        raise UsageError(msg) from err
    return text


def parse_key(text: str, *, option: str) -> KeySchema:
    """
    Raises:
        UsageError: not the names and types of one or two key attributes.
    """
    parts = [part.rpartition(":") for part in text.split(",")]
    try:
        attributes = [KeyAttribute(name, role, kind) for (name, _, kind), role in zip(parts, KEY_ROLES)]
        keys = KeySchema(tuple(attributes))
    except ValueError:
        keys = None
    if keys is None or len(parts) > len(KEY_ROLES):
        msg = f"{option} {shown(text)} is not NAME:TYPE or NAME:TYPE,NAME:TYPE with the types S, N or B"
        raise UsageError(msg)
    return keys


TEXT = ValueKind(parse_text)
REGION_NAME = ValueKind(parse_region, "a name such as eu-west-1")
BUCKET_NAME = matching(BUCKET, "a bucket name")
TABLE_NAMES = ValueKind(parse_table_name, "3 to 255 of a-z A-Z 0-9 _ - ., or a table's ARN")
OWN_TABLE_NAMES = matching(TABLE_NAME, "a table name (3-255 of a-z A-Z 0-9 _ - .)")
INDEX_NAMES = matching(TABLE_NAME, "an index name (3-255 of a-z A-Z 0-9 _ - .)")
EXPRESSION = ValueKind(parse_text, may_have_lines=True)
EXPRESSION_NAMES = ValueKind(parse_expression_names, '{"#s": "Status"}', may_have_lines=True)
EXPRESSION_VALUES = ValueKind(parse_expression_values, '{":x": {"S": "open"}}', may_have_lines=True)
TABLE_PATTERNS = ValueKind(parse_table_pattern, "a table's name or ARN, or a pattern of names with * and ?")
S3_ADDRESS = ValueKind(S3Uri.parse, "s3://bucket/folder")
LOG_FOLDER = ValueKind(parse_log_folder, "s3://bucket/folder, never a bucket's top")
FILE = ValueKind(parse_file)
PLACE = ValueKind(parse_place, "s3://bucket/folder or a path")
DURATION = ValueKind(duration_s, f"above 0, up to {LONGEST_D}d")
UNITS = ValueKind(parse_units, f"above 0, up to {MAX_UNITS:,}")
PERCENT = ValueKind(parse_percent, f"{PERCENT_MIN} to {PERCENT_MAX}")
ITEM_LIMIT = ValueKind(parse_item_limit, f"0 to {MAX_ITEMS:,}, or 0% to 100%")
MOMENT = ValueKind(parse_scheduled_time, f"years {FIRST_YEAR} to {LAST_YEAR}")
ACCOUNT_ID = matching(ACCOUNT, "a 12-digit account")
RUN_IDS = ValueKind(check_run_id, "3 to 80 of A-Z a-z 0-9 . _ -")
PAIR = ValueKind(parse_pair)
