"""What is drawn on a terminal fits into it, and says the mean of the promised window."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dynamodb_pipeline.cli.display import Drawing, TableBoard, TerminalDisplay, board_lines, folded
from dynamodb_pipeline.emr.calls.console import TableRow
from dynamodb_pipeline.run.progress import Counts, Goal

LONG = Goal("export Orders-of-the-year-before-the-last-one", 100.0, "read units", 40_000)


def drawn(goal: Goal, counts: Counts, *, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True, legacy_windows=False)
    with console.capture() as said:
        console.print(Drawing(goal, started_s=0.0).at(10.0, counts, width=width))
    return said.get().splitlines()


@pytest.mark.parametrize("width", [40, 57, 80, 200])
@pytest.mark.parametrize("items", [None, 40_000], ids=["unknown total", "known total"])
def test_a_drawing_fits_into_the_terminal(width: int, items: int | None) -> None:
    goal = Goal(LONG.label, 123_456.7, LONG.unit, items)
    lines = drawn(goal, Counts(12_345_678, 999_999.9, 1_234_567), width=width)
    assert len(lines) == (1 if items is None else 2)
    assert [line for line in lines if len(line) > width] == []


def test_a_drawing_says_items_rate_and_throttles() -> None:
    (_, line) = drawn(LONG, Counts(10_000, 950.0, 3), width=200)
    assert ": 10,000 items, 95.0 of 100.0 read units/s allowed, 3 throttled, 25%, 30 s left" in line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (30, "export Slow: 41%, 14 s left"),
        (40, "export Slow: 826 items, 41%, 14 s left"),
        (60, "export Slow: 826 items, 3 throttled, 41%, 14 s left"),
        (80, "export Slow: 826 items, 19.4 of 20.0 read units/s allowed, 41%, 14 s left"),
        (100, "export Slow: 826 items, 19.4 of 20.0 read units/s allowed, 3 throttled, 41%, 14 s left"),
    ],
)
def test_of_a_run_on_this_machine_percent_and_time_left_stay_longest(width: int, line: str) -> None:
    assert drawn(Goal("export Slow", 20.0, "read units", 2_000), Counts(826, 194.0, 3), width=width)[1].rstrip() == line


def test_a_label_is_cut_in_its_middle_where_no_part_is_left_to_leave_out() -> None:
    (_, line) = drawn(LONG, Counts(10_000, 950.0, 3), width=40)
    assert line.rstrip() == "expor…t-one: 3 throttled, 25%, 30 s left"


def test_a_line_said_meanwhile_is_printed_as_it_is() -> None:
    """No markup, no colours of numbers, no line folded: it may be a command to paste."""
    out = io.StringIO()
    display = TerminalDisplay(Console(file=out, width=40, force_terminal=False))
    command = "dynamodb-pipeline export --table Orders --output s3://b/[bold]x[/bold] :smile: " + "y" * 50
    display.lines.say(command)
    assert out.getvalue() == command + "\n"


RUNNING = TableRow("Forum", "running", 0.42, 12_345_678, 96.06, 100.0, 3, 754.0, "export Forum")
LONG_NAME = TableRow("production-eu-west-1-orders-of-the-year-before-the-last", "waiting")
DONE = TableRow("Reply", "done", 1.0, 5_000)


def many(count: int) -> list[TableRow]:
    """Of sixty: forty done, one failed, four at work, the others waiting."""
    states = ["done"] * 40 + ["failed"] + ["running"] * 4 + ["waiting"] * (count - 45)
    return [TableRow(f"table-{number:02d}", state) for number, state in enumerate(states)]


@pytest.mark.parametrize("height", [4, 10, 24, 50])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("rows", [[RUNNING], [RUNNING, LONG_NAME, DONE], many(60)], ids=["1", "3", "60"])
def test_the_tables_of_a_run_fit_into_the_terminal(rows: list[TableRow], width: int, height: int) -> None:
    lines = board_lines(rows, width=width, height=height)
    assert len(lines) <= height
    assert [line for line in lines if len(line) > width] == []
    assert lines[0].split()[:2] == ["table", "state"]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (40, ["state", "done", "left"]),
        (60, ["state", "done", "items", "units/s", "left"]),
        (80, ["state", "done", "items", "units/s", "throttled", "left"]),
        (120, ["state", "done", "items", "units/s", "throttled", "left", "at"]),
    ],
)
def test_what_matters_less_is_left_out_first(width: int, titles: list[str]) -> None:
    lines = board_lines([RUNNING, LONG_NAME, DONE], width=width, height=20)
    assert lines[0].split() == ["table", *titles]
    shown = {
        "state": "running",
        "done": "42%",
        "items": "12,345,678",
        "units/s": "96.1 of 100.0",
        "throttled": "3",
        "left": "13 min",
        "at": "export Forum",
    }
    assert " ".join(lines[1].split()) == " ".join(["Forum", *(shown[title] for title in titles)])


def test_a_long_name_is_cut_in_its_middle_and_only_where_it_must_be() -> None:
    (_, _, cut, _) = board_lines([RUNNING, LONG_NAME, DONE], width=60, height=20)
    (_, _, whole, _) = board_lines([RUNNING, LONG_NAME, DONE], width=200, height=20)
    assert (cut.split()[0][:3], cut.split()[0][-4:], whole.split()[0]) == ("pro", "last", LONG_NAME.table)


def test_what_nobody_has_said_is_no_column() -> None:
    assert board_lines([TableRow("Forum", "waiting")], width=120, height=20) == ["table  state", "Forum  waiting"]


def test_finished_tables_become_one_line_of_counts_where_lines_are_few() -> None:
    lines = board_lines(many(60), width=80, height=22)
    assert lines[-1] == "and 40 done"
    assert {line.split()[1] for line in lines[1:-1]} == {"failed", "running", "waiting"}
    few = board_lines(many(60), width=80, height=10)
    assert few[-1] == "and 40 done, 12 waiting"
    assert [line.split()[1] for line in few[1:-1]].count("running") == 4
    assert board_lines(many(60), width=80, height=4)[-1] == "and 40 done, 15 waiting, 1 failed, 2 running"
    assert len(board_lines(many(60), width=80, height=61)) == 61


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_board_has_the_clusters_line_and_no_line_that_wraps(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, height=10, force_terminal=True, no_color=True, legacy_windows=False)
    board = TableBoard()
    title = "cluster j-ABCDEFGHIJKLM STARTING (Configuring cluster software: \x1b[2J of \u202e the nodes)"
    board.show(title, many(60), since_s=1_000.0)
    console.print(board.drawn(1_754.0, width=width, height=10))
    lines = out.getvalue().splitlines()
    assert len(lines) <= 10
    assert [line for line in lines if len(line) > width] == []
    assert lines[0].startswith("13 min  cluster j-A")
    assert "\x1b[2J" not in out.getvalue()


@pytest.mark.parametrize(("terminal", "is_dumb"), [("xterm", False), ("dumb", True)])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    terminal: str, is_dumb: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", terminal)
    assert TerminalDisplay(Console(file=io.StringIO(), force_terminal=True)).is_dumb is is_dumb


PLACE = "s3://my-bucket/exports/2026-11-23-03-00-00/"
COMMAND = "dynamodb-pipeline wait 20261123T030000Z-7f3a91c2 --region eu-west-1 --cluster-id j-ABCDEFGHIJKLM"


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("short enough", 40, ["short enough"]),
        (
            "note: below 1 GiB a cluster mostly starts and stops",
            40,
            ["note: below 1 GiB a cluster mostly", "  starts and stops"],
        ),
        (
            "OK       bucket my-bucket  in us-east-1 and ours to write to",
            50,
            ["OK       bucket my-bucket  in us-east-1 and ours", "         to write to"],
        ),
        ("         label  remedy: one two three", 30, ["         label  remedy: one", "           two three"]),
        (f"attach: {COMMAND}", 60, ["attach:", COMMAND]),
        (f"it ends by itself; to end it now: {COMMAND}", 40, ["it ends by itself; to end it now:", COMMAND]),
        (
            "ask for it: `dynamodb-pipeline policy launcher --help` says how",
            50,
            ["ask for it:", "  `dynamodb-pipeline policy launcher --help` says", "  how"],
        ),
        (f"to {PLACE} now", 40, ["to", PLACE, "  now"]),
        (f"  --input {PLACE} and more", 30, [f"  --input {PLACE} and more"]),
        ("Import it all into table Forum. Go on? [y/N] ", 40, ["Import it all into table Forum. Go on?", "  [y/N] "]),
        (f"{' ' * 33}remedy: one two three", 24, ["      remedy: one two", "        three"]),
        ("imported 200 items in 4 files, 6.3 s", 35, ["imported 200 items in 4 files,", "  6.3 s"]),
        ("    deep inside of a list of things said", 30, ["    deep inside of a list of", "      things said"]),
    ],
    ids=["short", "prose", "columns", "far columns", "command", "prose and command", "backticks", "address", "option",
         "question", "too far", "unit", "indent"],
)  # fmt: skip
def test_a_line_is_broken_between_words_and_what_is_pasted_is_not(line: str, width: int, lines: list[str]) -> None:
    assert folded(line, width=width) == lines


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=200), st.integers(1, 100))
def test_folding_loses_no_word(line: str, width: int) -> None:
    assert " ".join(folded(line, width=width)).split() == line.split()


def test_what_is_said_on_a_narrow_terminal_is_folded_there() -> None:
    out = io.StringIO()
    TerminalDisplay(Console(file=out, width=40, force_terminal=False)).lines.say("note: " + "word " * 20)
    assert [line for line in out.getvalue().splitlines() if len(line) > 40] == []
