"""
Explains a failed run: one probable cause with its remedy, the evidence, and where to look.

Evidence, most telling first: the job's own error, the last Python traceback, EMR's FailureDetails, the end of the
step's log. A cluster that never ran is explained by EMR's ErrorDetails and the bootstrap action's stderr. Known
symptoms, with cause and remedy, are the rows of `data/troubleshooting.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.emr.calls.clock import Clock
from dynamodb_pipeline.emr.calls.clusters import ClusterView
from dynamodb_pipeline.emr.cluster.packaged_files import packaged_json
from dynamodb_pipeline.emr.request.steps import places_of_step
from dynamodb_pipeline.emr.watch.run_records import JobResult
from dynamodb_pipeline.emr.watch.step_logs import (
    CHATTER,
    LogFile,
    bootstrap_log_files,
    job_error_line,
    last_lines,
    last_traceback,
    lines_about_errors,
    log_prefix,
    step_log_files,
)
from dynamodb_pipeline.settings.run_commands import PolicyPlaces, with_commands

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TABLE = "troubleshooting.json"
# EMR stores logs every five minutes and when the cluster ends.
LOG_WAIT_S = 330.0
LOG_POLL_S = 15.0


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


@dataclass(frozen=True)
class Diagnosis:
    """
    What went wrong.

    Attributes:
        probable_cause: one line.
        remedy: one line, or empty when the symptom is not known.
        row: name of the matched troubleshooting row, or None.
        traceback: the last Python traceback, or None.
        evidence: the texts the cause was read from, most telling first.
        log_uris: where to look.
    """

    probable_cause: str
    remedy: str
    row: str | None
    traceback: str | None
    evidence: tuple[str, ...]
    log_uris: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people: traceback first, the cause and remedy last."""
        shown = self.traceback.expandtabs().splitlines() if self.traceback else self._own_words()
        remedy = [f"remedy: {self.remedy}"] if self.remedy else []
        return [*shown, f"probable cause: {self.probable_cause}", *remedy, *(f"logs: {u}" for u in self.log_uris)]

    def _own_words(self) -> list[str]:
        """The first evidence, where the cause does not say it already."""
        first = self.evidence[0] if self.evidence else ""
        return [line for line in first.splitlines() if line.strip() not in self.probable_cause]

    def to_json(self) -> dict[str, Any]:
        return {
            "probable_cause": self.probable_cause,
            "remedy": self.remedy,
            "troubleshooting_row": self.row,
            "traceback": self.traceback,
            "logs": list(self.log_uris),
        }


def diagnose_step(s3: S3Client, result: JobResult, *, cluster: ClusterView, clock: Clock) -> Diagnosis:
    """Explain a step that did not end well; waits up to five minutes for its log to arrive."""
    files = _awaited_step_logs(s3, result, cluster=cluster, clock=clock) if cluster.log_uri else []
    text = "\n".join(file.text for file in reversed(files))  # stdout, then stderr: the last word counts
    traceback = last_traceback(text)
    failure = dict(result.step.failure)
    evidence = [
        result.error,
        job_error_line(text),
        traceback.splitlines()[-1] if traceback else None,
        cluster.reason_text() if _ended_below(result, cluster) else None,
        failure.get("Message"),
        failure.get("Reason"),
        *cluster.errors,
        lines_about_errors(text) or None,
        result.step.reason or None,
        cluster.reason_text(),
        last_lines(text) or None,  # for the table of symptoms alone: what it says may be chatter
    ]
    texts = [text for text in evidence if text and not CHATTER.match(text)]
    if _ended_below(result, cluster):  # what its job said before is about other things
        texts = texts[: texts.index(cluster.reason_text()) + 1]
    plain = diagnosis(texts, traceback=traceback, log_uris=_step_uris(cluster, result, failure))
    places = places_of_step(result.step.arguments)
    return replace(plain, remedy=with_commands(plain.remedy, places)) if places else plain


def _ended_below(result: JobResult, cluster: ClusterView) -> bool:
    """Whether the step had not ended by itself when its cluster did."""
    return cluster.ended and result.step.state in {"INTERRUPTED", "CANCELLED"}


def _step_uris(cluster: ClusterView, result: JobResult, failure: dict[str, str]) -> tuple[str, ...]:
    own = failure.get("LogFile")
    folder = log_prefix(cluster.log_uri, cluster.id).child(f"steps/{result.step.id}").uri if cluster.log_uri else None
    return tuple(uri for uri in (own, f"{folder}/" if folder else None) if uri)


def diagnose_cluster(s3: S3Client, cluster: ClusterView, *, places: PolicyPlaces | None) -> Diagnosis:
    """Explain a cluster that ended before its steps ran."""
    files: list[LogFile] = []
    if cluster.log_uri:
        files = bootstrap_log_files(s3, cluster.log_uri, cluster_id=cluster.id)
    printed = [last_lines(file.text, count=10) for file in files]
    evidence = [*printed, *cluster.errors, cluster.reason_text()]
    folder = log_prefix(cluster.log_uri, cluster.id).uri if cluster.log_uri else None
    uris = [*(file.location.uri for file in files), *([f"{folder}/"] if folder else [])]
    plain = diagnosis(evidence, traceback=None, log_uris=tuple(uris))
    return replace(plain, remedy=with_commands(plain.remedy, places)) if places else plain


def diagnosis(evidence: list[str], *, traceback: str | None, log_uris: tuple[str, ...]) -> Diagnosis:
    """Match the evidence to the table; an unknown symptom is told in its own words."""
    row = matching_row(evidence)
    own_words = evidence[0].splitlines()[-1].strip() if evidence else "nothing was recorded"
    cause = f"{row.cause} ({own_words})" if row else own_words
    return Diagnosis(
        probable_cause=cause,
        remedy=row.remedy if row else "",
        row=row.name if row else None,
        traceback=traceback,
        evidence=tuple(evidence),
        log_uris=log_uris,
    )


def _awaited_step_logs(s3: S3Client, result: JobResult, *, cluster: ClusterView, clock: Clock) -> list[LogFile]:
    """The step's logs; waited for only when the job's own record does not tell the error already."""
    deadline_s = clock.now() + (0 if result.error else LOG_WAIT_S)
    while True:
        files = step_log_files(s3, cluster.log_uri or "", cluster_id=cluster.id, step_id=result.step.id)
        if any(file.text.strip() for file in files) or clock.now() >= deadline_s:
            return files
        clock.sleep(LOG_POLL_S)
