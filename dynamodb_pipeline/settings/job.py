"""What a job is asked to do, checked: the frozen results of its options."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Union


@dataclass(frozen=True)
class CommonSettings:
    """What every job takes; `words` are the command line, for the command that resumes it."""

    region: str | None
    logs: str | None
    run_id: str | None
    timeout_s: float | None
    tasks: int | None
    bucket_owner: str | None
    attempts: int
    connector_jar: str | None
    resume: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateSettings:
    """How the rate was asked for: exactly one of a percent text and absolute units per second."""

    percent: str | None
    units: float | None


@dataclass(frozen=True)
class ExportSettings:
    """One export run: several tables, one output."""

    common: CommonSettings
    rate: RateSettings
    tables: tuple[str, ...]
    output: str
    exact_output: bool
    reader: str
    rate_control: str
    compression: str
    null_tag: str
    consistent_read: bool
    segments: int | None
    scheduled_time: datetime | None
    sse_kms_key_id: str | None

    @property
    def table_names(self) -> tuple[str, ...]:
        return self.tables


@dataclass(frozen=True)
class ImportSettings:
    """One import run: one input folder, one table."""

    common: CommonSettings
    rate: RateSettings
    table: str
    input: str
    latest: bool
    without_manifest: bool
    allow_buckets: tuple[str, ...]
    set_aside: str | None
    max_set_aside: tuple[int | None, float | None]
    duplicates: str
    skip_existing: bool
    mirror: bool
    max_deletions: tuple[int | None, float | None]
    dry_run: bool
    yes: bool
    scheduled_time: datetime | None = None
    from_table: str | None = None

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table,)


@dataclass(frozen=True)
class VerifySettings:
    """One verification: an export alone, or against a table."""

    common: CommonSettings
    rate: RateSettings
    export: str
    table: str | None
    latest: bool
    limit: int
    allow_buckets: tuple[str, ...]
    consistent_read: bool
    without_manifest: bool
    from_table: str | None = None

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table,) if self.table else ()


JobSettings = Union[ExportSettings, ImportSettings, VerifySettings]
