"""
Progress drawn in place, where the command line has a terminal; rich does the drawing.

Two lines at most, each cut to the terminal's width, so that nothing scrolls from 40 columns on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynamodb_pipeline.output import Lines, printable
from dynamodb_pipeline.run.progress import Counts, Goal, RecentRate, Snapshot, progress_line, share_done

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

DRAWN_EVERY_S = 0.5
# By what a line begins with; rich leaves them out under NO_COLOR and where the terminal has none.
COLOURS = {
    "ERROR|FAILED|probable cause": "red",
    "WARNING|UNKNOWN|interrupted|terminated|not confirmed|timeout": "yellow",
    "OK|exported|imported|verified": "green",
    "note|remedy|logs": "cyan",
}


class Drawing:
    """What is drawn of one goal; pure but for the clock that it is asked with."""

    def __init__(self, goal: Goal, *, started_s: float):
        self._goal, self._started_s = goal, started_s
        self._rate = RecentRate(goal.window_s, started_s=started_s)

    def at(self, now_s: float, counts: Counts) -> RenderableType:
        """The drawing of that moment."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        recent = self._rate.add(now_s, counts.units)
        elapsed_s = now_s - self._started_s
        line = progress_line(self._goal, counts, elapsed_s=elapsed_s, recent_units_s=recent)
        text = Text(printable(line), no_wrap=True, overflow="ellipsis")
        share = share_done(self._goal, counts)
        rows = Table.grid(expand=True)
        if share is not None:
            rows.add_row(ProgressBar(total=1.0, completed=share))
        rows.add_row(text)
        return rows


class TerminalDisplay:
    """Draws on a console of rich; lines said meanwhile stand above the drawing."""

    def __init__(self, console: Console):
        self._console = console
        self.lines = Lines(self._put)

    def _put(self, text: str) -> None:
        self._console.print(coloured(text), end="", highlight=False, soft_wrap=True)

    @contextmanager
    def watch(self, goal: Goal, snapshot: Snapshot) -> Iterator[None]:
        """Draw until left."""
        from rich.live import Live

        drawing = Drawing(goal, started_s=time.monotonic())
        live = Live(
            get_renderable=lambda: drawing.at(time.monotonic(), snapshot()),
            console=self._console,
            refresh_per_second=1 / DRAWN_EVERY_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live:
            yield


def coloured(text: str) -> Text:
    """Lines with the colour of their first word; the text stays as it is."""
    from rich.text import Text

    drawn = Text(text)
    for word, style in COLOURS.items():
        drawn.highlight_regex(rf"(?m)^(?:{word})\b.*?(?=:|\s{{2}}|$)", style=style)
    return drawn


def terminal_display() -> TerminalDisplay:
    """A display on stderr, which must be a terminal; NO_COLOR is rich's own to obey."""
    from rich.console import Console

    return TerminalDisplay(Console(stderr=True))
