"""What single options take and refuse, at the edges of their ranges."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings import job_options as job
from dynamodb_pipeline.settings.rows import Row
from dynamodb_pipeline.settings.run_ids import moment_of
from dynamodb_pipeline.settings.values import ItemLimit, utf8_word

TAKEN = [
    (job.MAX_SET_ASIDE, "0", ItemLimit(0, None)),
    (job.MAX_SET_ASIDE, "1000000000000000", ItemLimit(10**15, None)),
    (job.MAX_DELETIONS, "100%", ItemLimit(None, 100.0)),
    (job.TIMEOUT, "365d", 365 * 86_400.0),
    (job.READ_UNITS, "10000000", 10_000_000.0),
    (job.WRITE_UNITS, "0.5", 0.5),
    (job.TASKS, "4096", 4096),
    (job.SCHEDULED_TIME, "2024-02-29T03:00:00Z", datetime(2024, 2, 29, 3, tzinfo=timezone.utc)),
    (job.SCHEDULED_TIME, "2026-11-23-03-00-00", datetime(2026, 11, 23, 3, tzinfo=timezone.utc)),
    (job.SCHEDULED_TIME, "2026-11-23T03:00:00+05:30", datetime(2026, 11, 22, 21, 30, tzinfo=timezone.utc)),
    (job.SCHEDULED_TIME, "2026-11-23", datetime(2026, 11, 23, tzinfo=timezone.utc)),
    (job.SCHEDULED_TIME, "9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
    (job.RUN_ID, "20260228T235959Z-aa", "20260228T235959Z-aa"),
]
REFUSED = [
    (job.MAX_SET_ASIDE, "9" * 5000, "at most 1,000,000,000,000,000"),
    (job.MAX_SET_ASIDE, "100.1%", "0 to 100"),
    (job.MAX_DELETIONS, "1_000", "a number of items"),
    (job.MAX_DELETIONS, "\u0661\u0660", "a number of items"),
    (job.TIMEOUT, "9" * 5000, "at most 365d"),
    (job.TIMEOUT, "366d", "at most 365d"),
    (job.WRITE_UNITS, "100000000", "above 0 and up to 10,000,000"),
    (job.READ_UNITS, "1e309", "above 0 and up to"),
    (job.READ_UNITS, "nan", "above 0 and up to"),
    (job.READ_UNITS, "1_0", "above 0 and up to"),
    (job.TASKS, "1_0", "1 to 4096"),
    (job.TASKS, "\u0664", "1 to 4096"),
    (job.TASKS, "4097", "1 to 4096"),
    (job.ATTEMPTS, "0", "1 to 10"),
    (job.LIMIT, "-1", "0 to"),
    (job.SCHEDULED_TIME, "2026-02-30-00-00-00", "no moment"),
    (job.SCHEDULED_TIME, "2026-02-30T00:00:00Z", "no moment"),
    (job.SCHEDULED_TIME, "0001-01-01T00:00:00+05:00", "no moment"),
    (job.SCHEDULED_TIME, "0001-01-01T00:00:00Z", "1970 to 9999"),
    (job.SCHEDULED_TIME, "9999-12-31T23:59:59-05:00", "no moment"),
    (job.SCHEDULED_TIME, "2026-11-23T03:00:00+25:00", "no moment"),
    (job.SCHEDULED_TIME, "\u0662026-11-23", "neither"),
    (job.SCHEDULED_TIME, "2026-11-23T03:00:00Z ", "neither"),
    (job.RUN_ID, "20260230T000000Z-aa", "no moment"),
    (job.RUN_ID, "20269999T999999Z", "no moment"),
    (job.RUN_ID, "ab", "3-80"),
    (job.BUCKET_OWNER, "\u0661" * 12, "12-digit"),
    (job.OUTPUT, "s3://b/x", "not a bucket name"),
    (job.OUTPUT, "/tmp/x", "not an s3:// address"),
    (job.LOGS, "s3://bucket", "never the bucket's top"),
    (job.ALLOW_BUCKET, "no bucket", "not a bucket name"),
    (job.REGION, "EU", "no region's name"),
    (job.SSE_KMS_KEY_ID, " ", "empty"),
]


@pytest.mark.parametrize(("row", "text", "value"), TAKEN, ids=str)
def test_the_ends_of_a_range_are_taken(row: Row[object], text: str, value: object) -> None:
    assert row.parse(text) == value


@pytest.mark.parametrize(("row", "text", "said"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_lies_beyond_is_refused_with_the_range(row: Row[object], text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        row.parse(text)
    assert str(refused.value).startswith(f"{row} ")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(("row", "text", "_"), [case for case in TAKEN if case[1].isascii()], ids=str)
@pytest.mark.parametrize("more", ["\n", "\r", "\x00", "\x85"], ids=["line feed", "return", "NUL", "next line"])
def test_nothing_invisible_follows_a_value(row: Row[object], text: str, _: object, more: str) -> None:
    with pytest.raises(UsageError, match=f"^{row} "):
        row.parse(text + more)


@pytest.mark.parametrize("text", ["key\n", "k\x00", "\x1b[31mkey", "k\x85"])
def test_what_may_be_any_text_holds_no_control_character(text: str) -> None:
    with pytest.raises(UsageError, match=r"--sse-kms-key-id .* control character"):
        job.SSE_KMS_KEY_ID.parse(text)


def test_a_run_id_that_is_no_moment_has_that_of_its_beginning() -> None:
    """Records of earlier versions may hold such ids."""
    began = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert moment_of("20269999T999999Z-aa", began=began) == began


def test_a_word_that_the_locale_did_not_know_is_read_as_utf8() -> None:
    """LANG=C without Python's UTF-8 mode."""
    raw = "s3://bucket/caf\u00e9".encode().decode("ascii", "surrogateescape")
    assert utf8_word(raw) == "s3://bucket/caf\u00e9"
    with pytest.raises(UsageError, match="not UTF-8"):
        utf8_word("s3://bucket/\udcff")
