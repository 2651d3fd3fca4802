"""What is drawn on a terminal fits into it, and says the mean of the promised window."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dynamodb_pipeline.cli.display import Drawing, TerminalDisplay
from dynamodb_pipeline.run.progress import Counts, Goal

LONG = Goal("export Orders-of-the-year-before-the-last-one", 100.0, "read units", 40_000)


def drawn(goal: Goal, counts: Counts, *, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True, legacy_windows=False)
    with console.capture() as said:
        console.print(Drawing(goal, started_s=0.0).at(10.0, counts))
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


def test_a_line_said_meanwhile_is_printed_as_it_is() -> None:
    """No markup, no colours of numbers, no line folded: it may be a command to paste."""
    out = io.StringIO()
    display = TerminalDisplay(Console(file=out, width=40, force_terminal=False))
    command = "dynamodb-pipeline export --table Orders --output s3://b/[bold]x[/bold] :smile: " + "y" * 50
    display.lines.say(command)
    assert out.getvalue() == command + "\n"
