"""One table's part of a run record, as labelled texts and as units against what was allowed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.errors import SIZES, size_text


@dataclass(frozen=True)
class Units:
    """
    Units a table's job took, against what it was allowed.

    Attributes:
        noun: `read units` or `write units`.
        estimated: nobody counted them.
        allowed_per_s: of the table itself, or None when the record does not say.
        seconds: the time they were taken in, or None.
        whole_run: the seconds are the whole run's, with time in which nothing was read or written.
        changes: that the run was told other rates, in words: then its mean is compared with none of them.
    """

    noun: str
    consumed: float
    estimated: bool
    allowed_per_s: float | None
    seconds: float | None
    whole_run: bool
    changes: str | None

    @property
    def per_s(self) -> float | None:
        """Mean units per second."""
        return self.consumed / self.seconds if self.seconds else None

    @property
    def share(self) -> float | None:
        """Mean rate as a share of the allowed one, 1.0 for all of it."""
        if self.per_s is None or not self.allowed_per_s or self.changes:
            return None
        return self.per_s / self.allowed_per_s


@dataclass(frozen=True)
class TableFigures:
    """
    One table.

    Attributes:
        name: None when the record names none.
        figures: label and text.
        reasons: why items are bad, and how many each time, the most first.
        problems: what a verification found wrong; `doubts` what it could not prove.
    """

    name: str | None
    exit_code: int | None
    error: str | None
    figures: tuple[tuple[str, str], ...]
    units: Units | None
    problems: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()


def table_figures(facts: dict[str, Any], *, run_seconds: float | None, rate_changes: str | None = None) -> TableFigures:
    """
    Return what one table's facts say.

    Args:
        facts: an entry of a record's `tables`, or the record itself.
        run_seconds: of the whole run, for jobs that do not time the table.
        rate_changes: that the run was told other rates, in words.
    """
    name, code, error = facts.get("table"), facts.get("exit_code"), facts.get("error")
    return TableFigures(
        name=None if name is None else str(name),
        exit_code=code if isinstance(code, int) else None,
        error=None if error is None else str(error),
        figures=tuple(
            (label, form(facts[key])) for key, label, form in FIGURES if facts.get(key) not in (None, {}, [])
        ),
        units=_units(facts, run_seconds, rate_changes),
        problems=_strings(facts.get("problems")),
        doubts=_strings(facts.get("not_proven")),
        reasons=_reasons(facts.get("bad_reasons")),
    )


def _reasons(value: Any) -> tuple[tuple[str, str], ...]:
    counts = value.items() if isinstance(value, dict) else ()
    known = [(str(reason), number) for reason, count in counts if (number := _number(count)) is not None]
    return tuple((reason, count_text(number)) for reason, number in sorted(known, key=lambda pair: -pair[1]))


def _units(facts: dict[str, Any], run_seconds: float | None, rate_changes: str | None) -> Units | None:
    verb = "write" if "write_units_consumed" in facts else "read"
    consumed = _number(facts.get(f"{verb}_units_consumed"))
    if consumed is None:
        return None
    seconds = _number(facts.get("seconds"))
    return Units(
        noun=f"{verb} units",
        consumed=consumed,
        estimated=bool(facts.get("read_units_estimated")),
        allowed_per_s=_number(facts.get(f"{verb}_units_per_s_allowed")),
        seconds=run_seconds if seconds is None else seconds,
        whole_run=seconds is None,
        changes=rate_changes,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(entry) for entry in value) if isinstance(value, list) else ()


def count_text(value: Any) -> str:
    """`1,234`; what is no number as it stands."""
    number = _number(value)
    if number is None:
        return str(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.1f}"


def bytes_text(value: Any) -> str:
    """`531,390 bytes (518.9 KiB)`."""
    size = _number(value)
    exact = f"{count_text(value)} bytes"
    return exact if size is None or size < SIZES[-1][1] else f"{exact} ({size_text(size)})"


def _seconds_text(value: Any) -> str:
    seconds = _number(value)
    return str(value) if seconds is None else duration_text(seconds)


def _by_name_text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {count_text(count)}" for name, count in value.items())


def _yes_text(value: Any) -> str:
    return "yes" if value else "no"


# Key of the record, label, how its value is written; in the order of the page. The examples of differing keys are left
# out on purpose: a page is passed on, and keys are contents.
FIGURES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("items", "Items", count_text),
    ("items_written", "Items written", count_text),
    ("items_skipped", "Items skipped (already there)", count_text),
    ("items_unchanged", "Items unchanged (not written)", count_text),
    ("items_left_out", "Items not asked for", count_text),
    ("items_bad", "Items found bad", count_text),
    ("items_set_aside", "Items set aside", count_text),
    ("duplicates_dropped", "Duplicates dropped", count_text),
    ("table_items_before", "Items in the table before", count_text),
    ("deletions_planned", "Deletions planned", count_text),
    ("table_items", "Items in the table", count_text),
    ("missing", "Missing in the table", count_text),
    ("extra", "Only in the table", count_text),
    ("different", "Different in the table", count_text),
    ("problem_count", "Problems", count_text),
    ("files", "Files", count_text),
    ("orphan_count", "Files not in the manifest", count_text),
    ("bytes", "Stored", bytes_text),
    ("plain_bytes", "Text", bytes_text),
    ("rate", "Rate", str),
    ("read_rate", "Rate of the reads", str),
    ("index_units_consumed", "Write units of indexes", _by_name_text),
    ("reader", "Reader", str),
    ("segments", "Segments", count_text),
    ("tasks", "Tasks", count_text),
    ("throttles", "Throttles", count_text),
    ("set_aside_uri", "Bad items lie in", str),
    ("seconds", "Time", _seconds_text),
    ("resumed", "Went on where it had stopped", _yes_text),
    ("already_done", "Finished by an earlier attempt", _yes_text),
    ("dry_run", "Dry run", _yes_text),
    ("source", "Kind of input", str),
    ("dialects", "Items by dialect", _by_name_text),
    ("input", "Input", str),
    ("export", "Export", str),
    ("export_uri", "Folder", str),
    ("digest", "Digest of the export", str),
    ("table_digest", "Digest of the table", str),
)
