"""
Results as a table for people and as JSON for programs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.measure.rounds import Spread

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class ResultRow:
    """One figure of one contender; `reach` is what it was meant to be, in words."""

    figure: str
    contender: str
    unit: str
    spread: Spread
    reach: str = ""
    note: str = ""


@dataclass(frozen=True)
class Results:
    """One run of the benchmarks; `date` is the day it ended, UTC, such as 2026-11-23."""

    title: str
    command: str
    date: str
    machine: dict[str, str]
    rows: tuple[ResultRow, ...]
    remarks: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """Everything, indented so that two runs can be compared by diff."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Heading, machine, remarks, and one table: min / median / max."""
        lines = [
            f"# {self.title}",
            "",
            f"`{self.command}`",
            "",
            f"Measured on {self.date}.",
            "",
            _machine_line(self.machine),
            "",
        ]
        lines += [f"- {remark}" for remark in self.remarks] + [""] * bool(self.remarks)
        lines += [
            "| figure | contender | min | median | max | unit | n | reach | note |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        return "\n".join(lines + [_table_line(row) for row in self.rows]) + "\n"


def write_results(results: Results, *, name: str, folder: Path = RESULTS) -> tuple[Path, Path]:
    """Write `<name>.md` and `<name>.json`; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, data = folder / f"{name}.md", folder / f"{name}.json"
    markdown.write_text(results.to_markdown(), encoding="utf-8")
    data.write_text(results.to_json(), encoding="utf-8")
    return markdown, data


def _machine_line(machine: dict[str, str]) -> str:
    return "Machine: " + " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())


def _table_line(row: ResultRow) -> str:
    low, median, high = (f"{value:.4g}" for value in (row.spread.low, row.spread.median, row.spread.high))
    cells = (row.figure, row.contender, low, median, high, row.unit, str(row.spread.count), row.reach, row.note)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
