"""When a schedule fires: the expressions, zones and addresses that EventBridge Scheduler takes, and no others."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.emr.documents.schedule_times import parse_cron, parse_email, parse_schedule_name, parse_timezone
from dynamodb_pipeline.errors import UsageError

# EventBridge Scheduler user guide, "Schedule types on EventBridge Scheduler" (read 2026-11-23)
DOCUMENTED = [
    "cron(15 10 ? * 6L 2022-2023)",
    "cron(0 10 * * ? *)",
    "cron(15 12 * * ? *)",
    "cron(0 18 ? * MON-FRI *)",
    "cron(0 8 1 * ? *)",
    "cron(0/15 * * * ? *)",
    "cron(0/10 * ? * MON-FRI *)",
    "cron(0/5 8-17 ? * MON-FRI *)",
    "cron(0 9 ? * 2#1 *)",
    "cron(0 8 L * ? *)",
    "cron(0 8 3W * ? *)",
    "rate(5 minutes)",
    "rate(1 hour)",
    "rate(7 days)",
    "at(2022-11-20T13:00:00)",
]


@pytest.mark.parametrize("text", DOCUMENTED)
def test_every_documented_expression_is_taken_as_it_stands(text: str) -> None:
    assert parse_cron(text, option="--cron") == text


def test_bare_fields_are_cron() -> None:
    assert parse_cron("0 3 * * ? *", option="--cron") == "cron(0 3 * * ? *)"


def test_unix_cron_is_refused_with_the_difference() -> None:
    with pytest.raises(UsageError, match=r"5 fields.*0 3 \* \* \? \*"):
        parse_cron("0 3 * * *", option="--cron")


@pytest.mark.parametrize(
    "text",
    [
        "daily", "at(x)", "at(2026-02-30T03:00:00)", "at(2026-12-01T25:00:00)", "rate(day)", "rate(0 days)",
        "rate(1 week)", "rate(\u0661 day)", "cron(60 3 * * ? *)", "cron(0 24 * * ? *)", "cron(0 3 32 * ? *)",
        "cron(0 3 * 13 ? *)", "cron(0 3 ? * 8 *)", "cron(0 3 * * * *)", "cron(0 3 ? * ? *)", "cron(0 3 * * ? 1969)",
        "cron(0 3 * * ? *)\n", "cron(0 3 * * ? *", "cron()", "every(1 day)", "cron(0/0 3 * * ? *)",
        "cron(1- 3 * * ? *)",
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--cron"):
        parse_cron(text, option="--cron")


@pytest.mark.parametrize("text", ["UTC", "Europe/Dublin", "Asia/Tokyo"])
def test_time_zones_have_iana_names(text: str) -> None:
    assert parse_timezone(text, option="--timezone") == text


@pytest.mark.parametrize("text", ["Mars/Base", "", "../etc/passwd", "Europe", "europe/dublin", "GMT+25"])
def test_unknown_time_zones_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--timezone"):
        parse_timezone(text, option="--timezone")


@pytest.mark.parametrize("text", ["ops@example.com", "first.last+tag@mail.example.co.uk"])
def test_addresses_of_mail(text: str) -> None:
    assert parse_email(text, option="--email") == text


@pytest.mark.parametrize("text", ["x", "x@", "@example.com", "a b@example.com", "x@example", "x@-.com", "x@y.z\n"])
def test_what_is_no_address_of_mail(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--email"):
        parse_email(text, option="--email")


@pytest.mark.parametrize("text", ["", "a b", "-a", "x" * 42, "nightly\n"])
def test_names_that_scheduler_does_not_take(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--schedule-name"):
        parse_schedule_name(text, option="--schedule-name")
