"""
Writes any readable backup anew: as files in the form of DynamoDB's own export, of which its ImportTable makes a new
table, or in the form of an export of ours.

In this process, file after file, no larger in memory however large the backup is; no table is asked and no unit is
consumed. What is written counts only once its manifest is there, which comes last, after every item was judged and
every key was seen once.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import S3Uri, is_s3, join
from dynamodb_pipeline.chain.collapse import CopiedFiles, publish_native_copy
from dynamodb_pipeline.documents import TIME_FORMAT
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, UsageError, counted
from dynamodb_pipeline.formats.exports import manifest as manifests
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.exports.layout import (
    CLAIM,
    EXPORT_RECORD,
    MANIFEST,
    NATIVE_STARTED,
    SUCCESS,
    Claim,
    stamp,
)
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.formats.items.tags import NULL_TAG_OPTIONS, item_to_connector_line
from dynamodb_pipeline.reading.file_puts import BadLine, ParsedItem, Put
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.finished_runs import (
    UNKNOWN_TABLE,
    Backup,
    SourceChoice,
    backup_in,
    choose_finished_run,
    wanted_table,
)
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.reading.key_spill import KeySpill, place_bytes
from dynamodb_pipeline.reading.source import load_source, refuse_other_source
from dynamodb_pipeline.store.objects import AlreadyExistsError, ObjectStore

NATIVE = "native"  # of the two forms the one of DynamoDB's own export; the other is ours
BATCH_ITEMS = 1000

Line = tuple[bytes, bytes, int]  # of the output; the item's key; the line it stood in


@dataclass(frozen=True)
class ConvertQuery:
    """
    What to convert into what.

    Attributes:
        output: folder in which a folder of its own is made.
        form: `native` or `export`.
        keys: where the backup does not carry them.
        from_table: whose items; of several exports below `input`, whose export.
        without_manifest_command: the command that reads a folder without a manifest, for messages.
    """

    input: str
    output: str
    tool_version: str
    form: str = NATIVE
    keys: KeySchema | None = None
    from_table: str | None = None
    latest: bool = False
    without_manifest: bool = False
    allow_buckets: tuple[str, ...] = ()
    without_manifest_command: str = ""


@dataclass(frozen=True)
class Conversion:
    """One conversion, resolved."""

    query: ConvertQuery
    source: ImportSource
    keys: KeySchema
    backup: Backup | None
    started: datetime
    export_id: str

    @property
    def run_id(self) -> str:
        return f"convert-{self.export_id}"

    @property
    def time(self) -> str:
        """When it began, ISO 8601."""
        return f"{self.started:{TIME_FORMAT}}"

    @property
    def folder(self) -> str:
        """Where the copy goes, named as the form's own writer names it."""
        inner = f"AWSDynamoDB/{self.export_id}" if self.query.form == NATIVE else stamp(self.started)
        return join(self.query.output, inner)

    @property
    def exported_at(self) -> str | None:
        """The time of the data, ISO 8601, as the backup says it."""
        moment = self.backup.moment if self.backup else None
        return f"{moment:{TIME_FORMAT}}" if moment else None


@dataclass(frozen=True)
class Converted:
    """What was written: the export's folder and its data files."""

    folder: str
    output: CopiedFiles

    @property
    def files(self) -> tuple[FileRecord, ...]:
        return tuple(self.output.files)

    @property
    def items(self) -> int:
        return self.output.items


def convert(store: ObjectStore, query: ConvertQuery, *, say: Callable[[str], None]) -> dict[str, Any]:
    """
    Convert and return the result.

    Raises:
        UsageError: nothing says what the keys are.
        PreconditionError: nothing to convert, several backups, or a part of a table.
        IntegrityError: an item that DynamoDB would refuse, a key that stands twice, a damaged backup.
    """
    job = resolve_conversion(store, query)
    files = counted(len(job.source.files), "file")
    say(f"convert {job.source.folder} ({job.source.kind}): {files}; {job.source.origin}")
    done = write_copy(store, job, say=say)
    publish = publish_native if query.form == NATIVE else publish_export
    notes = [*job.source.notes, *publish(store, job, done)]
    command = import_table_command(job, done) if query.form == NATIVE and is_s3(done.folder) else None
    for note in notes:
        say(f"note: {note}")
    return {
        "kind": "convert",
        "status": "done",
        "exit_code": 0,
        "source": job.source.folder,
        "source_table": job.source.source_table,
        "folder": done.folder,
        "form": query.form,
        "files": len(done.files),
        "items": done.items,
        "bytes": sum(file.bytes for file in done.files),
        "key_schema": job.keys.to_json(),
        "import_table": command,
        "notes": notes,
    }


