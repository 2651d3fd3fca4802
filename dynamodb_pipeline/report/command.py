"""The `report` verb: records in, one HTML file out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.output import Say
from dynamodb_pipeline.report.figures import RunFigures, resume_of, run_figures
from dynamodb_pipeline.report.page import page
from dynamodb_pipeline.report.read import read_file, read_places, read_run


@dataclass(frozen=True)
class ReportQuery:
    """
    What to report on, and where to.

    Attributes:
        run: a run id, or the path of a local `run.json` (whatever ends in .json).
        logs: the run's log folder; of a run on a cluster it need not be known.
        to: the page's path; the run's or file's name with .html in this folder when None.
    """

    run: str
    logs: str | None
    to: str | None

    @property
    def is_file(self) -> bool:
        return self.run.endswith(".json")

    @property
    def is_found(self) -> bool:
        """Its records are found by the clusters of the region: a cluster's id, or no log folder."""
        return not self.is_file and (self.logs is None or self.run.startswith("j-"))

    @property
    def target(self) -> Path:
        """Where the page goes."""
        return Path(self.to or f"{Path(self.run).stem if self.is_file else self.run}.html")


def write_report(
    query: ReportQuery,
    *,
    s3: Callable[[], Any],
    find: Callable[[], Sequence[str]],
    say: Say,
    cost: Callable[[RunFigures], Any] = lambda _: None,
    completed: Callable[[dict[str, Any]], dict[str, Any]] = lambda record: record,
) -> dict[str, Any]:
    """
    Write the page and return the result.

    Args:
        s3: makes the S3 client; not called for a local file.
        find: where the records of a run on a cluster lie; called where `is_found`.
        say: takes a line for people.
        cost: finds what a run on a cluster was planned to cost and came to; not called for a local file.
        completed: returns a record with the end that its job did not write; not called for a local file.

    Raises:
        UsageError: the page cannot be written there.
        PipelineError: the record cannot be read, see read.py.
    """
    run = figures_of(query, s3=s3, find=find, completed=completed)
    logs = None if query.is_file else query.logs
    spent = None if query.is_file else cost(run)
    resume = resume_of(run, logs=logs)
    _store(query.target, page(run, resume=resume, cost=spent))
    say("; ".join([f"{run.kind} {run.run_id}: {run.state}", *run.unrecorded, f"page in {query.target}"]))
    if run.unrecorded and resume:
        say(f"to go on: {resume.command}")
    return {
        "kind": "report",
        "exit_code": 0,
        "path": str(query.target),
        "run_id": run.run_id,
        "run_kind": run.kind,
        "run_state": run.state,
        "run_exit_code": run.exit_code,
        "tables": [table.name for table in run.tables if table.name is not None],
    }


def figures_of(
    query: ReportQuery,
    *,
    s3: Callable[[], Any],
    find: Callable[[], Sequence[str]],
    completed: Callable[[dict[str, Any]], dict[str, Any]],
) -> RunFigures:
    """Read the run's records and return what they say."""
    if query.is_file:
        return run_figures(read_file(Path(query.run)))
    if query.is_found:
        read = read_places(s3(), find())
        run = query.run if len(read) > 1 else None
    else:
        assert query.logs is not None
        read, run = read_run(s3(), query.run, logs=query.logs), query.run
    return run_figures([replace(record, facts=completed(record.facts)) for record in read], run=run)


def _store(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as err:
        msg = f"--to {target} cannot be written: {err.strerror}; name a file in a folder that can be"
        raise UsageError(msg) from err
