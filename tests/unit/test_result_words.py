"""Results in words: what is there is said, right for one and for many; what a document lacks is left out."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_pipeline.errors import size_text
from dynamodb_pipeline.result_words import result_words

EXPORTED = {
    "table": "Orders",
    "export_uri": "s3://b/x/2026-11-23-12-38-58/",
    "items": 1000,
    "files": 4,
    "bytes": 531_390,
    "read_units_consumed": 60.5,
    "read_units_per_s_allowed": 100.0,
    "seconds": 1.21,
    "throttles": 1,
}
IMPORTED = {
    "kind": "import",
    "table": "Orders",
    "input": "s3://b/x/",
    "source_table": "Orders-prod",
    "items": 21,
    "items_written": 17,
    "items_skipped": 1,
    "items_set_aside": 3,
    "set_aside_uri": "s3://b/aside/run-1",
    "files": 1,
    "bytes": 1,
    "write_units_consumed": 34.0,
    "write_units_per_s_allowed": 10.0,
    "seconds": 17.0,
}
VERIFIED = {
    "kind": "verify",
    "exit_code": 0,
    "export": "s3://b/x/",
    "items": 1,
    "files": 1,
    "bytes": 2048,
    "table": "Orders",
    "table_items": 1,
    "read_units_consumed": 1.0,
    "seconds": 100.0,
}


def test_an_export_says_items_files_units_time_and_folder() -> None:
    assert result_words({"kind": "export", "tables": [EXPORTED]}) == (
        "exported Orders: 1,000 items in 4 files (518.9 KiB), 1.2 s",
        "  60.5 read units, a mean of 50.0 of 100.0 allowed a second; 1 request throttled",
        "  to s3://b/x/2026-11-23-12-38-58/",
    )


def test_an_import_says_its_source_and_what_was_left_out() -> None:
    assert result_words(IMPORTED) == (
        "imported into Orders: 17 items written of 21 items in 1 file (1 byte), 17 s",
        "  from s3://b/x/, an export of table Orders-prod",
        "  34 write units, a mean of 2.0 of 10.0 allowed a second",
        "  1 item skipped: the key was there already (--skip-existing)",
        "  3 bad items set aside in s3://b/aside/run-1",
    )


def told(percent: str | None, minute: int, *, paused: bool = False) -> dict[str, Any]:
    """An order as `run.json` has it."""
    return {"percent": percent, "paused": paused, "by": "arn:a", "at": f"2026-11-29T03:{minute:02d}:00Z"}


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ([told("5%", 1), told("100", 2)], "changed 2 times, 100% at the end"),
        ([told("5%", 1), told("5%", 1)], "changed once, 5% at the end"),
        ([told(None, 1, paused=True)], "changed once, paused at the end"),
        ([told(None, 1, paused=True), told(None, 2)], "changed 2 times, as it was started at the end"),
    ],
    ids=["two", "one that two passes obeyed", "a pause", "a pause and its end"],
)
def test_a_rate_that_was_changed_is_compared_with_none(orders: list[dict[str, Any]], said: str) -> None:
    exported = result_words({"kind": "export", "tables": [EXPORTED], "rate_orders": orders})
    mean = f"a mean of 50.0 a second; the rate was {said}"
    assert exported[1] == f"  60.5 read units, {mean}; 1 request throttled"
    imported = result_words({**IMPORTED, "rate_orders": orders})
    assert imported[2] == f"  34 write units, a mean of 2.0 a second; the rate was {said}"


def test_a_dry_run_says_what_would_be_done_and_that_nothing_was() -> None:
    words = result_words({**IMPORTED, "dry_run": True, "items_bad": 1, "deletions_planned": 2})
    assert words[0].startswith("dry run: 21 items in 1 file (1 byte) from s3://b/x/")
    assert words[1:] == (
        "  1 item bad, would be set aside",
        "  2 items would be deleted that the export does not have",
        "  nothing was written to Orders",
    )


def test_a_dry_run_says_how_many_would_be_written() -> None:
    counts = {"items_bad": 0, "items_unchanged": 3, "items_expired": 1, "duplicates_dropped": 0}
    words = result_words({**IMPORTED, "dry_run": True, "deletions_planned": None, **counts})
    assert words[1:] == (
        "  every item can be written",
        "  17 items would be written, 3 items not: the table has them just so (--only-changes)",
        "  1 item would be left out: expired (--skip-expired)",
        "  nothing was written to Orders",
    )


def test_a_dry_run_of_some_keys_says_how_many_and_how_large() -> None:
    counts = {"items_bad": 0, "items_left_out": 19, "bytes_asked_for": 2048, "keys_absent": 1, "duplicates_dropped": 0}
    words = result_words({**IMPORTED, "dry_run": True, "deletions_planned": None, **counts})
    assert words[1:] == (
        "  every item can be written",
        "  2 items asked for (2.0 KiB)",
        "  19 items would be left out: not asked for",
        "  1 key asked for, but not in the export",
        "  nothing was written to Orders",
    )


def test_what_was_read_of_the_table_before_is_said() -> None:
    words = result_words({**IMPORTED, "read_units_consumed": 305.0})
    assert words[3] == "  305 read units of the table, which was read first"


def test_a_verification_against_a_table_says_both_sides() -> None:
    same = result_words(VERIFIED)
    assert same == (
        "verified: 1 item in 1 file (2.0 KiB) in s3://b/x/, 2 min",
        "  table Orders holds 1 item: exactly these; 1 read unit",
    )
    other = result_words({**VERIFIED, "exit_code": 4, "missing": 1, "extra": 0, "different": 2})
    assert other[0].startswith("read: 1 item")
    assert "1 missing, 0 extra, 2 different" in other[1]


@pytest.mark.parametrize(
    ("orphans", "count", "said"),
    [
        (["s3://b/x/a"], 1, "  not read: 1 file that no manifest lists, s3://b/x/a"),
        (["s3://b/x/a", "s3://b/x/c"], 30, "  not read: 30 files that no manifest lists, first s3://b/x/a"),
    ],
    ids=["one", "many"],
)
def test_a_verification_says_which_files_it_did_not_read(orphans: list[str], count: int, said: str) -> None:
    assert result_words({**VERIFIED, "orphans": orphans, "orphan_count": count})[-1] == said


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "export"},
        {"kind": "export", "tables": [{"table": "T", "error": "x"}, 7, {"items": True}]},
        {"kind": "import", "items": "many"},
        {"kind": ["import"]},
        {"kind": "import", "rate_orders": [7]},
        {"kind": "verify", "items": None},
    ],
    ids=str,
)
def test_a_document_that_says_nothing_has_no_words(document: dict[str, Any]) -> None:
    assert result_words(document) == ()


def test_units_that_nobody_counted_are_not_said() -> None:
    words = result_words({"kind": "export", "tables": [{**EXPORTED, "read_units_consumed": None}]})
    assert [line for line in words if "units" in line] == []


@pytest.mark.parametrize(
    ("size", "said"), [(1, "1 byte"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")]
)
def test_sizes_are_said_in_the_largest_unit(size: int, said: str) -> None:
    assert size_text(size) == said
