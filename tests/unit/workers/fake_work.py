"""A coordinator's client that hands out given units of work and keeps what is reported of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dynamodb_pipeline.reading.input_files import InputFile
from tests.unit.workers.fake_grants import FakeGrants


class FakeWork(FakeGrants):
    """`records`, `kept` and `failures` are by work id."""

    def __init__(self, units: Iterable[dict[str, Any]] = (), *, cap_units: float = float("inf")) -> None:
        super().__init__(cap_units=cap_units)
        self._units = list(units)
        self.records: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}

    def take(self) -> dict[str, Any] | None:
        return self._units.pop(0) if self._units else None

    def finished(self, work_id: str, record: Mapping[str, Any], *, rest: object = None) -> None:
        assert work_id not in self.records
        self.records[work_id] = json.loads(json.dumps(record))  # as it arrives

    def failed(self, work_id: str, reason: str) -> None:
        self.failures[work_id] = reason

    def keep(self, work_id: str, data: str) -> None:
        self.kept.setdefault(work_id, []).append(data)


def unit(file: InputFile, number: int = 0, **more: Any) -> dict[str, Any]:
    """A unit of work for a file, as the driver makes it."""
    return {"work_id": f"file-{number}", "file": file.to_json(), "number": number, **more}
