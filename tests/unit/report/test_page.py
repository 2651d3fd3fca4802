"""The page says what the record says, needs nothing else, and cannot be broken by what it shows."""

from __future__ import annotations

import re

import pytest

from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.report.page import element
from tests.unit.report.records import IMPORTED, STOPPED, exported, page_of, pairs, parsed_page, record

EVIL = """<script>alert(1)</script>"'&amp;</style><img src=x onerror=alert(1)>"""


def test_a_finished_export_has_its_figures() -> None:
    rows = pairs(page_of(record(tables=[exported("Orders")])))
    assert rows["State"] == "done"
    assert rows["Exit code"] == "0, done"
    assert rows["Duration"] == "10 min"
    assert (rows["Items"], rows["Files"], rows["Throttles"]) == ("12,400", "4", "3")
    assert rows["Stored"] == "531,390 bytes (518.9 KiB)"
    assert rows["Rate"] == "25% of 400 read units (provisioned) = 100/s"
    assert rows["Reader"] == "direct"


def test_units_are_compared_with_what_was_allowed_in_the_tables_own_time() -> None:
    """5,000 units in 100 s are 50 of 100 a second."""
    text = page_of(record(tables=[exported("Orders")]))
    assert "50.0/s over its time, 50% of the 100/s allowed" in pairs(text)["Read units"]
    assert bars(text) == [("track", "400"), ("taken", "200")]


def test_units_of_an_import_are_compared_over_the_whole_run() -> None:
    """60,000 units in ten minutes are 100 of 200 a second."""
    text = page_of(record(**IMPORTED))
    rows = pairs(text)
    assert "100.0/s over the whole run of 10 min, 50% of the 200/s allowed" in rows["Write units"]
    assert rows["Exit code"] == "8, finished, some items set aside"
    assert (rows["Items written"], rows["Items set aside"]) == ("993", "7")
    assert rows["Write units of indexes"] == "index:ByDate 12"


def test_a_bar_never_leaves_its_track() -> None:
    text = page_of(record(tables=[exported("Orders", read_units_consumed=30_000.0)]))
    assert bars(text) == [("track", "400"), ("over", "400")]
    assert "300% of the 100/s allowed" in text


@pytest.mark.parametrize("missing", ["seconds", "read_units_per_s_allowed"])
def test_without_time_or_rate_there_is_no_bar(missing: str) -> None:
    text = page_of(record(ended=None, tables=[exported("Orders", **{missing: None})]))
    assert bars(text) == []
    assert pairs(text)["Read units"] == "5,000"


def test_units_that_nobody_counted_are_told_so() -> None:
    text = page_of(record(tables=[exported("Orders", read_units_estimated=True)]))
    assert pairs(text)["Read units"].startswith("about 5,000")


def test_a_failed_run_without_figures_says_why() -> None:
    text = page_of(record(state="failed", exit_code=3, error="table 'Orders' not found; check --region"))
    assert pairs(text)["Exit code"] == f"3, {ExitCode(3).meaning}"
    found = parsed_page(text).texts
    assert found.count("table 'Orders' not found; check --region") == 1
    assert "The run ended before it had figures of this table." in found


def test_a_run_that_was_killed_has_no_end_and_no_code() -> None:
    rows = pairs(page_of(record(state="running", ended=None, exit_code=None)))
    assert rows["State"] == "running"
    assert "Ended" not in rows
    assert "Duration" not in rows
    assert rows["Exit code"].startswith("no exit code yet")


def test_the_barest_record_makes_a_page() -> None:
    bare = record(kind=None, tool_version=None, region=None, started=None, ended=None, state=None, exit_code=None)
    rows = pairs(page_of(bare))
    assert rows["State"] == "unknown"
    assert "Region" not in rows


@pytest.mark.parametrize("code", [77, -9])
def test_a_code_that_is_not_ours_is_shown_as_it_is(code: int) -> None:
    assert pairs(page_of(record(state="failed", exit_code=code)))["Exit code"] == str(code)


def test_several_tables_are_listed_and_each_has_its_figures() -> None:
    failed = {"table": "Reply", "exit_code": 7, "error": "dynamodb:Scan on Reply is not allowed"}
    run = record(state="failed", exit_code=7, error="1 of 3 failed", tables=[exported("A"), exported("B"), failed])
    text = page_of(run)
    found = parsed_page(text).texts
    assert "3 tables" in found
    assert [found.count(name) for name in ("A", "B", "Reply")] == [2, 2, 2]
    assert "1 of 3 failed" in found
    assert "dynamodb:Scan on Reply is not allowed" in found


def test_a_verification_shows_counts_and_problems_but_no_keys() -> None:
    differences = [{"kind": "missing", "key": {"Id": {"S": "secret-key"}}}]
    text = page_of(
        record(
            kind="verify", exit_code=4, state="failed", missing=1, extra=0, differences=differences,
            problem_count=1, problems=["file a_000001: SHA-256 differs"], not_proven=["there is no manifest"],
        )
    )  # fmt: skip
    assert pairs(text)["Missing in the table"] == "1"
    assert {"file a_000001: SHA-256 differs", "there is no manifest"} <= set(parsed_page(text).texts)
    assert "secret-key" not in text


def test_nothing_from_a_record_becomes_markup() -> None:
    """Every text a record can hold, as a value and as a key."""
    table = {key: EVIL if isinstance(value, str) else value for key, value in exported("x").items()}
    table |= {"error": EVIL, "problems": [EVIL], "items": EVIL, "dialects": {EVIL: 1}}
    texts = dict.fromkeys(("kind", "region", "tool_version", "started", "ended", "state", "error", "run_id"), EVIL)
    text = page_of(record(**texts, exit_code=5, attempt=EVIL, last_error=EVIL, tables=[table, table]), logs=EVIL)
    found = parsed_page(text)
    assert {tag for tag, _ in found.elements} & {"script", "img"} == set()
    assert {key for _, given in found.elements for key in given if key.startswith("on")} == set()
    assert text.count("</style>") == 1
    assert EVIL in found.texts


def test_text_that_html_cannot_hold_or_that_turns_the_line_is_replaced() -> None:
    assert element("p", "a\x00b\ud800c\u202ed\ne", title='"\x1b') == (
        '<p title="&quot;\ufffd">a\ufffdb\ufffdc\ufffdd\ne</p>'
    )


def test_template_marks_in_a_record_stay() -> None:
    assert "cost $title ${body} $" in parsed_page(page_of(record(error="cost $title ${body} $"))).texts


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page_of(record(tables=[exported("A"), exported("B")], **STOPPED), logs="s3://my-bucket/logs")
    found = parsed_page(text)
    assert {tag for tag, _ in found.elements} & {"script", "link", "img", "iframe", "object"} == set()
    assert {key for _, given in found.elements for key in given} & {"src", "href"} == set()
    assert re.findall(r"url\(|@import|https?:", text) == []


def test_the_page_is_for_light_and_dark() -> None:
    """Every colour that is set for light is set for dark."""
    light, dark = re.findall(r":root \{(.*?)\}", page_of(record()), re.DOTALL)
    assert re.findall(r"--[a-z]+", light) == re.findall(r"--[a-z]+", dark)


def bars(text: str) -> list[tuple[str | None, str | None]]:
    return [(given["class"], given["width"]) for tag, given in parsed_page(text).elements if tag == "rect"]
