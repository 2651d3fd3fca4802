"""What a job is asked to do, checked: the frozen results of its options, each field named as its option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Union

from dynamodb_pipeline.addresses import S3Uri, table_name
from dynamodb_pipeline.aws.clients import TableRole
from dynamodb_pipeline.formats.exports.export_record import ExportPart
from dynamodb_pipeline.rate.capacity import RateChoice
from dynamodb_pipeline.settings.rows import Given, Row, command_line
from dynamodb_pipeline.settings.spark_conf import RunPrices
from dynamodb_pipeline.settings.values import ItemLimit, is_pattern


@dataclass(frozen=True)
class CommonSettings:
    """
    What every job takes.

    Attributes:
        resume: go on with the newest unfinished run.
        launch_prices: what the run was said to cost, where a launcher said it.
        program: what was started, e.g. `("dynamodb-pipeline", "export")`; with `given` the command that resumes it.
    """

    region: str | None
    logs: S3Uri | None
    run_id: str | None
    timeout_s: float
    tasks: int | None
    bucket_owner: str | None
    attempts: int
    connector_jar: str | None
    table_role_arn: str | None = None
    table_external_id: str | None = field(default=None, repr=False)
    resume: bool = False
    program: tuple[str, ...] = ()
    given: Given = field(default_factory=Given)
    launch_prices: RunPrices = field(default_factory=RunPrices)

    @property
    def table_role(self) -> TableRole | None:
        """In whose name tables are asked; None for the caller's."""
        return TableRole(self.table_role_arn, self.table_external_id) if self.table_role_arn else None

    def command_with(self, flag: Row[Any], *, without: Row[Any]) -> str:
        """The command that was given, with one flag more and one option less."""
        return command_line(self.program, self.given.without(flag, without) + Given(((flag, ()),)))


@dataclass(frozen=True)
class ExportSettings:
    """One export run: several tables, one output."""

    common: CommonSettings
    rate: RateChoice
    tables: tuple[str, ...]
    output: S3Uri
    exact_output: bool
    reader: str
    rate_control: str
    compression: str
    null_tag: str
    consistent_read: bool
    segments: int | None
    scheduled_time: datetime | None
    sse_kms_key_id: str | None
    filter: str | None = None
    projection: str | None = None
    index: str | None = None
    expression_attribute_names: Mapping[str, str] = field(default_factory=dict)
    expression_attribute_values: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    table_tag: tuple[tuple[str, str], ...] = ()
    skip_expired: bool = False

    @property
    def part(self) -> ExportPart | None:
        """Which part of its tables is asked for by expressions and index, None for the whole."""
        if (self.filter, self.projection, self.index) == (None, None, None):
            return None
        names, values = self.expression_attribute_names, self.expression_attribute_values
        return ExportPart(self.index, self.filter, self.projection, dict(names), dict(values))

    @property
    def table_names(self) -> tuple[str, ...]:
        """As they were given: patterns are looked up when the run begins."""
        return self.tables

    @property
    def by_pattern(self) -> bool:
        """Which tables it is about is known only when DynamoDB is asked."""
        return any(map(is_pattern, self.tables))


@dataclass(frozen=True)
class ImportSettings:
    """One import run: one input folder (of S3 or of this machine), one table."""

    common: CommonSettings
    rate: RateChoice
    table: str
    input: str
    latest: bool
    without_manifest: bool
    allow_buckets: tuple[str, ...]
    accept_members: tuple[str, ...]
    set_aside: S3Uri | None
    max_set_aside: ItemLimit
    duplicates: str
    skip_existing: bool
    mirror: bool
    max_deletions: ItemLimit
    dry_run: bool
    yes: bool
    scheduled_time: datetime | None = None
    from_table: str | None = None
    only_changes: bool = False
    keys: str | None = None
    key_prefix: str | None = None
    sort_key_prefix: str | None = None
    chain: bool = False
    until: datetime | None = None
    skip_expired: bool = False

    @property
    def restricted(self) -> bool:
        """Only items of some keys are asked for."""
        return bool(self.keys or self.key_prefix or self.sort_key_prefix)

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table,)

    @property
    def bare_name(self) -> str:
        """The table's name alone, as exports say it."""
        return table_name(self.table)


@dataclass(frozen=True)
class VerifySettings:
    """One verification: an export alone, or against a table."""

    common: CommonSettings
    rate: RateChoice
    export: str
    table: str | None
    latest: bool
    limit: int
    allow_buckets: tuple[str, ...]
    consistent_read: bool
    without_manifest: bool
    from_table: str | None = None
    chain: bool = False
    until: datetime | None = None

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table,) if self.table else ()

    @property
    def bare_name(self) -> str | None:
        """The name alone of the table that is compared, as exports say it."""
        return table_name(self.table) if self.table else None


JobSettings = Union[ExportSettings, ImportSettings, VerifySettings]