def converted_words(result: dict[str, Any]) -> tuple[str, ...]:
    """What was written where, and of a copy that DynamoDB imports the command that makes a table of it."""
    amount = f"{counted(result['items'], 'item')} in {counted(result['files'], 'file')}"
    command = result["import_table"]
    return (f"converted {result['source']}: {amount}", f"  to {result['folder']}", *([command] if command else []))


def resolve_conversion(store: ObjectStore, query: ConvertQuery) -> Conversion:
    """Find the backup, its keys and its time; raises as `convert`."""
    if query.form != NATIVE and not is_s3(query.output):
        msg = f"{query.output}: a manifest names s3:// addresses; give an output folder in S3, or --as {NATIVE}"
        raise UsageError(msg)
    folder = query.input
    if not query.without_manifest:
        choice = SourceChoice(None, query.from_table, query.latest, query.without_manifest_command)
        folder = choose_finished_run(store, folder, choice)
    source = load_source(store, folder, without_manifest=query.without_manifest, allow_buckets=query.allow_buckets)
    refuse_other_source(source, None if query.from_table == UNKNOWN_TABLE else query.from_table)
    if source.part is not None and source.kind != "folder":
        msg = f"{source.folder}: {source.part}; a copy would pass for the whole table. Nothing was written"
        raise PreconditionError(msg)
    keys = source.key_schema or query.keys
    if keys is None:
        msg = (
            f"{source.folder} does not say what the keys of its table are; give --key NAME:TYPE, or "
            f"--key NAME:TYPE,NAME:TYPE with a sort key (`inspect` shows what could be)"
        )
        raise UsageError(msg)
    if query.keys not in (None, keys):
        msg = f"--key says {query.keys.describe() if query.keys else ''}, {source.folder} says {keys.describe()}"
        raise PreconditionError(msg)
    started = datetime.now(timezone.utc)
    export_id = f"{int(started.timestamp() * 1000):014d}-{secrets.token_hex(4)}"  # as DynamoDB's own look
    return Conversion(query, source, keys, backup_in(store, source.folder), started, export_id)


def write_copy(store: ObjectStore, job: Conversion, *, say: Callable[[str], None]) -> Converted:
    """Every item into new data files; nothing says yet that they are an export."""
    is_native = job.query.form == NATIVE
    folder = job.folder
    begun = b"" if is_native else Claim(job.run_id, job.source.source_table or "?", "?", job.time).to_bytes()
    try:
        store.put(join(folder, NATIVE_STARTED if is_native else CLAIM), begun, if_absent=True)
    except AlreadyExistsError as err:
        msg = f"{folder} is being written by somebody else; run the command again"
        raise PreconditionError(msg) from err
    output = CopiedFiles(store, join(folder, native.DATA_FOLDER) if is_native else folder, is_native=is_native)
    with output, KeySpill() as spill:
        for number, file in enumerate(job.source.files):
            _convert_file(store, job, file, number, output=output, spill=spill)
            say(f"{number + 1} of {counted(len(job.source.files), 'file')}, {counted(output.items, 'item')}")
        output.close_file()
        for collision in spill.collisions():
            places = " and at ".join(job.source.place(f, line) for f, line in collision.first)
            msg = f"the same key stands at {places}; a table holds it once. No manifest was written"
            raise IntegrityError(msg)
    return Converted(folder, output)


