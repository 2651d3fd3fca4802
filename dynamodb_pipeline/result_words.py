"""
The result of a job in words, made from its JSON document: what a person reads when it has ended.

A document may come from `run.json` of another version, or of another hand: what it does not say is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.errors import counted, size_text

INDENT = "  "
SHORT_S = 10.0  # tenths of a second are said below


def result_words(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines that say what an export, import or verification came to; none where the document says nothing."""
    words = {"export": _export_words, "import": _import_words, "verify": _verify_words}.get(str(document.get("kind")))
    return tuple(words(document)) if words else ()


def rate_changes_words(document: Mapping[str, Any]) -> str | None:
    """`the rate was changed 2 times, 100% at the end`; None where nobody told the run another speed."""
    orders = [order for order in _list(document, "rate_orders") if isinstance(order, Mapping)]
    if not orders:
        return None
    count = len({str(order) for order in orders})  # each pass of a run obeys the last one anew
    last, percent = orders[-1], orders[-1].get("percent")
    speed = f"{str(percent).rstrip('%')}%" if percent else "as it was started"
    changed = "once" if count == 1 else f"{count} times"
    return f"the rate was changed {changed}, {'paused' if last.get('paused') is True else speed} at the end"


def units_words(
    units: object, *, kind: str, seconds: object = None, allowed: object = None, changes: str | None = None
) -> str | None:
    """
    What was consumed, and its mean against what was allowed; None where nobody counted.

    Args:
        changes: as `rate_changes_words` has them: then no one rate was allowed all the time, and none is compared.
    """
    consumed, took_s, most = _number(units), _number(seconds), _number(allowed)
    if consumed is None:
        return None
    text = f"{consumed:,.1f}".removesuffix(".0") + f" {kind} unit{'' if consumed == 1 else 's'}"
    if changes:
        return f"{text}{f', a mean of {consumed / took_s:,.1f} a second' if took_s else ''}; {changes}"
    return f"{text}, a mean of {consumed / took_s:,.1f} of {most:,.1f} allowed a second" if took_s and most else text


def _export_words(document: Mapping[str, Any]) -> Iterator[str]:
    for table in _list(document, "tables"):
        if isinstance(table, Mapping) and "error" not in table and _is_number(table.get("items")):
            yield from _exported(table, changes=rate_changes_words(document))


def _exported(table: Mapping[str, Any], *, changes: str | None) -> Iterator[str]:
    again = " (finished by an earlier attempt)" if table.get("already_done") else ""
    yield f"exported {table.get('table')}: {_amount(table)}{_took(table)}{again}"
    units = units_words(
        table.get("read_units_consumed"),
        kind="read",
        seconds=table.get("seconds"),
        allowed=table.get("read_units_per_s_allowed"),
        changes=changes,
    )
    if units:
        estimated = " (estimated)" if table.get("read_units_estimated") else ""
        yield f"{INDENT}{units}{estimated}{_throttled(table)}"
    read = _count(table, "items_read")
    if left := max(0, read - _count(table, "items")):
        yield f"{INDENT}{counted(left, 'item')} left out of {read:,} read"
    yield f"{INDENT}to {table.get('export_uri')}"


def _import_words(document: Mapping[str, Any]) -> Iterator[str]:
    if not _is_number(document.get("items")):
        return
    origin = _origin(document)
    if document.get("dry_run"):
        yield f"dry run: {_amount(document)} {origin}{_took(document)}"
        yield from _bad(document)
        yield from _to_write(document)
        yield from _not_asked_for(document, left="would be left out")
        yield from _deletions(document)
        yield f"{INDENT}nothing was written to {document.get('table')}"
        return
    written = counted(_count(document, "items_written"), "item")
    yield f"imported into {document.get('table')}: {written} written of {_amount(document)}{_took(document)}"
    yield f"{INDENT}{origin}"
    units = units_words(
        document.get("write_units_consumed"),
        kind="write",
        seconds=document.get("seconds"),
        allowed=document.get("write_units_per_s_allowed"),
        changes=rate_changes_words(document),
    )
    yield from [f"{INDENT}{units}{_throttled(document)}"] if units else []
    if (read := _number(document.get("read_units_consumed"))) is not None:
        yield f"{INDENT}{units_words(read, kind='read')} of the table, which was read first"
    yield from _left_out(document)
    yield from _deletions(document)


def _origin(document: Mapping[str, Any]) -> str:
    table = document.get("source_table")
    return f"from {document.get('input')}, {f'an export of table {table}' if table else 'which names no table'}"


