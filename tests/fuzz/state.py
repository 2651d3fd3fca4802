"""
State objects and manifests: run record, starts, ledger, claims, records and manifests of exports.

Whoever may write to the folders can put anything there. Each command that reads them goes on, leaves it aside, or ends
in a refusal (3) or an integrity failure (4); what it says is bounded.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.calls.clusters import StepView
from dynamodb_pipeline.emr.watch.run_records import job_result
from dynamodb_pipeline.errors import ExitCode, PipelineError
from dynamodb_pipeline.exporting.job import PartitionEntry, SegmentEntry
from dynamodb_pipeline.exporting.run_folder import claim_folder, finished_record
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.folders.clean import find_leftovers
from dynamodb_pipeline.folders.listing import ListQuery, list_backups, list_facts, list_lines
from dynamodb_pipeline.formats.exports.layout import Claim
from dynamodb_pipeline.importing.job import ImportedFile
from dynamodb_pipeline.importing.mirror import DeletedKeys
from dynamodb_pipeline.reading.finished_runs import SourceChoice, choose_finished_run
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.report.figures import resume_of, run_figures
from dynamodb_pipeline.report.page import page
from dynamodb_pipeline.report.read import parse_record
from dynamodb_pipeline.run.heartbeat import Here
from dynamodb_pipeline.run.ledger import Ledger, entries_of
from dynamodb_pipeline.run.record import latest_unfinished, take_run
from tests.fuzz.target import Target
from tests.unit.reading.export_records import export_record
from tests.unit.store.memory_store import MemoryStore

LOGS, DATA = "s3://bucket/logs", "s3://bucket/exports"
RUN = "20261123T030000Z-7f3a91c2"
FOLDER, STATE = f"{DATA}/2026-11-23-03-00-00", f"{LOGS}/runs/{RUN}"
LEDGER = f"{STATE}/ledger/export/Forum"
HERE = Here("here", 1, lambda: datetime(2026, 11, 23, 4, tzinfo=timezone.utc), lambda _: True, lambda _: None)
REFUSALS = {ExitCode.PRECONDITION, ExitCode.INTEGRITY}
SAID_CHARS_MAX = 20_000

PLACES = {
    b"r": f"{STATE}/run.json",
    b"s": f"{STATE}/starts/000001.json",
    b"h": f"{LEDGER}/header.json",
    b"e": f"{LEDGER}/segment-0.json",
    b"c": f"{FOLDER}/_claim.json",
    b"x": f"{FOLDER}/_export.json",
    b"m": f"{FOLDER}/manifest",
    b"n": f"{FOLDER}/manifest-summary.json",
    b"f": f"{FOLDER}/manifest-files.json",
}
SEALED = {b"H": b"h", b"E": b"e"}  # the same, as a record with its name and hash


def run(data: bytes) -> None:
    """The first byte says what the rest is put in place of."""
    mark, rest = data[:1], data[1:]
    if mark in SEALED:
        mark = SEALED[mark]
        rest = sealed(PLACES[mark].rpartition("/")[2], rest)
    place = PLACES.get(mark, PLACES[b"r"])
    for command in COMMANDS:
        store = MemoryStore(world(native=mark in (b"n", b"f")))
        store.objects[place] = rest
        with refused():
            command(store)


@contextlib.contextmanager
def refused() -> Any:
    said: PipelineError | None = None
    try:
        yield
    except PipelineError as err:
        said = err
    if said is not None:
        assert ExitCode.of_error(said) in REFUSALS, f"exit {int(ExitCode.of_error(said))}: {str(said)[:200]}"
        assert len(str(said)) < SAID_CHARS_MAX, f"{len(str(said))} characters"


def sealed(name: str, record: bytes) -> bytes:
    """As the ledger seals it; `record` need not be JSON."""
    try:
        text = json.dumps(json.loads(record), sort_keys=True).encode()
    except (ValueError, RecursionError):
        text = record
    digest = hashlib.sha256(name.encode() + b"\n" + text).hexdigest()
    return b'{"name": "%b", "record": %b, "sha256": "%b"}' % (name.encode(), text, digest.encode())


def take(store: MemoryStore) -> None:
    take_run(store, STATE, RunState(RUN, "export", ("Forum",)), here=HERE)


def resume(store: MemoryStore) -> None:
    latest_unfinished(store, LOGS, kind="export", tables=["Forum"], here=HERE)


def ledger(store: MemoryStore) -> None:
    for kind in (SegmentEntry, PartitionEntry, ImportedFile, DeletedKeys):
        with refused():
            entries_of(kind, Ledger(store, LEDGER).open(HEADER))
    Ledger(store, LEDGER).pinned_number("segments")


def export(store: MemoryStore) -> None:
    place = S3Uri.of_folder(FOLDER, option="--output")
    if claim_folder(store, place, Claim(RUN, "Forum", "id", "2026-11-23T03:00:00Z")):
        finished_record(store, place)


def import_it(store: MemoryStore) -> None:
    load_source(store, choose_finished_run(store, DATA, SourceChoice("orders", None, True, "import")))


def show(store: MemoryStore) -> None:
    query = ListQuery(DATA, LOGS)
    backups = list_backups(store, query, here=HERE)
    json.dumps(list_facts(query, backups))
    list_lines(list_facts(query, backups), backups)


def clean(store: MemoryStore) -> None:
    find_leftovers(store, DATA, logs=LOGS, here=HERE)


def report(store: MemoryStore) -> None:
    found = run_figures([parse_record(store.get(f"{STATE}/run.json"), where="run.json")])
    text = page(found, resume=resume_of(found, logs=LOGS))
    assert "<script" not in text


def watch(store: MemoryStore) -> None:
    step = StepView("s-1", "export Forum", "COMPLETED", ())
    job_result(step, parse_record(store.get(f"{STATE}/run.json"), where="run.json").facts)


COMMANDS: tuple[Callable[[MemoryStore], None], ...] = (
    *(take, resume, ledger, export, import_it, show, clean, report, watch),
)
LINE = b'{"Id":{"s":"a"}}\n'
FILE = {"name": "a_000000", "bytes": len(LINE), "plain_bytes": len(LINE), "item_count": 1, "sha256": "0" * 64}
HEADER = {"kind": "export-direct", "table": "Forum", "table_id": "id", "segments": 4, "folder": FOLDER}
ENTRY = {"segment": 0, "pages": 2, "next_key": '{"Id":{"S":"a"}}', "files": [FILE], "items": 1}
RECORD = {
    **{"run_id": RUN, "kind": "export", "table_names": ["Forum"], "state": "failed", "exit_code": 5, "pid": 7},
    **{"started": "2026-11-23T03:00:00Z", "heartbeat": "2026-11-23T03:59:00Z", "host": "there", "region": "eu-west-1"},
    **{"first_started": "2026-11-23T03:00:00Z", "error": "it stopped", "resume": "dynamodb-pipeline export --run-id x"},
    "tables": [{"table": "Forum", "items": 7, "files": 1, "read_units_consumed": 3.5, "seconds": 2.0, "error": "no"}],
}
CLAIM = {"run_id": RUN, "table_name": "Forum", "table_id": "id", "claimed_at": "2026-11-23T03:00:00Z"}
MANIFEST = {"name": "DynamoDB-export", "version": 3, "entries": [{"url": f"{FOLDER}/a_000000", "mandatory": True}]}
NATIVE = "AWSDynamoDB/01234567890123-a1b2c3d4"
# The developer guide's example ("DynamoDB table export output format").
SUMMARY = {
    **{"version": "2020-06-30", "startTime": "2020-11-04T07:28:34.028Z", "endTime": "2020-11-04T07:33:43.897Z"},
    "exportArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/{NATIVE[-23:]}",
    "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog",
    **{"tableId": "12345a12-abcd-123a-ab12-1234abc12345", "exportTime": "2020-11-04T07:28:34.028Z"},
    **{"s3Bucket": "ddb-productcatalog-export", "s3Prefix": "2020-Nov", "s3SseAlgorithm": "AES256"},
    **{"s3SseKmsKeyId": None, "manifestFilesS3Key": f"{NATIVE}/manifest-files.json", "billedSizeBytes": 0},
    **{"itemCount": 1, "outputFormat": "DYNAMODB_JSON"},
}
_MD5 = base64.b64encode(hashlib.md5(LINE).digest()).decode()
LISTED = {"itemCount": 1, "md5Checksum": _MD5, "etag": "x-1", "dataFileS3Key": f"{NATIVE}/data/a.json"}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def world(*, native: bool) -> dict[str, bytes]:
    """A stopped run, and a finished export beside it: ours, or a native one."""
    state = {
        PLACES[b"r"]: _json(RECORD),
        PLACES[b"h"]: sealed("header.json", _json(HEADER)),
        PLACES[b"e"]: sealed("segment-0.json", _json(ENTRY)),
    }
    if native:
        files = {PLACES[b"n"]: _json(SUMMARY), PLACES[b"f"]: _json(LISTED) + b"\n", f"{FOLDER}/data/a.json": LINE}
    else:
        files = {PLACES[b"c"]: _json(CLAIM), PLACES[b"m"]: _json(MANIFEST), f"{FOLDER}/a_000000": LINE}
    return {**state, **files}


TARGET = Target(
    "state",
    run,
    examples=(
        b"r" + _json(RECORD),
        b"r" + _json({**RECORD, "kind": "import", "exit_code": 8, "state": "done"}),
        b"s" + _json({"run_id": RUN, "state": "running", "heartbeat": "2026-11-23T03:59:00Z", "host": "x", "pid": 3}),
        b"h" + sealed("header.json", _json(HEADER)),
        b"H" + _json(HEADER),
        b"E" + _json(ENTRY),
        b"E" + _json({"files": [FILE]}),
        b"E" + _json({"file": "a", "dialect": "x", "items": 3, "written": 3, "skipped": 0, "set_aside": 0}),
        b"c" + _json(CLAIM),
        b"x" + export_record(),
        b"m" + _json(MANIFEST),
        b"m" + _json({"entries": ["s3://bucket/exports/a", {"url": "s3://other/../b%2f"}]}),
        b"n" + _json(SUMMARY),
        b"n" + _json({**SUMMARY, "exportType": "INCREMENTAL_EXPORT"}),
        b"f" + _json(LISTED) + b"\n",
        b"f" + (_json(LISTED) + b"\n") * 2,
    ),
    words=tuple(
        json.dumps(word).encode()
        for word in (
            *RECORD,
            *HEADER,
            *ENTRY,
            *FILE,
            *CLAIM,
            *MANIFEST,
            *SUMMARY,
            *LISTED,
            "url",
            "2026-11-23T03:00:00Z",
            *(
                "9999-12-31T23:59:59Z",
                "running",
                "done",
                "failed",
                "export",
                "import",
                "../x",
                "s3://bucket/x",
                "\ud800",
            ),
            *("\x1b[2J", "</script>", "x" * 3000, -1, 10**18, 1.5, True, None, [], {}, [[]], {"a": {}}),
        )
    ),
    short_count=300,
)