def _convert_file(
    store: ObjectStore, job: Conversion, file: InputFile, number: int, *, output: CopiedFiles, spill: KeySpill
) -> None:
    reader = FileReader(store, job.keys, wanted=wanted_table(None, from_table=job.query.from_table))
    puts = reader.puts(reader.open(file))
    lines = map(_native_line, puts) if job.query.form == NATIVE else map(_export_line, puts.items())
    for batch in _batches(lines):
        for _, key, line in batch:
            row = place_bytes(key, file=number, line=line)
            spill.add(row[0], row)
        output.add(b"".join(text for text, _, _ in batch), len(batch))
    if len(puts.tables) > 1:
        msg = f"{file.uri} holds items of tables {', '.join(puts.tables)}; --from-table NAME takes those of one"
        raise PreconditionError(msg)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= BATCH_ITEMS:
            yield batch
            batch = []
    if batch:
        yield batch


def _native_line(put: Put | BadLine) -> Line:
    good = _good(put)
    return b'{"Item":%b}\n' % good.body, good.key or b"", good.line


def _export_line(item: ParsedItem | BadLine) -> Line:
    good = _good(item)
    return item_to_connector_line(good.item, null_tag=NULL_TAG_OPTIONS[0]), good.key or b"", good.line


def _good(judged: Any) -> Any:
    """
    Raises:
        IntegrityError: the line is no item that DynamoDB takes.
    """
    if isinstance(judged, BadLine):
        msg = f"{judged.error}; no manifest was written"
        raise IntegrityError(msg)
    return judged


def publish_native(store: ObjectStore, job: Conversion, done: Converted) -> Iterable[str]:
    """The manifests; nothing is worth a note."""
    identity = native.NativeIdentity(
        exported=None if job.source.part else job.source.exported,
        export_time=job.exported_at,
        part=None,
        kind=native.ExportKind.FULL,
        item_count=done.items,
        output_format=native.OUTPUT_FORMATS[0],
    )
    publish_native_copy(store, done.folder, identity, done.output, written=job.time)
    return ()


def publish_export(store: ObjectStore, job: Conversion, done: Converted) -> Iterable[str]:
    """`_export.json` where table and time are known, then `manifest`; the notes."""
    record = _record(job, done)
    if record is not None:
        store.put(join(done.folder, EXPORT_RECORD), record.to_bytes())
    store.put(join(done.folder, MANIFEST), manifests.render(join(done.folder, f.name) for f in done.files))
    store.put(join(done.folder, SUCCESS), b"")
    return () if record else (f"the backup names no table with TableId or no time, so the copy has no {EXPORT_RECORD}",)


def _record(job: Conversion, done: Converted) -> ExportRecord | None:
    table, time = job.source.exported, job.exported_at
    if table is None or table.table_id is None or table.region is None or time is None:
        return None
    return ExportRecord(
        tool_version=job.query.tool_version,
        connector_version=None,
        run_id=job.run_id,
        table_name=table.name,
        table_arn=table.arn,
        table_id=table.table_id,
        region=table.region,
        key_schema=job.keys,
        reader="convert",
        scan_started=time,
        scan_ended=time,
        consistency="eventual",
        compression="gzip",
        null_tag=NULL_TAG_OPTIONS[0],
        files=done.files,
    )


def import_table_command(job: Conversion, done: Converted) -> str:
    """The command by which DynamoDB makes a new table of the copy; keys only, as no more is known."""
    where = S3Uri.parse(join(done.folder, native.DATA_FOLDER)).folder
    parameters = {
        "TableName": job.source.source_table or "NewTable",
        "AttributeDefinitions": [{"AttributeName": a.name, "AttributeType": a.type} for a in job.keys.attributes],
        "KeySchema": [{"AttributeName": a.name, "KeyType": a.role} for a in job.keys.attributes],
        "BillingMode": "PAY_PER_REQUEST",
    }
    region = job.source.exported.region if job.source.exported else None
    words = (
        *("aws", "dynamodb", "import-table", *((f"--region={region}",) if region else ())),
        *("--s3-bucket-source", json.dumps({"S3Bucket": where.bucket, "S3KeyPrefix": where.key})),
        *("--input-format", native.OUTPUT_FORMATS[0], "--input-compression-type", "GZIP"),
        *("--table-creation-parameters", json.dumps(parameters, ensure_ascii=False)),
    )
    return shlex.join(words)