def _to_write(document: Mapping[str, Any]) -> Iterator[str]:
    """What a dry run of some items would write: of those asked for the size too."""
    less = ("items_bad", "items_unchanged", "items_left_out", "items_expired", "duplicates_dropped")
    count = counted(_count(document, "items") - sum(_count(document, name) for name in less), "item")
    if _is_number(document.get("bytes_asked_for")):
        yield f"{INDENT}{count} asked for ({size_text(_count(document, 'bytes_asked_for'))})"
    elif _is_number(document.get("items_unchanged")):
        same = counted(_count(document, "items_unchanged"), "item")
        yield f"{INDENT}{count} would be written, {same} not: the table has them just so (--only-changes)"


def _left_out(document: Mapping[str, Any]) -> Iterator[str]:
    if skipped := _count(document, "items_skipped"):
        yield f"{INDENT}{counted(skipped, 'item')} skipped: the key was there already (--skip-existing)"
    if unchanged := _count(document, "items_unchanged"):
        yield f"{INDENT}{counted(unchanged, 'item')} not written: the table had them just so (--only-changes)"
    if dropped := _count(document, "duplicates_dropped"):
        yield f"{INDENT}{counted(dropped, 'item')} left out: the same key stood again further on"
    yield from _not_asked_for(document)
    if aside := _count(document, "items_set_aside"):
        where = document.get("set_aside_uri")
        yield f"{INDENT}{counted(aside, 'bad item')} set aside{f' in {where}' if where else ''}"


def _not_asked_for(document: Mapping[str, Any], *, left: str = "left out") -> Iterator[str]:
    if expired := _count(document, "items_expired"):
        yield f"{INDENT}{counted(expired, 'item')} {left}: expired (--skip-expired)"
    if others := _count(document, "items_left_out"):
        yield f"{INDENT}{counted(others, 'item')} {left}: not asked for"
    if absent := _count(document, "keys_absent"):
        yield f"{INDENT}{counted(absent, 'key')} asked for, but not in the export"


def _bad(document: Mapping[str, Any]) -> Iterator[str]:
    bad = _count(document, "items_bad")
    yield f"{INDENT}{counted(bad, 'item')} bad, would be set aside" if bad else f"{INDENT}every item can be written"
    if dropped := _count(document, "duplicates_dropped"):
        yield f"{INDENT}{counted(dropped, 'item')} would be left out: the same key stands again further on"


def _deletions(document: Mapping[str, Any]) -> Iterator[str]:
    if _is_number(document.get("items_deleted")):
        yield f"{INDENT}{counted(_count(document, 'items_deleted'), 'item')} deleted that the export does not have"
    elif _is_number(document.get("deletions_planned")):
        count = counted(_count(document, "deletions_planned"), "item")
        yield f"{INDENT}{count} would be deleted that the export does not have"


def _verify_words(document: Mapping[str, Any]) -> Iterator[str]:
    if not _is_number(document.get("items")):
        return
    sound = document.get("exit_code") == 0
    yield f"{'verified' if sound else 'read'}: {_amount(document)} in {document.get('export')}{_took(document)}"
    if _is_number(document.get("table_items")):
        yield from _compared(document, sound=sound)
    for doubt in _list(document, "not_proven"):
        yield f"{INDENT}not proven: {doubt}"
    unlisted = _list(document, "orphans")
    if unlisted:
        first = unlisted[0] if len(unlisted) == 1 else f"first {unlisted[0]}"
        yield f"{INDENT}not read: {counted(_count(document, 'orphan_count'), 'file')} that no manifest lists, {first}"


def _compared(document: Mapping[str, Any], *, sound: bool) -> Iterator[str]:
    held = counted(_count(document, "table_items"), "item")
    units = units_words(document.get("read_units_consumed"), kind="read")
    counts = ", ".join(f"{_count(document, kind):,} {kind}" for kind in ("missing", "extra", "different"))
    verdict = "exactly these" if sound else counts
    yield f"{INDENT}table {document.get('table')} holds {held}: {verdict}{f'; {units}' if units else ''}"


def _amount(document: Mapping[str, Any]) -> str:
    """`1,000 items in 4 files (518.9 KiB)`."""
    size = _number(document.get("bytes"))
    files = counted(_count(document, "files"), "file")
    sized = f" ({size_text(size)})" if size is not None else ""
    return f"{counted(_count(document, 'items'), 'item')} in {files}{sized}"


def _took(document: Mapping[str, Any]) -> str:
    seconds = _number(document.get("seconds"))
    if seconds is None:
        return ""
    return f", {seconds:.1f} s" if seconds < SHORT_S else f", {duration_text(seconds)}"


def _throttled(document: Mapping[str, Any]) -> str:
    throttles = _count(document, "throttles")
    return f"; {counted(throttles, 'request')} throttled" if throttles else ""


def _count(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _list(document: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = document.get(name)
    return value if isinstance(value, (list, tuple)) else ()


def _is_number(value: object) -> bool:
    return _number(value) is not None


def _number(value: object) -> float | None:
    """A number as it is, None for anything else: true and false are none."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
