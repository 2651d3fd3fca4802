"""
Deletes what dead runs left in export folders; by default it only lists.

The order is a promise: first the ledger, so that no later resume trusts files that are gone, then what says that files
are whole, then the files, and the claim last, so that a clean which was broken off can be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.folders.leftovers import Kept, Leftovers, find_leftovers
from dynamodb_pipeline.run.heartbeat import Here
from dynamodb_pipeline.store.objects import ObjectStore

AT_ONCE = 8
SHOWN = 20


@dataclass(frozen=True)
class CleanRequest:
    """What to clean: `folder` is a run folder or a parent of some; without `yes` nothing is deleted."""

    folder: str
    logs: str
    yes: bool = False


def clean(
    store: ObjectStore, request: CleanRequest, *, say_all: Callable[[Iterable[str]], None], here: Here | None = None
) -> dict[str, Any]:
    """
    List what dead runs left, delete it when asked to, and return the result.

    Raises:
        PreconditionError: no run folder there, or every run there is alive or unknown; nothing was deleted.
        PipelineError: S3 refused; what is left is found by the same command.
    """
    leftovers, kept = find_leftovers(store, request.folder, logs=request.logs, here=here or Here())
    if not leftovers:
        raise PreconditionError("; ".join(f"{one.folder}: {one.reason}" for one in kept))
    say_all(_lines(leftovers, kept, deletes=request.yes))
    if request.yes:
        for one in leftovers:
            delete(store, one)
    return _result(request, leftovers, kept)


def delete(store: ObjectStore, left: Leftovers) -> None:
    """Delete what one run left, in the order that a kill at any moment cannot harm."""
    record, claim = left.marks[:-1], left.marks[-1:]
    for uris in (left.ledger[:-1], left.ledger[-1:], record, [file.uri for file in left.files], claim):
        _delete_all(store, uris)


def _delete_all(store: ObjectStore, uris: Sequence[str]) -> None:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for _ in pool.map(store.delete, uris):
            continue


def _lines(leftovers: Sequence[Leftovers], kept: Sequence[Kept], *, deletes: bool) -> Iterator[str]:
    for one in leftovers:
        yield f"{one.folder}: run {one.run_id}, {_state_text(one)}: {_amount(one, deletes=deletes)}"
        yield from (f"  {file.uri} {file.bytes:,} bytes" for file in one.files[:SHOWN])
        if len(one.files) > SHOWN:
            yield f"  and {len(one.files) - SHOWN:,} more"
    yield from (f"{one.folder}: kept: {one.reason}" for one in kept)
    if not deletes:
        yield "nothing was deleted; --yes deletes"


def _state_text(one: Leftovers) -> str:
    return "finished" if one.finished else {"running": "killed", "done": "ended"}.get(one.state, one.state)


def _amount(one: Leftovers, *, deletes: bool) -> str:
    if one.is_empty:
        return "nothing left over"
    ledger = f" and {len(one.ledger)} ledger entries" if one.ledger else ""
    end = "" if one.finished else "; it can then no longer go on where it stopped"
    return f"{'deleting' if deletes else 'would delete'} {len(one.files):,} data files{ledger}{end}"


def _result(request: CleanRequest, leftovers: Sequence[Leftovers], kept: Sequence[Kept]) -> dict[str, Any]:
    return {
        "kind": "clean",
        "status": "done",
        "exit_code": 0,
        "folder": request.folder,
        "dry_run": not request.yes,
        "files": sum(len(one.files) for one in leftovers),
        "bytes": sum(one.bytes for one in leftovers),
        "runs": [_facts(one) for one in leftovers],
        "kept": [{"folder": one.folder, "reason": one.reason} for one in kept],
    }


def _facts(one: Leftovers) -> dict[str, Any]:
    return {
        "folder": one.folder,
        "run_id": one.run_id,
        "table": one.table,
        "state": one.state,
        "finished": one.finished,
        "files": len(one.files),
        "bytes": one.bytes,
        "ledger_objects": len(one.ledger),
    }
