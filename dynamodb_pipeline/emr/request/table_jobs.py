"""
Splits a run of several tables into one job per table.

Each table gets its own run id (`<run id>.<table>`), so that records and ledgers never meet, and all share one moment,
so that the folders of one run carry one stamp: `OUTPUT/<table>/<stamp>/`, as one job with several tables writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from dynamodb_pipeline.addresses import S3Uri, table_name
from dynamodb_pipeline.emr.request.steps import TableJob
from dynamodb_pipeline.settings.job_options import LOGS, OUTPUT, REGION, RUN_ID, SCHEDULED_TIME, TABLE
from dynamodb_pipeline.settings.rows import Given, Row

# The jobs take run ids of 3 to 80 characters.
MAX_RUN_ID = 80
DIGEST_CHARACTERS = 8

Texts = Mapping[Row[Any], Optional[str]]


@dataclass(frozen=True)
class RunWords:
    """
    What every job of the run is told.

    Attributes:
        options: the job's own options as the user gave them, without those below.
        moment: ISO 8601 time that names the folders of an export, or None.
    """

    run_id: str
    region: str
    logs_uri: str
    options: Given
    moment: str | None = None


def table_run_id(run_id: str, table: str, *, several: bool) -> str:
    """The job's own run id, by the table's name without its account; a long name is cut and kept distinct by a hash."""
    if not several:
        return run_id
    name = table_name(table)
    whole = f"{run_id}.{name}"
    if len(whole) <= MAX_RUN_ID:
        return whole
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{whole[: MAX_RUN_ID - DIGEST_CHARACTERS - 1]}-{digest}"


def export_jobs(
    run: RunWords,
    *,
    tables: tuple[str, ...],
    output: str,
    size_bytes: dict[str, int] | None = None,
    apart: bool = False,
) -> tuple[TableJob, ...]:
    """
    One export job per table. `run.options` must not hold table, output or what `RunWords` names.

    Args:
        apart: also a single table goes into a folder of its own name, as several do.
    """
    several = len(tables) > 1
    return tuple(
        _job(
            run,
            table,
            {TABLE: table, OUTPUT: _table_output(output, table, apart=apart or several), SCHEDULED_TIME: run.moment},
            run_id=table_run_id(run.run_id, table, several=several),
            size_bytes=(size_bytes or {}).get(table_name(table), 0),
        )
        for table in tables
    )


def pattern_job(run: RunWords, tables: tuple[str, ...], *, output: str) -> tuple[TableJob, ...]:
    """The one export job of tables that are known only when it runs: it looks them up and takes one after the other."""
    (job,) = single_job(run, tables[0], {OUTPUT: output, SCHEDULED_TIME: run.moment})
    return (replace(job, given=Given(((TABLE.also(many=True), tables),)) + job.given),)


def _table_output(output: str, table: str, *, apart: bool) -> str:
    """A bucket alone already means `s3://bucket/<region>/<table>` to the job."""
    place = S3Uri.of_folder(output, option=OUTPUT.name)
    return place.child(table_name(table)).uri if apart and place.key else output


def single_job(run: RunWords, table: str, own: Texts, *, size_bytes: int = 0) -> tuple[TableJob, ...]:
    """The one job of an import or a verification; `own` are its options, e.g. `{TABLE: T, INPUT: U}`."""
    return (_job(run, table, own, run_id=run.run_id, size_bytes=size_bytes),)


def _job(run: RunWords, table: str, own: Texts, *, run_id: str, size_bytes: int) -> TableJob:
    given = Given.of({**own, REGION: run.region, LOGS: run.logs_uri, RUN_ID: run_id})
    return TableJob(table_name(table), given + run.options, run_id=run_id, size_bytes=size_bytes)
