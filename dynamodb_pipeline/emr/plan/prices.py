"""The dated price file: list prices of one region, checked when read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dynamodb_pipeline.emr.cluster.packaged_data import packaged_json
from dynamodb_pipeline.errors import UsageError

SHIPPED = "prices-2026-11-23.json"
NUMBERS = (
    "read_request_units_per_million",
    "write_request_units_per_million",
    "read_unit_hour",
    "write_unit_hour",
    "s3_put_per_thousand",
    "s3_gib_month",
    "native_export_per_gib",
)


@dataclass(frozen=True)
class Prices:
    """
    Prices in US dollars, as of `date`, of `region`; node prices are by instance type and hour.

    Attributes:
        unconfirmed: patterns of names (`emr_per_hour.m3.*`, `s3_gib_month`) of prices not read from their source.
    """

    date: str
    region: str
    ec2_per_hour: dict[str, float]
    emr_per_hour: dict[str, float]
    numbers: dict[str, float]
    unconfirmed: tuple[str, ...] = ()

    def doubtful(self, names: Iterable[str]) -> list[str]:
        """Those of these prices that are not confirmed."""
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in self.unconfirmed)]

    def node_hour(self, type_name: str) -> tuple[float, float]:
        """
        EC2 price and EMR fee of one node for one hour.

        Raises:
            UsageError: the file has no price for the type.
        """
        if type_name not in self.ec2_per_hour or type_name not in self.emr_per_hour:
            msg = f"the price file of {self.date} has no price for {type_name}; add it to a file of yours: --prices"
            raise UsageError(msg)
        return self.ec2_per_hour[type_name], self.emr_per_hour[type_name]


def load_prices(path: Path | None = None) -> Prices:
    """
    Read the shipped price file, or the user's own of the same form.

    Raises:
        UsageError: unreadable, not JSON, or a price is missing or not a number.
    """
    table = packaged_json(SHIPPED) if path is None else _read(path)
    problems = [name for name in NUMBERS if not _is_price(table.get(name))]
    problems += [name for name in ("ec2_per_hour", "emr_per_hour") if not isinstance(table.get(name), dict)]
    problems += [name for name in ("date", "region") if not isinstance(table.get(name), str)]
    if problems:
        msg = f"price file {path or SHIPPED} lacks {', '.join(problems)}; its form is that of {SHIPPED}"
        raise UsageError(msg)
    return Prices(
        date=table["date"],
        region=table["region"],
        ec2_per_hour=dict(table["ec2_per_hour"]),
        emr_per_hour=dict(table["emr_per_hour"]),
        numbers={name: float(table[name]) for name in NUMBERS},
        unconfirmed=tuple(map(str, table.get("unconfirmed", ()))),
    )


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _read(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        msg = f"price file {path} cannot be read: {err.strerror}"
        raise UsageError(msg) from err
    except ValueError as err:
        msg = f"price file {path} is not JSON: {err}"
        raise UsageError(msg) from err
    return table if isinstance(table, dict) else {}
