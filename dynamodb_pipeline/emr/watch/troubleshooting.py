"""The troubleshooting table: known symptoms with their cause and remedy (`data/troubleshooting.json`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dynamodb_pipeline.emr.cluster.packaged_data import packaged_json

TABLE = "troubleshooting.json"


@dataclass(frozen=True)
class TroubleshootingRow:
    """One known symptom; `from_page` marks a bullet of the AWS page's own list."""

    name: str
    patterns: tuple[str, ...]
    cause: str
    remedy: str
    from_page: bool

    def matches(self, text: str) -> bool:
        return any(re.search(pattern, text, re.IGNORECASE) for pattern in self.patterns)


def troubleshooting_rows() -> tuple[TroubleshootingRow, ...]:
    """The table, in the order in which it is tried."""
    return tuple(
        TroubleshootingRow(row["name"], tuple(row["patterns"]), row["cause"], row["remedy"], row["page"])
        for row in packaged_json(TABLE)["rows"]
    )


def matching_row(texts: Iterable[str]) -> TroubleshootingRow | None:
    """The row of the first text that any row matches: give the most telling text first."""
    rows = troubleshooting_rows()
    for text in texts:
        matching = next((row for row in rows if row.matches(text)), None)
        if matching is not None:
            return matching
    return None
