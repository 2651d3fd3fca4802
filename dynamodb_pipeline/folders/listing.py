"""
Every backup below a place, as `list` shows it: what each says of itself (reading/finished_runs.py), what the records of
runs add to that, and of a backup that names no dialect a look at its smallest file.

Only looks; a backup that cannot be believed is a row like the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dynamodb_pipeline.addresses import is_s3, join
from dynamodb_pipeline.documents import Document, DocumentError, member, moment, natural, read_object, string
from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.finished import DONE, RUN_RECORD, RUNNING
from dynamodb_pipeline.formats.exports.layout import TABLE_DEFINITION
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition
from dynamodb_pipeline.reading.file_reader import form_of, text_of
from dynamodb_pipeline.reading.finished_runs import AT_ONCE, UNFINISHED, Backup, backup_rows, backups_below
from dynamodb_pipeline.reading.input_files import InputFile
from dynamodb_pipeline.run.heartbeat import Here, is_alive
from dynamodb_pipeline.run.record import read_state, recorded_folders
from dynamodb_pipeline.settings.run_ids import is_run_id, run_folder
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

SAMPLE_BYTES = 1 << 20  # a larger file is not fetched for the name of its dialect
DEAD = "dead run"


@dataclass(frozen=True)
class ListQuery:
    """Which backups: those below `place`; `logs` is the folder their runs and verifications were given."""

    place: str
    logs: str | None = None


@dataclass(frozen=True)
class VerifiedRun(Document):
    """What the record of a verification says."""

    kind: str | None = member(string, default=None)
    state: str | None = member(string, default=None)
    exit_code: int | None = member(natural, default=None)
    export: str | None = member(string, default=None)
    ended: datetime | None = member(moment, default=None)


def list_backups(store: ObjectStore, query: ListQuery, *, here: Here | None = None) -> list[Backup]:
    """
    The backups, the newest first.

    Raises:
        PreconditionError: nothing at all lies there. DeniedError: it may not be read.
    """
    backups = backups_below(store, query.place)
    if not backups and next(iter(store.list(query.place)), None) is None:
        msg = f"{query.place} holds nothing; check its spelling"
        raise PreconditionError(msg)
    now = here or Here()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        backups = list(pool.map(lambda backup: _looked_into(store, backup), backups))
        if query.logs is None:
            return backups
        logs = query.logs
        backups = list(pool.map(lambda backup: _with_run(store, backup, logs=logs, here=now), backups))
        verified = dict(_verified(store, logs, pool))
    return [replace(backup, verified=verified.get(_place(backup.folder))) for backup in backups]


def _looked_into(store: ObjectStore, backup: Backup) -> Backup:
    """With the dialect of its smallest file, where nothing names it and that file is small enough to fetch."""
    sample = backup.sample
    if backup.dialect is not None or sample is None or sample.bytes > SAMPLE_BYTES or not backup.has_manifest:
        return backup
    file = InputFile(sample.uri, sample.bytes, sample.etag)
    try:
        plain = text_of(file, store.fetch(file.uri, etag=file.etag))
        return replace(backup, dialect=form_of(plain, name=file.uri).dialect.value)
    except IntegrityError:  # it is not of any known form; `inspect` says what it is
        return backup


def _with_run(store: ObjectStore, backup: Backup, *, logs: str, here: Here) -> Backup:
    """An unfinished backup of ours with what its run's record says: that the run is dead, or at work."""
    if backup.kind != UNFINISHED or backup.run_id is None or not is_run_id(backup.run_id):
        return backup
    state = read_state(store, run_folder(logs, backup.run_id))
    if state is None or state.run_id != backup.run_id:
        return backup
    if is_alive(state, here):
        return replace(backup, problem=f"run {backup.run_id} is at work")
    how = "was killed" if state.state == RUNNING else "ended without finishing it"
    return replace(backup, kind=DEAD, problem=f"run {backup.run_id} {how}; `clean` deletes what it left")


def _verified(store: ObjectStore, logs: str, pool: ThreadPoolExecutor) -> Iterator[tuple[str, datetime]]:
    """Every verified export with the time of its last verification that found nothing wrong."""
    uris = [join(folder, RUN_RECORD) for folder in recorded_folders(store, logs)]
    runs = (run for run in pool.map(lambda uri: _verification(store, uri), uris) if run is not None)
    yield from sorted((_place(str(run.export)), run.ended) for run in runs if run.export and run.ended)


def _verification(store: ObjectStore, uri: str) -> VerifiedRun | None:
    try:
        run = VerifiedRun.readable(read_object(store.get(uri)))
    except (DocumentError, ObjectMissingError):
        return None
    return run if (run.kind, run.state, run.exit_code) == ("verify", DONE, 0) else None


def _place(folder: str) -> str:
    bare = folder.rstrip("/")
    return f"s3://{bare.partition('://')[2]}" if is_s3(bare) else bare


def list_facts(query: ListQuery, backups: Sequence[Backup]) -> dict[str, Any]:
    """The result."""
    rows = [backup.to_json() for backup in backups]
    return {"kind": "list", "status": "done", "exit_code": 0, "folder": query.place, "backups": rows}


def list_lines(facts: Mapping[str, Any], backups: Sequence[Backup], *, narrow: bool = False) -> list[str]:
    """The same for people; `narrow` for a terminal of few columns."""
    if not backups:
        return [f"{facts['folder']} holds no backup; `inspect` looks at any other files"]
    return backup_rows(backups, narrow=narrow)


def read_table_definition(store: ObjectStore, export: str) -> TableDefinition:
    """
    How the table of an export was set up.

    Raises:
        PreconditionError: the export does not say. IntegrityError: its description is damaged.
    """
    where = join(export, TABLE_DEFINITION)
    try:
        return TableDefinition.from_bytes(store.get(where), where=where)
    except ObjectMissingError as err:
        msg = f"{export} holds no {TABLE_DEFINITION}: exports of other tools and of earlier versions carry none"
        raise PreconditionError(msg) from err
