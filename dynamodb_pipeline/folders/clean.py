"""
What dead runs left in export folders: finds data files that no manifest lists, and the ledger that knows of them, and
deletes them; by default it only lists.

Fails closed. A folder counts only with our claim in it; a run counts as dead only by its record below the logs folder;
a file counts only by a name that a task of ours gives. Everything else is kept, with the reason.

The order is a promise: first the ledger, so that no later resume trusts files that are gone, then what says that files
are whole, then the files, and the claim last, so that a clean which was broken off can be run again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, UsageError, counted
from dynamodb_pipeline.finished import DONE, RUNNING
from dynamodb_pipeline.formats.exports import manifest as manifests
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import (
    CLAIM,
    EXPORT_RECORD,
    MANIFEST,
    PART_MANIFEST,
    TABLE_DEFINITION,
    Claim,
    is_data_file,
)
from dynamodb_pipeline.run.heartbeat import Here, refuse_living
from dynamodb_pipeline.run.ledger import HEADER, Ledger
from dynamodb_pipeline.run.record import read_state
from dynamodb_pipeline.settings.run_ids import check_run_id, run_folder
from dynamodb_pipeline.store.objects import ObjectInfo, ObjectStore

AT_ONCE = 8
SHOWN = 20


@dataclass(frozen=True)
class Leftovers:
    """
    What one dead run left in one folder.

    Attributes:
        folder: the run folder, without a slash at its end.
        run_id, table: as the claim says.
        state: the run's, as its record says: "failed", "done", or "running" when it was killed.
        finished: the folder holds a manifest; its listed files are not among `files`.
        files: data files that no manifest lists.
        ledger: the objects that a resume would trust, its header last; none of a finished export.
        marks: `_export.json` without a manifest and `_table.json`, then the claim; none of a finished export.
    """

    folder: str
    run_id: str
    table: str
    state: str
    finished: bool
    files: tuple[ObjectInfo, ...]
    ledger: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def is_empty(self) -> bool:
        return not (self.files or self.ledger or self.marks)


@dataclass(frozen=True)
class Kept:
    """A run folder that is not touched, and why."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Claimed:
    """One folder with a claim: what the claim says and what lies directly in the folder, by name."""

    folder: str
    run_id: str
    table: str
    objects: dict[str, ObjectInfo]


def find_leftovers(store: ObjectStore, folder: str, *, logs: str, here: Here) -> tuple[list[Leftovers], list[Kept]]:
    """
    Look at every run folder at or below `folder`; nothing is changed.

    Args:
        logs: the folder the runs were given as `--logs`.

    Raises:
        PreconditionError: no run folder there.
    """
    leftovers: list[Leftovers] = []
    kept: list[Kept] = []
    for place, objects in _run_folders(store.list(folder)).items():
        try:
            leftovers.append(_leftovers(store, _claimed(store, place, objects), logs=logs, here=here))
        except (PreconditionError, IntegrityError) as err:
            kept.append(Kept(place, str(err)))
    if not leftovers and not kept:
        msg = f"{folder} holds no folder of an export of ours (no {CLAIM} in it or below); check its spelling"
        raise PreconditionError(msg)
    return leftovers, kept


def _run_folders(objects: Iterable[ObjectInfo]) -> dict[str, dict[str, ObjectInfo]]:
    """Folders that hold a claim, with what lies directly in them by name."""
    by_folder: dict[str, dict[str, ObjectInfo]] = defaultdict(dict)
    for info in objects:
        place, _, name = info.uri.rpartition("/")
        by_folder[place][name] = info
    return {place: inside for place, inside in by_folder.items() if CLAIM in inside}


def _claimed(store: ObjectStore, folder: str, objects: dict[str, ObjectInfo]) -> Claimed:
    try:
        claim = Claim.from_json(read_object(store.get(join(folder, CLAIM))))
        return Claimed(folder, check_run_id(claim.run_id), claim.table_name, objects)
    except (DocumentError, UsageError) as err:
        msg = f"{CLAIM} is not one of ours: {err}"
        raise IntegrityError(msg) from err


