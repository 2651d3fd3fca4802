"""
EMR release labels: which are refused, and until when AWS supports each.

Labels are compared as numbers: `emr-6.10.0` is newer than `emr-6.9.0`. The table is dated; a label newer than
the table is allowed and said to be unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from dynamodb_pipeline.emr.cluster.packaged_files import packaged_json
from dynamodb_pipeline.errors import UsageError, shown

Version = tuple[int, int, int]

TABLE = "release_labels.json"
PATTERN = re.compile(r"emr-([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")


@dataclass(frozen=True)
class Support:
    """AWS's support of one label: standard ends on `until`, the label may vanish after `end_of_life`."""

    until: date
    end_of_life: date
    exact: bool

    def text(self, label: str, *, today: date) -> str:
        """One line for the plan, e.g. `emr-7.13.0: standard support until 2028-04-21`."""
        if today > self.until:
            return f"{label}: PAST standard support ({self.until}); may vanish after {self.end_of_life}"
        about = "" if self.exact else "at least "
        return f"{label}: standard support until {about}{self.until}"


def default_label() -> str:
    """The label of the shipped cluster configs."""
    return str(packaged_json(TABLE)["default"])


def parse_label(label: str) -> Version:
    """
    Return the label's numbers, e.g. `(7, 13, 0)`.

    Raises:
        UsageError: not an `emr-x.y.z` label, or one of a line that is refused as a whole.
    """
    for line in packaged_json(TABLE)["refused_lines"]:
        if label.startswith(line["begins"]):
            msg = f"release label {shown(label)} is refused: {line['reason']}; use {default_label()}"
            raise UsageError(msg)
    match = PATTERN.fullmatch(label)
    if match is None:
        msg = f"release label {shown(label)} is not of the form emr-x.y.z; use {default_label()}"
        raise UsageError(msg)
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def label_problem(label: str) -> str | None:
    """Why this label cannot run the job, with the label to use instead; None when it can."""
    version = parse_label(label)
    for row in packaged_json(TABLE)["refused"]:
        if _within(version, row):
            return f"release label {label} is refused: {row['reason']}; use {default_label()}"
    minimum = packaged_json(TABLE)["minimum"]
    if version < parse_label(minimum["label"]):
        return f"release label {label} is refused: {minimum['reason']}; use {default_label()}"
    return None


def support_of(label: str) -> Support | None:
    """The support dates of `label`, or None when the table does not know it."""
    version = parse_label(label)
    for row in packaged_json(TABLE)["support"]:
        if _within(version, row):
            until, end = date.fromisoformat(row["until"]), date.fromisoformat(row["end_of_life"])
            return Support(until=until, end_of_life=end, exact=row["exact"])
    return None


def support_text(label: str, *, today: date) -> str:
    """One line on the label's support as of `today`, also for a label the table does not know."""
    support = support_of(label)
    if support is None:
        return f"{label}: support dates not in our table (read on {packaged_json(TABLE)['read_on']})"
    return support.text(label, today=today)


def _within(version: Version, row: dict[str, str]) -> bool:
    return parse_label(row["first"]) <= version <= parse_label(row["last"])
