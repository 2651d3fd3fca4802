"""The page says what the record says, needs nothing else, and cannot be broken by what it shows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dynamodb_pipeline.emr.watch.spent import spent_on_standing
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.report.page import DETAILED_MAX, page
from tests.unit.report.records import (
    IMPORTED,
    RUN,
    STOPPED,
    exported,
    figures,
    page_of,
    pairs,
    parsed_page,
    record,
)

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


@pytest.mark.parametrize("several", [True, False])
def test_a_rate_that_was_changed_is_compared_with_none(*, several: bool) -> None:
    order = {"percent": "100%", "paused": False, "by": "arn:a", "at": "2026-11-23T03:05:00Z"}
    parts = {"tables": [exported("Orders")]} if several else IMPORTED
    text = page_of(record(**parts, rate_orders=[order]))
    units = pairs(text)["Read units" if several else "Write units"]
    assert units.endswith("; the rate was changed once, 100% at the end")
    assert "allowed" not in units
    assert 'class="share"' not in text


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
    table |= {"error": EVIL, "problems": [EVIL], "items": EVIL, "dialects": {EVIL: 1}, "bad_reasons": {EVIL: 1}}
    table |= {"not_proven": [EVIL], "table": EVIL}
    texts = dict.fromkeys(("kind", "region", "tool_version", "started", "ended", "state", "error", "run_id"), EVIL)
    text = page_of(record(**texts, exit_code=5, attempt=EVIL, last_error=EVIL, tables=[table, table]), logs=EVIL)
    found = parsed_page(text)
    assert {tag for tag, _ in found.elements} & {"script", "img"} == set()
    assert {key for _, given in found.elements for key in given if key.startswith("on")} == set()
    assert "default-src 'none'" in text  # and were there a script, no browser would run it
    assert text.count("</style>") == 1
    assert EVIL in found.texts


def test_text_that_html_cannot_hold_or_that_turns_the_line_is_replaced() -> None:
    text = page_of(record(error='a\x00b\ud800c\u202ed\n"\x1b<'))
    assert '<p class="message">a\ufffdb\ufffdc\ufffdd\n&#34;\ufffd&lt;</p>' in text


def test_template_marks_in_a_record_stay() -> None:
    assert "cost {{ 7 * 7 }} {% raw %} $" in parsed_page(page_of(record(error="cost {{ 7 * 7 }} {% raw %} $"))).texts


def test_reasons_of_bad_items_are_counted_the_most_first() -> None:
    reasons = {"HASH key is missing": 2, "number must be decimal text such as -12.5 or 1E+3": 5, "odd": "many"}
    found = parsed_page(page_of(record(**IMPORTED, bad_reasons=reasons))).texts
    place = found.index("Why items are bad")
    assert found[place + 1 : place + 5] == [
        "number must be decimal text such as -12.5 or 1E+3", "5", "HASH key is missing", "2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"items": 5}, "Every file and item is as it must be."),
        ({"items": 5, "table_items": 5}, "The table holds exactly the items of the export."),
        (
            {"items": 5, "not_proven": ["there is no manifest"]},
            "Every file and item is as it must be. Not proven: see below.",
        ),
        ({"items": 5, "exit_code": 4, "state": "failed"}, "The export is not proven: see the message."),
    ],
)
def test_a_verification_says_its_verdict(changes: dict[str, object], verdict: str) -> None:
    assert verdict in parsed_page(page_of(record(kind="verify", **changes))).texts


@pytest.mark.parametrize("code", [3, 5, 7, None])
def test_a_verification_that_came_to_no_verdict_says_none(code: int | None) -> None:
    assert 'class="verdict' not in page_of(record(kind="verify", exit_code=code, state="failed"))


def test_cost_planned_stands_against_actual() -> None:
    cost = {
        "planned_usd": 0.5, "actual_usd": 0.4, "cluster_usd": 0.3, "units_usd": 0.09, "other_usd": 0.01,
        "cluster_s": 2400,
    }  # fmt: skip
    rows = pairs(page(figures(record()), resume=None, cost=cost))
    assert (rows["Planned"], rows["Actual"]) == ("$0.50", "$0.40, 80% of the plan")
    assert rows["Made of"] == "cluster $0.30 (40 min), units $0.09, S3 $0.01"
    rows = pairs(page(figures(record()), resume=None, cost=spent_on_standing([{"usd_per_hour": 0.0}])))
    assert ("Planned" in rows, rows["Made of"]) == (False, "share of a standing cluster: not counted")
    assert "Planned" not in pairs(page_of(record()))


def test_a_run_of_very_many_tables_with_long_texts_stays_below_300_kb() -> None:
    """All of a command of 200 tables, the failed ones whole, the others in the overview."""
    tables = [exported(f"Table-{n:03d}-{'x' * 60}", rate="r" * 5_000) for n in range(180)]
    failed = [{"table": f"Failed-{n:02d}", "exit_code": 5, "error": "e" * 9_000} for n in range(20)]
    names = " ".join(f"--table {table['table']}" for table in tables)
    resume = f"dynamodb-pipeline export {names} --run-id {RUN}"
    text = page_of(record(**STOPPED, tables=[*tables, *failed], resume=resume))
    assert len(text.encode()) <= 300_000
    assert resume in text
    found = parsed_page(text).texts
    assert [found.count(f"Failed-{n:02d}") for n in range(20)] == [2] * 20
    assert text.count("<h2>Table-") == DETAILED_MAX - 20
    assert "24 tables in full below, those that failed first" in found


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page_of(record(tables=[exported("A"), exported("B")], **STOPPED), logs="s3://my-bucket/logs")
    found = parsed_page(text)
    assert {tag for tag, _ in found.elements} & {"script", "link", "img", "iframe", "object"} == set()
    assert {key for _, given in found.elements for key in given} & {"src", "href"} == set()
    assert re.findall(r"url\(|@import|https?:", text) == []


def test_the_page_is_for_light_and_dark() -> None:
    """Every colour that is set for light is set for dark."""
    text = page_of(record())
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    assert re.findall(r"--[a-z]+", light) == re.findall(r"--[a-z]+", dark)
    assert "@media screen and (prefers-color-scheme: dark)" in text  # paper is white


def bars(text: str) -> list[tuple[str | None, str | None]]:
    return [(given["class"], given["width"]) for tag, given in parsed_page(text).elements if tag == "rect"]


@pytest.mark.slow
def test_no_script_of_a_record_runs_in_a_browser(tmp_path: Path) -> None:
    """Whatever runs says so in the title of the page; a page that lets scripts run shows that the browser would."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    script = "<script>document.title='it ran'</script><img src=x onerror=\"document.title='it ran'\">"
    series = {
        "passes": [
            {"label": script, "unit": script, "resources": [script], "points": [[0, 0, 0, 0, 1], [9, 9, 0, 9, 1]]}
        ],
        "marks": [[1, script]],
    }
    evil = page_of(record(error=script, series=series, tables=[{**exported(script), "bad_reasons": {script: 1}}] * 2))
    for name, text, runs in (("evil", evil, False), ("open", f"<title>x</title>{script}", True)):
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
        done = subprocess.run([*command, f"file://{tmp_path}/{name}.html"], capture_output=True, text=True, timeout=120)
        assert ("<title>it ran</title>" in done.stdout) is runs, done.stderr[-500:]
        assert "</html>" in done.stdout
