"""
Which runs there are below a log folder: kind, tables, state, when, how long, what they did, exit code.

All of it is what each run's own `run.json` says; one that was killed still says that it is at work, so such records are
completed by what else is known (emr/watch/run_end.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import TIME_FORMAT, DocumentError, moment, read_object
from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.errors import counted
from dynamodb_pipeline.finished import RUN_RECORD, RUNNING, RunState, units_done
from dynamodb_pipeline.reading.finished_runs import AT_ONCE
from dynamodb_pipeline.run.record import recorded_folders
from dynamodb_pipeline.settings.run_ids import is_run_id
from dynamodb_pipeline.settings.spark_conf import COST_WORDS, STANDING, RunPrices, cost_text, known_sum
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

Record = dict[str, Any]
OF_NO_LAST_WORD = ("error", "note", "resume")  # of a run whose record says no end: how it is known, how to go on


def list_runs(store: ObjectStore, logs: str, *, completed: Callable[[Record], Record], now: datetime) -> dict[str, Any]:
    """
    The runs below a log folder, the newest first, as one document.

    Args:
        completed: returns a record with the end that its job did not write, see emr/watch/run_end.py.
    """
    folders = [folder for folder in recorded_folders(store, logs) if is_run_id(folder.rpartition("/")[2])]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        records = [*zip(folders, pool.map(lambda folder: _record(store, folder), folders))]
    looked = ((folder, record, completed(record)) for folder, record in reversed(records) if record is not None)
    rows = [_row(folder, record, document, now=now) for folder, record, document in looked]
    rows.sort(key=lambda row: (row["started"] or "", row["run_id"]), reverse=True)
    return {"kind": "runs", "exit_code": 0, "logs": logs, "runs": rows}


def _record(store: ObjectStore, folder: str) -> Record | None:
    try:
        return read_object(store.get(join(folder, RUN_RECORD)))
    except (ObjectMissingError, DocumentError):
        return None


def _row(folder: str, record: Record, document: Record, *, now: datetime) -> dict[str, Any]:
    """What the completed record says; what its own job did not say of its end stands there as well."""
    state = RunState.readable(document)
    began, ended = state.began, _moment(document.get("ended"))
    until = ended or (now if state.state == RUNNING else state.heartbeat)
    seconds = max(0.0, (until - began).total_seconds()) if until and began else None
    return {
        "run_id": folder.rpartition("/")[2],
        "run_kind": state.kind,
        "tables": list(state.table_names or ()),
        "state": _state(state),
        "started": f"{began:{TIME_FORMAT}}" if began else None,
        "seconds": None if seconds is None else round(seconds),
        "items": _items(document),
        "cost_usd": _cost_usd(document, seconds=seconds),
        "on_standing_cluster": RunPrices.of_record(document).usd_per_hour == 0,
        "exit_code": int(state.exit_code) if state.exit_code is not None else None,
        **{name: document[name] for name in OF_NO_LAST_WORD if document.get(name) != record.get(name)},
    }


def _moment(text: object) -> datetime | None:
    try:
        return moment(text)
    except DocumentError:
        return None


def _state(state: RunState) -> str:
    return state.exit_code.row.status if state.exit_code is not None else state.state or "unknown"


def _cost_usd(document: dict[str, Any], *, seconds: float | None) -> float | None:
    """What is known of the run's time on its cluster and of its units, by the prices it was launched with."""
    prices = RunPrices.of_record(document)
    usd = known_sum(prices.cluster_usd(seconds), prices.units_usd(units_done(document)))
    return None if usd is None else round(usd, 4)


def _items(document: dict[str, Any]) -> int | None:
    """Items of the run, or of all its tables; None where the record says nothing."""
    tables = document.get("tables")
    counts = [document.get("items")]
    counts += [table.get("items") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    known = [count for count in counts if isinstance(count, int) and not isinstance(count, bool)]
    return sum(known) if known else None


def run_lines(document: dict[str, Any], *, narrow: bool = False) -> Iterator[str]:
    """
    A table for people, two lines a run, 80 columns but for names:

        started (UTC)        kind    state        took           items    cost  exit
        2026-11-23 03:00:00  export  done         12 min        12,400   $0.11     0

    Where a terminal is `narrow`, no titles, and three lines a run:

        2026-11-23 03:00:00  export  done
          12 min, 12,400 items, $0.11, exit 0
    """
    if not document["runs"]:
        yield f"no run has left its record below {document['logs']}"
        return
    if not narrow:
        yield f"{'started (UTC)':<21}{'kind':<8}{'state':<13}{'took':<12}{'items':>10}{'cost':>9}{'exit':>6}"
    for row in document["runs"]:
        yield from _narrow_rows(row) if narrow else [_wide_row(row)]
        yield f"  {row['run_id']}  {', '.join(row['tables'])}"
        yield from (f"  {row[name]}" for name in ("error", "note") if name in row)
        if "resume" in row:
            yield f"  to go on: {row['resume']}"
    yield COST_WORDS
    if any(row["on_standing_cluster"] for row in document["runs"]):
        yield f"* {STANDING}"
    yield f"{counted(len(document['runs']), 'run')} below {document['logs']}"


def _wide_row(row: Mapping[str, Any]) -> str:
    items = "" if row["items"] is None else f"{row['items']:,}"
    code = "" if row["exit_code"] is None else str(row["exit_code"])
    first = f"{_started(row):<21}{row['run_kind'] or '?':<8}{row['state']:<13}{_took(row):<12}"
    return f"{first}{items:>10}{_cost(row):>9}{code:>6}"


def _narrow_rows(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_started(row)}  {row['run_kind'] or '?'}  {row['state']}"
    items = [] if row["items"] is None else [counted(row["items"], "item")]
    cost = [] if row["cost_usd"] is None else [_cost(row)]
    code = [] if row["exit_code"] is None else [f"exit {row['exit_code']}"]
    yield f"  {', '.join([_took(row), *items, *cost, *code])}"


def _started(row: Mapping[str, Any]) -> str:
    return (row["started"] or "?").replace("T", " ").removesuffix("Z")


def _took(row: Mapping[str, Any]) -> str:
    return duration_text(row["seconds"]) if row["seconds"] is not None else "?"


def _cost(row: Mapping[str, Any]) -> str:
    return cost_text(row["cost_usd"]) + ("*" if row["on_standing_cluster"] else "")
