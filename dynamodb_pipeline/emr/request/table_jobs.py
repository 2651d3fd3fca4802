"""
Splits a run of several tables into one job per table, as lists of words.

Each table gets its own run id (`<run id>.<table>`), so that records and ledgers never meet, and all share one moment,
so that the folders of one run carry one stamp: `OUTPUT/<table>/<stamp>/`, as one job with several tables writes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.request.steps import TableJob

# The jobs take run ids of 3 to 80 characters.
MAX_RUN_ID = 80
DIGEST_CHARACTERS = 8


@dataclass(frozen=True)
class RunWords:
    """
    What every job of the run is told.

    Attributes:
        options: the job's own words as the user gave them, without those below.
        moment: ISO 8601 time that names the folders of an export, or None.
    """

    run_id: str
    region: str
    logs_uri: str
    options: tuple[str, ...]
    moment: str | None = None


def table_run_id(run_id: str, table_name: str, *, several: bool) -> str:
    """The job's own run id; a long table name is cut and kept distinct by a hash."""
    if not several:
        return run_id
    whole = f"{run_id}.{table_name}"
    if len(whole) <= MAX_RUN_ID:
        return whole
    digest = hashlib.sha256(table_name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{whole[: MAX_RUN_ID - DIGEST_CHARACTERS - 1]}-{digest}"


def export_jobs(
    run: RunWords, *, tables: tuple[str, ...], output: str, size_bytes: dict[str, int] | None = None
) -> tuple[TableJob, ...]:
    """One export job per table. `run.options` must not hold --table, --output or what `RunWords` names."""
    several = len(tables) > 1
    moment = ("--scheduled-time", run.moment) if run.moment else ()
    return tuple(
        _job(
            run,
            table,
            ("--table", table, "--output", _table_output(output, table, several=several), *moment),
            run_id=table_run_id(run.run_id, table, several=several),
            size_bytes=(size_bytes or {}).get(table, 0),
        )
        for table in tables
    )


def _table_output(output: str, table: str, *, several: bool) -> str:
    """A bucket alone already means `s3://bucket/<region>/<table>` to the job."""
    place = S3Uri.of_folder(output, option="--output")
    return place.child(table).uri if several and place.key else output


def single_job(run: RunWords, table: str, words: tuple[str, ...], *, size_bytes: int = 0) -> tuple[TableJob, ...]:
    """The one job of an import or a verification; `words` are its own, e.g. `("--table", T, "--input", U)`."""
    return (_job(run, table, words, run_id=run.run_id, size_bytes=size_bytes),)


def _job(run: RunWords, table: str, words: tuple[str, ...], *, run_id: str, size_bytes: int) -> TableJob:
    place = ("--region", run.region, "--logs", run.logs_uri, "--run-id", run_id)
    return TableJob(table, (*words, *place, *run.options), run_id=run_id, size_bytes=size_bytes)
