"""The lines of a waiting launcher are those that its docstrings show."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from dynamodb_pipeline.emr.calls.clusters import cluster_view, step_view
from dynamodb_pipeline.emr.watch.look import Look, step_line, watch_line

NOW_S = datetime(2026, 11, 23, 12, 3, 40, tzinfo=timezone.utc).timestamp()
CLUSTER = cluster_view({"Id": "j-1", "Status": {"State": "RUNNING"}})


def shown_in(documented: object) -> str:
    """The example of a docstring: the last text in back quotes."""
    return re.findall(r"`([^`]+)`", str(documented.__doc__))[-1]


def step(state: str, *, start_s: float, end_s: float | None = None) -> dict[str, object]:
    moments = {"StartDateTime": start_s, "EndDateTime": end_s}
    timeline = {name: datetime.fromtimestamp(s, timezone.utc) for name, s in moments.items() if s is not None}
    return {
        "Id": f"s-{start_s}",
        "Name": "dynamodb-pipeline:export:Forum:r",
        "Status": {"State": state, "Timeline": timeline},
    }


DONE = step_view(step("COMPLETED", start_s=NOW_S - 900, end_s=NOW_S - 180))
RUNNING = step_view(step("RUNNING", start_s=NOW_S - 180))


def test_watch_line_is_as_its_docstring_shows() -> None:
    look = Look(cluster=CLUSTER, steps=(DONE, RUNNING), at_s=NOW_S)
    assert watch_line(look, began_s=NOW_S - 1000).text == shown_in(watch_line)


def test_step_line_is_as_its_docstring_shows() -> None:
    assert step_line(DONE) == shown_in(step_line)


def test_before_a_step_runs_the_line_has_the_age_of_the_wait() -> None:
    look = Look(cluster=CLUSTER, steps=(), at_s=NOW_S)
    assert watch_line(look, began_s=NOW_S - 60).text == "12:03:40 cluster j-1 RUNNING (60 s)"
