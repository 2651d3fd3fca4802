"""The words and figures of a verification's result. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dynamodb_pipeline.formats.items.key_schema import KeySchema, shown_key
from dynamodb_pipeline.reading.input_files import ImportSource
from dynamodb_pipeline.reading.source import NO_HASHES
from dynamodb_pipeline.verifying.differences import DIFFERENCE_KINDS, Differences
from dynamodb_pipeline.verifying.files import FileFindings
from dynamodb_pipeline.verifying.job import Verification

NO_DIFFERENCES = {**dict.fromkeys(DIFFERENCE_KINDS, 0), "counts_complete": True, "differences": []}


def reading_line(source: ImportSource) -> str:
    """What is about to be read."""
    return f"verify {source.folder} ({source.kind}): {len(source.files)} files; {source.origin}"


def verified_line(result: Mapping[str, Any]) -> str:
    """That nothing is wrong."""
    return f"verified: {result['items']:,} items in {result['files']} files"


def export_facts(job: Verification, findings: FileFindings) -> dict[str, Any]:
    """What the pass over the files says, for the result."""
    source, limit = job.source, job.settings.limit
    return {
        "export": source.folder,
        "source": source.kind,
        "source_table": source.source_table,
        "files": len(source.files),
        "bytes": source.bytes,
        "plain_bytes": findings.plain_bytes,
        "items": findings.items,
        "dialects": dict(findings.dialects),
        "key_schema": job.keys.to_json() if job.keys else None,
        "digest": findings.digest.total() if job.keys else None,
        "orphans": list(source.orphans[:limit]),
        "orphan_count": len(source.orphans),
        "not_proven": list(_not_proven(job)),
        "problems": findings.problems(limit),
        "problem_count": findings.problem_count,
    }


def _not_proven(job: Verification) -> Iterator[str]:
    source = job.source
    if source.kind == "folder":
        yield "there is no manifest: files may be missing, or be leftovers of failed attempts"
    if source.record is None and source.kind != "native":
        yield NO_HASHES
    if source.record is None and source.kind == "datapipeline" and source.orphans:
        yield "files that the manifest does not list may be leftovers, or entries were taken out of the manifest"
    if job.keys is None:
        yield "no key schema is known: keys, and that each stands once, were not checked; --table tells the schema"


def difference_facts(differences: Differences, keys: KeySchema, *, complete: bool) -> dict[str, Any]:
    """How many keys differ, and the first of them; `complete` when no differing bucket was left out."""
    examples = [{"kind": kind, "key": shown_key(keys, key)} for kind, key in differences.examples]
    return {**differences.counts, "counts_complete": complete, "differences": examples}


def problem_text(job: Verification, findings: FileFindings) -> str:
    """Why the export is not right."""
    first = findings.problems(1)[0]
    return f"{job.source.folder}: {findings.problem_count} problems; first: {first}"


def difference_text(result: dict[str, Any]) -> str:
    """Why table and export are not the same."""
    about = f"table {result['table']!r} and {result['export']} are not the same"
    counts = [f"{result[kind]} {kind}" for kind in DIFFERENCE_KINDS if result[kind]]
    if not counts:
        return (
            f"{about}: digests differed, a second look found no difference; the table is being written to, verify again"
        )
    least = "" if result["counts_complete"] else "at least "
    first = result["differences"][:1]
    example = f"; first: {first[0]['kind']} {json.dumps(first[0]['key'])}" if first else ""
    return f"{about}: {least}{', '.join(counts)}{example}"
