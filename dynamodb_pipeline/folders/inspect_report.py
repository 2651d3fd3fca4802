"""What an inspection says: as plain data for the result, and as a table for people. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dynamodb_pipeline.errors import ExitCode, counted
from dynamodb_pipeline.folders.inspect import Inspection
from dynamodb_pipeline.folders.inspect_schema import SchemaTally
from dynamodb_pipeline.formats.items.key_schema import shortened
from dynamodb_pipeline.reading.finished_runs import backup_rows
from dynamodb_pipeline.reading.input_files import ImportSource

FILES_LISTED = 1000
ATTRIBUTES_LISTED = 200
SHOWN_IN_TABLE = 20
MANIFESTS = {"datapipeline": "Data Pipeline manifest", "native": "native export's manifests"}


def inspection_facts(inspection: Inspection) -> dict[str, Any]:
    """The result: exit code 0, or 4 when something is wrong with what lies there."""
    facts: dict[str, Any] = {
        "kind": "inspect",
        "path": inspection.path,
        "exports": [b.folder for b in inspection.exports],
    }
    if inspection.source is not None:
        facts |= {**_source_facts(inspection.source), **_file_facts(inspection), **_schema_facts(inspection.schema)}
    else:
        facts["backups"] = [backup.to_json() for backup in inspection.exports]
        facts["rows"] = backup_rows(inspection.exports)
    problems = {"problem_count": inspection.problem_count, "problems": inspection.problems}
    code = ExitCode.INTEGRITY if inspection.problem_count else ExitCode.DONE
    error = {"error": inspection.problems[0]} if inspection.problems else {}
    status = "problems" if inspection.problems else "done"
    return {**facts, "samples": inspection.samples, **problems, "exit_code": int(code), "status": status, **error}


def _source_facts(source: ImportSource) -> dict[str, Any]:
    record = source.record
    return {
        "folder": source.folder,
        "source": source.kind,
        "manifest": MANIFESTS.get(source.kind),
        "hashes": _hashes(source),
        "table_name": record.table_name if record else None,
        "scan_started": record.scan_started if record else None,
        "key_schema": record.key_schema.to_json() if record else None,
        "notes": list(source.notes),
        "not_read": list(source.orphans[:FILES_LISTED]),
        "not_read_count": len(source.orphans),
    }


def _hashes(source: ImportSource) -> str | None:
    if source.record is not None:
        return "SHA-256"
    return "MD5" if source.kind == "native" else None


def _file_facts(inspection: Inspection) -> dict[str, Any]:
    assert inspection.source is not None
    return {
        "files": len(inspection.source.files),
        "files_looked_at": len(inspection.files),
        "bytes": inspection.source.bytes,
        "plain_bytes": inspection.plain_bytes,
        "items": inspection.item_count,
        "dialects": inspection.dialects,
        "layouts": inspection.layouts,
        "compression": inspection.compressions,
        "file_list": [asdict(facts) for facts in inspection.files[:FILES_LISTED]],
    }


def _schema_facts(schema: SchemaTally) -> dict[str, Any]:
    attributes = schema.attributes()
    listed = [
        {"name": shortened(a.name), "items": a.item_count, "types": a.types} for a in attributes[:ATTRIBUTES_LISTED]
    ]
    candidates = [
        {"attributes": [shortened(name) for name in candidate.names], "types": list(candidate.types)}
        for candidate in schema.key_candidates()
    ]
    return {
        "attribute_count": len(attributes),
        "attributes": listed,
        "key_candidates": candidates,
        "items_compared": schema.items_compared,
    }


def report(facts: Mapping[str, Any]) -> list[str]:
    """The same as lines for people."""
    if "source" not in facts:
        head = f"{facts['path']}: {len(facts['exports'])} finished exports; inspect one of them:"
        return [head, *facts["rows"]]
    parts = (_heading(facts), _attributes(facts), _keys(facts), _samples(facts["samples"]), _problems(facts))
    return [line for part in parts for line in part]


def _heading(facts: Mapping[str, Any]) -> Iterator[str]:
    looked = facts["files_looked_at"]
    of_all = "" if looked == facts["files"] else f" (looked into the first {looked})"
    yield f"{facts['folder']}"
    sums = f"{counted(facts['items'], 'item')}, {counted(facts['bytes'], 'byte')} stored"
    yield f"  {counted(facts['files'], 'file')}{of_all}, {sums}"
    forms = f"{_counts(facts['dialects'])}; {_counts(facts['layouts'])}; compression {_counts(facts['compression'])}"
    yield f"  {facts['plain_bytes']:,} bytes of text; {forms}"
    yield f"  manifest: {facts['manifest'] or 'none'}; hashes: {facts['hashes'] or 'none'}"
    if facts["table_name"]:
        yield f"  export of table {facts['table_name']!r}, scan started {facts['scan_started']}"
    if facts["not_read_count"]:
        yield f"  {counted(facts['not_read_count'], 'other object')} not read"
    yield from (f"  note: {note}" for note in facts["notes"])


def _attributes(facts: Mapping[str, Any]) -> Iterator[str]:
    attributes = facts["attributes"][:SHOWN_IN_TABLE]
    rows = [(_quoted(a["name"]), f"{a['items']:,}", _counts(a["types"])) for a in attributes]
    yield from _table(("attribute", "items", "types"), rows)
    if facts["attribute_count"] > SHOWN_IN_TABLE:
        yield f"  and {counted(facts['attribute_count'] - SHOWN_IN_TABLE, 'more attribute')}"


def _keys(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["key_schema"]:
        yield "  key: " + ", ".join(f"{_quoted(a['name'])} ({a['type']}, {a['role']})" for a in facts["key_schema"])
        return
    shown = [" with ".join(map(_quoted, c["attributes"])) for c in facts["key_candidates"]]
    compared = counted(facts["items_compared"], "item")
    yield f"  could be the key: {', '.join(shown) or 'nothing'} (values of {compared} compared)"


def _samples(samples: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for sample in samples:
        yield f"  {sample['file']} line {sample['line']}: {json.dumps(sample['item'])}"


def _problems(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["problem_count"]:
        yield f"  {counted(facts['problem_count'], 'problem')}:"
        yield from (f"    {text}" for text in facts["problems"][:SHOWN_IN_TABLE])


def _table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    for row in (heading, *rows):
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _quoted(name: str) -> str:
    return json.dumps(name)
