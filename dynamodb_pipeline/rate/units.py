"""Units by resource: a table's own, and each index's."""

from __future__ import annotations

Units = dict[str, float]  # resource ("table" or "index:<name>") -> read or write units
