"""When a schedule fires, as EventBridge Scheduler takes it: expressions and time zones; who hears of failures. Pure."""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime

from dynamodb_pipeline.errors import UsageError, shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")
EXPRESSION = re.compile(r"(cron|rate|at)\((.+)\)")
EMAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+")
MAX_EMAIL = 254
RATE = re.compile(r"[1-9][0-9]{0,8} (?:minute|hour|day)s?")
AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# EventBridge Scheduler user guide, "Schedule types", cron-based schedules: the values of each field, and what else
# may stand in it beside , - * /
FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("minute", 0, 59, (), ""),
    ("hour", 0, 23, (), ""),
    ("day", 1, 31, (), r"\?|L|(?:[1-9]|[12][0-9]|3[01])W"),
    ("month", 1, 12, MONTHS, ""),
    ("weekday", 1, 7, WEEKDAYS, r"\?|L|[1-7]L|(?:[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5]"),
    ("year", 1970, 2199, (), ""),
)
DAY, WEEKDAY = 2, 4


def parse_schedule_name(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: a name that Scheduler does not take.
    """
    if not NAME.fullmatch(text):
        msg = f"{option} {shown(text)} must be 1 to 41 of A-Z a-z 0-9 _ -"
        raise UsageError(msg)
    return text


def parse_cron(text: str, *, option: str) -> str:
    """
    A Scheduler expression from the user's text; bare fields are taken as cron.

    Raises:
        UsageError: none of Scheduler's three forms, or a field that its form does not have.
    """
    match = EXPRESSION.fullmatch(text)
    if "(" in text and not match:
        msg = f"{option} {shown(text)} is none of cron(0 3 * * ? *), rate(1 day), at(2026-12-01T03:00:00)"
        raise UsageError(msg)
    form, inner = (match[1], match[2]) if match else ("cron", text)
    problem = {"cron": _cron_problem, "rate": _rate_problem, "at": _at_problem}[form](inner)
    if problem:
        msg = f"{option} {shown(text)} {problem}"
        raise UsageError(msg)
    return text if match else f"cron({' '.join(text.split())})"


def _cron_problem(text: str) -> str | None:
    fields = text.split()
    if len(fields) != len(FIELDS):
        return (
            f"has {len(fields)} fields; Scheduler wants minute hour day month weekday year, "
            "with ? for one of day and weekday: '0 3 * * ? *' is 3 o'clock every day"
        )
    for text_of_field, (name, least, most, names, special) in zip(fields, FIELDS):
        if not all(_fits(part, least, most, names, special) for part in text_of_field.split(",")):
            values = f"{least} to {most}" + (f" or {names[0]} to {names[-1]}" if names else "")
            return f"has {text_of_field[:40]!r} for the {name}, which takes {values}"
    if (fields[DAY] == "?") == (fields[WEEKDAY] == "?"):
        return "must have ? for one of day and weekday: '0 3 * * ? *' is 3 o'clock every day"
    return None


def _fits(part: str, least: int, most: int, names: tuple[str, ...], special: str) -> bool:
    """True for one part of a field: `*`, `5`, `MON-FRI`, `0/15`, or what this field alone has."""
    if special and re.fullmatch(special, part):
        return True
    span, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and len(step) < 5 and int(step) > 0):
        return False
    ends = span.split("-")
    return span == "*" or (len(ends) <= 2 and all(_is_value(end, least, most, names) for end in ends))


def _is_value(text: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    if text in names:
        return True
    return text.isascii() and text.isdigit() and len(text) < 5 and least <= int(text) <= most


def _rate_problem(text: str) -> str | None:
    return None if RATE.fullmatch(text) else "is no rate: write rate(1 day), with minutes, hours or days"


def _at_problem(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text) if AT.fullmatch(text) else None
    except ValueError:
        moment = None
    return None if moment else "is no moment: write at(2026-12-01T03:00:00)"


def parse_timezone(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: no name of the time zone database.
    """
    if text != "UTC" and text not in zoneinfo.available_timezones():
        msg = f"{option} {shown(text)} is no time zone; write a name such as Europe/Dublin"
        raise UsageError(msg)
    return text


def parse_email(text: str, *, option: str) -> str:
    """
    Raises:
        UsageError: no address that mail can be sent to.
    """
    if len(text) > MAX_EMAIL or not EMAIL.fullmatch(text):
        msg = f"{option} {shown(text)} is no e-mail address"
        raise UsageError(msg)
    return text
