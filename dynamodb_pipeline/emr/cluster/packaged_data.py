"""Reads the JSON tables that ship with the package (`emr/data`): facts of AWS with source and date."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def packaged_json(name: str) -> dict[str, Any]:
    """Return the table `emr/data/<name>`; the caller must not change it (it is kept)."""
    text = (resources.files("dynamodb_pipeline.emr") / "data" / name).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
