"""
Progress drawn in place, where the command line has a terminal; rich does the drawing.

Of a run on this machine two lines at most, of one on a cluster a line for each table: each cut to the terminal's width,
all together to its height, so that nothing scrolls from 40 columns on.
"""

from __future__ import annotations

import re
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.emr.calls.console import TableRow
from dynamodb_pipeline.errors import PROGRAM
from dynamodb_pipeline.output import Lines, printable
from dynamodb_pipeline.run.progress import Counts, Goal, RecentRate, Snapshot, progress_parts, share_done

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

DRAWN_EVERY_S = 0.5
FOLDED_WIDTH_MIN = 20
GLUE = "\x00"  # for a space that is no place to break at; `printable` lets none through
AMOUNT = r"\b[0-9]+ (?:s|min|h|KiB|MiB|GiB|TiB|KB|MB|GB)\b"
A_COMMAND = rf"(?:\b{PROGRAM} [a-z]|\baws [a-z0-9]+ [a-z]|\bpip install |\bpython -m ).*"
TOGETHER = re.compile(rf"`[^`]+`|{AMOUNT}|{A_COMMAND}")
COLUMN_GAP = re.compile(r"(?<=\S)\s{2,}(?=\S)")
GAP = "  "
NAME_MIN = 10  # characters of a table's name: less of it names nothing
DOING_MAX = 30
# Of the columns of a run's tables the first ones stay where the terminal is narrow; shown is COLUMNS' order.
MATTERS = ("state", "done", "left", "items", "units/s", "throttled", "at")
COLUMNS: dict[str, Callable[[TableRow], str]] = {
    "state": lambda row: row.state,
    "done": lambda row: "" if row.share is None else f"{int(row.share * 100)}%",
    "items": lambda row: "" if row.items is None else f"{row.items:,}",
    "units/s": lambda row: _rate_text(row),
    "throttled": lambda row: f"{row.throttles:,}" if row.throttles else "",
    "left": lambda row: "" if row.left_s is None else duration_text(row.left_s),
    "at": lambda row: _cut(row.doing, DOING_MAX),
}
LEFT_ALIGNED = {"state", "at"}
# Where lines are fewer than tables, what is over goes first, and what runs stays to the end.
FOLDED_FIRST = ("done", "waiting", "cancelled", "stopped", "failed", "stopping", "paused", "running")
STATE_COLOURS = {"done": "green", "failed": "red", "running": "cyan", "paused": "yellow"}
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

    def at(self, now_s: float, counts: Counts, *, width: int) -> RenderableType:
        """The drawing of that moment, in lines that fit."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        recent = self._rate.add(now_s, counts.units, allowed_units_s=counts.allowed_units_s)
        elapsed_s = now_s - self._started_s
        parts = progress_parts(self._goal, counts, elapsed_s=elapsed_s, recent_units_s=recent)
        line = fitting_line(printable(self._goal.label), parts, width=width)
        text = Text(line, no_wrap=True, overflow="ellipsis")
        share = share_done(self._goal, counts)
        rows = Table.grid(expand=True)
        if share is not None:
            rows.add_row(ProgressBar(total=1.0, completed=share))
        rows.add_row(text)
        return rows


def fitting_line(label: str, parts: Mapping[str, str], *, width: int) -> str:
    """A line of progress: where it is too long, what matters less is left out, then the label is cut in its middle."""
    kept, left = set[str](), width - min(len(label), NAME_MIN) - len(":")
    for name in MATTERS:
        if name in parts and len(parts[name]) + len(", ") <= left:
            kept.add(name)
            left -= len(parts[name]) + len(", ")
    text = ", ".join(printable(part) for name, part in parts.items() if name in kept)
    return f"{_cut_middle(label, max(NAME_MIN, width - len(text) - len(': ')))}: {text}"


class TableBoard:
    """The tables of a run on a cluster, as they were shown last; `redraw` is called when others are."""

    def __init__(self) -> None:
        self.redraw: Callable[[], object] = lambda: None
        self._title, self._rows = "looking at the run", tuple[TableRow, ...]()
        self._since_s: float | None = None

    def show(self, title: str, rows: Sequence[TableRow], *, since_s: float) -> None:
        """Draw these from now on."""
        self._title, self._rows, self._since_s = title, tuple(rows), since_s
        self.redraw()

    def drawn(self, now_s: float, *, width: int, height: int) -> Text:
        """The drawing of that moment, in lines that fit."""
        from rich.text import Text

        age = "" if self._since_s is None else f"{duration_text(max(0.0, now_s - self._since_s))}{GAP}"
        lines = [
            _cut(f"{age}{printable(self._title)}", width),
            *board_lines(self._rows, width=width, height=height - 2),
        ]
        text = Text("\n".join(lines), no_wrap=True, overflow="crop")
        for state, style in STATE_COLOURS.items():
            text.highlight_regex(rf"(?m)^\S+ +{state}\b", style=style)
        return text


def board_lines(rows: Sequence[TableRow], *, width: int, height: int) -> list[str]:
    """
    A line for each table below one of titles, none longer than `width`, and at most `height` lines.

    A column that does not fit is left out, a name that does not is cut in its middle; where the lines do not suffice
    one line counts the tables that have none.
    """
    shown, folded = _folded(rows, lines_max=max(1, height - 1))
    names = [printable(row.table) for row in shown]
    texts = {title: [printable(text(row)) for row in shown] for title, text in COLUMNS.items()}
    sizes = {title: max(map(len, (title, *column))) for title, column in texts.items() if any(column)}
    kept, left = set[str](), width - NAME_MIN
    for title in MATTERS:
        if title not in sizes or sizes[title] + len(GAP) > left:
            continue
        kept.add(title)
        left -= sizes[title] + len(GAP)
    name_size = min(max(map(len, ("table", *names))), NAME_MIN + left)
    lines = ["table".ljust(name_size), *(_cut_middle(name, name_size).ljust(name_size) for name in names)]
    for title in filter(kept.__contains__, COLUMNS):
        cells = (title, *texts[title])
        lines = [f"{line}{GAP}{_aligned(cell, sizes[title], title)}" for line, cell in zip(lines, cells)]
    counts = ", ".join(f"{count:,} {state}" for state, count in folded.items())
    return [_cut(line.rstrip(), width) for line in [*lines, *([f"and {counts}"] if folded else [])]] if rows else []


def _folded(rows: Sequence[TableRow], *, lines_max: int) -> tuple[list[TableRow], Counter[str]]:
    """The rows that get a line, and how many do not, by state; finished tables go all at once."""
    shown, folded = list(rows), Counter[str]()
    for state in dict.fromkeys((*FOLDED_FIRST, *(row.state for row in rows))):
        alike = [row for row in shown if row.state == state]
        too_many = len(shown) + 1 - lines_max
        if not alike or len(shown) + bool(folded) <= lines_max:
            continue
        gone = alike if state == "done" else alike[-too_many:]
        folded[state] = len(gone)
        shown = [row for row in shown if not any(row is one for one in gone)]
    return shown, folded


def _aligned(cell: str, size: int, title: str) -> str:
    return cell.ljust(size) if title in LEFT_ALIGNED else cell.rjust(size)


def _rate_text(row: TableRow) -> str:
    """`96.1 of 100.0`, the mean of the promised window and the rate in force."""
    if row.units_s is None or row.allowed_units_s is None:
        return ""
    return f"{row.units_s:,.1f} of {row.allowed_units_s:,.1f}"


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: max(0, size - 1)]}…"


def _cut_middle(name: str, size: int) -> str:
    """Names of tables differ at their ends as often as at their beginnings."""
    if len(name) <= size:
        return name
    head = (size - 1) // 2
    return f"{name[:head]}…{name[len(name) - (size - 1 - head) :]}"


class TerminalDisplay:
    """Draws on a console of rich; lines said meanwhile stand above the drawing."""

    def __init__(self, console: Console):
        self._console = console
        self.lines = Lines(self._put)

    def _put(self, text: str) -> None:
        lines = [line for one in text.split("\n") for line in folded(one, width=self._console.width)]
        self._console.print(coloured("\n".join(lines)), end="", highlight=False, soft_wrap=True)

    @contextmanager
    def watch(self, goal: Goal, snapshot: Snapshot) -> Iterator[None]:
        """Draw until left."""
        drawing = Drawing(goal, started_s=time.monotonic())
        size = self._console
        with self._live(lambda: drawing.at(time.monotonic(), snapshot(), width=size.width)):
            yield

    @contextmanager
    def board(self) -> Iterator[TableBoard]:
        """Draw the tables of a run until left."""
        size, board = self._console, TableBoard()
        live = self._live(lambda: board.drawn(time.time(), width=size.width, height=size.height))
        with live:
            board.redraw = live.refresh
            yield board

    def _live(self, drawn: Callable[[], RenderableType]) -> Live:
        from rich.live import Live

        return Live(
            get_renderable=drawn,
            console=self._console,
            refresh_per_second=1 / DRAWN_EVERY_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def is_dumb(self) -> bool:
        """The terminal cannot move its cursor: lines are all that it can show."""
        return self._console.is_dumb_terminal


def folded(line: str, *, width: int) -> list[str]:
    """
    A line for people in lines of at most `width` characters, broken between words.

    What may be pasted (a command up to the line's end, or what stands between backticks; an address) is never broken:
    one that is too long is left to the terminal, which knows that it is one. What goes on stands below the line's last
    column that the terminal has room for.
    """
    if len(line) <= width or width < FOLDED_WIDTH_MIN or line.lstrip().startswith("--"):
        return [line]
    bare = line.lstrip()
    begin = len(line) - len(bare)
    begin = begin if begin <= width * 0.5 else width // 4
    line = " " * begin + bare
    columns = [match.end() for match in COLUMN_GAP.finditer(line) if match.end() <= width * 0.5]
    indent = max((*columns, begin + len(GAP)))
    glued = TOGETHER.sub(lambda match: match[0].replace(" ", GLUE), line)
    lines = textwrap.wrap(
        glued, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False,
        expand_tabs=False, replace_whitespace=False,
    )  # fmt: skip
    lines[-1] += line[len(line.rstrip()) :]
    return [_further_left(one.replace(GLUE, " "), width=width) for one in lines]


def _further_left(line: str, *, width: int) -> str:
    """What is too long where it stands, where it is not, or as far to the left as can be."""
    bare = line.lstrip()
    return line if len(line) <= width else bare.rjust(min(width, len(bare) + len(GAP)))


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