def _leftovers(store: ObjectStore, claimed: Claimed, *, logs: str, here: Here) -> Leftovers:
    """
    Raises:
        PreconditionError: the run lives, or nothing tells that it is dead.
        IntegrityError: the folder's manifest or record cannot be trusted.
    """
    state = _dead_state(store, run_folder(logs, claimed.run_id), claimed.run_id, here=here)
    finished = any(name in claimed.objects for name in (MANIFEST, PART_MANIFEST))
    listed = _listed(store, claimed) if finished else frozenset()
    files = tuple(info for name, info in claimed.objects.items() if is_data_file(name) and name not in listed)
    what = Leftovers(claimed.folder, claimed.run_id, claimed.table, state, finished, files)
    if finished:
        return what
    ledger = join(run_folder(logs, claimed.run_id), f"ledger/export/{claimed.table}")
    names = (EXPORT_RECORD, TABLE_DEFINITION, CLAIM)
    marks = tuple(claimed.objects[name].uri for name in names if name in claimed.objects)
    return replace(what, ledger=_ledger_objects(store, ledger, folder=claimed.folder), marks=marks)


def _dead_state(store: ObjectStore, folder: str, run_id: str, *, here: Here) -> str:
    state = refuse_living(lambda: read_state(store, folder), here)
    if state is None or state.run_id != run_id:
        msg = f"no record of run {run_id} in {folder}: nothing tells that it is dead; check --logs"
        raise PreconditionError(msg)
    if state.state == RUNNING and state.heartbeat is None:
        msg = f"the record of run {run_id} holds no heartbeat: nothing tells that it is dead"
        raise PreconditionError(msg)
    return str(state.state)


def _listed(store: ObjectStore, claimed: Claimed) -> frozenset[str]:
    """Names of the finished export's files, by record and manifest, which must agree."""
    where = join(claimed.folder, EXPORT_RECORD)
    record = ExportRecord.from_bytes(store.get(where), where=where)
    uri = join(claimed.folder, record.manifest_name)
    record.check_manifest(manifests.parse(store.get(uri), where=uri), where=where)
    return frozenset(file.name for file in record.files)


def _ledger_objects(store: ObjectStore, ledger: str, *, folder: str) -> tuple[str, ...]:
    """
    What the ledger of this very folder consists of; the same run may have begun elsewhere, and keeps that.

    The header comes last: entries that a broken-off clean left without one would fit any header.
    """
    header = Ledger(store, ledger).header()
    if header is not None and str(header.get("folder")).rstrip("/") != folder:
        return ()
    uris = [info.uri for info in store.list(ledger)]
    return tuple(sorted(uris, key=lambda uri: (uri == join(ledger, HEADER), uri)))


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
        yield from (f"  {file.uri} {counted(file.bytes, 'byte')}" for file in one.files[:SHOWN])
        if len(one.files) > SHOWN:
            yield f"  and {len(one.files) - SHOWN:,} more"
    yield from (f"{one.folder}: kept: {one.reason}" for one in kept)
    if not deletes:
        yield "nothing was deleted; --yes deletes" if leftovers else "nothing is left over"


def _state_text(one: Leftovers) -> str:
    return "finished" if one.finished else {RUNNING: "killed", DONE: "ended"}.get(one.state, one.state)


def _amount(one: Leftovers, *, deletes: bool) -> str:
    if one.is_empty:
        return "nothing left over"
    ledger = f" and {counted(len(one.ledger), 'ledger entry', plural='ledger entries')}" if one.ledger else ""
    end = "" if one.finished else "; it can then no longer go on where it stopped"
    return f"{'deleting' if deletes else 'would delete'} {counted(len(one.files), 'data file')}{ledger}{end}"


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
