"""
`--keys` and `--key-prefix`: the keys that an import is restricted to, read once and checked against the table's key.

A file of keys is JSON lines, each a key in DynamoDB JSON such as `{"Id": {"S": "x"}, "Sort": {"N": "5"}}`, or the
result of a verification, whose differing keys are taken.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError, integer, parse_json
from dynamodb_pipeline.formats.items.key_schema import KeySchema, key_parts
from dynamodb_pipeline.reading.key_spill import KeySpill, key_hash
from dynamodb_pipeline.store.objects import ObjectMissingError, ObjectStore

KEYS_MAX = 100_000  # every worker holds them: some 15 MB of short keys
FILE_BYTES_MAX = 64 * 1024 * 1024
IN_EXPORT = ("missing", "different")  # kinds of a verification's differences that the export has an item for


@dataclass(frozen=True)
class KeyPrefix:
    """The beginning of a partition key's text, of a sort key's, or of both."""

    partition: str | None = None
    sort: str | None = None

    def check(self, schema: KeySchema) -> None:
        """
        Raises:
            PreconditionError: a key of this table has no such part, or it is no text.
        """
        for number, (part, prefix) in enumerate((("partition", self.partition), ("sort", self.sort))):
            if prefix is None:
                continue
            attribute = schema.attributes[number] if number < len(schema.attributes) else None
            if attribute is None or attribute.type != "S":
                kind = "has no sort key" if attribute is None else f"is of type {attribute.type}, which has no prefix"
                where = "the table" if attribute is None else f"{attribute.name!r} of the table's key"
                msg = f"prefix {prefix!r} of the {part} key: {where} {kind}; the key is {schema.describe()}"
                msg += ". Nothing was written"
                raise PreconditionError(msg)


@dataclass(frozen=True)
class WantedKeys:
    """
    What keys an import writes; canonical keys as of `KeySchema.key_of`.

    Attributes:
        keys: exactly these, None for any.
        prefixes: how key values begin, in the schema's order.
        unlisted: keys that differed, by a verification's counts, and that its list was too short for.
    """

    keys: frozenset[bytes] | None = None
    prefixes: tuple[bytes, ...] = ()
    unlisted: int = 0

    def digest(self) -> str:
        """The same for the same keys: a run is resumed with what it began with."""
        values = [*sorted(self.keys or ()), b"", *self.prefixes]
        return hashlib.sha256(b"".join(len(value).to_bytes(4, "big") + value for value in values)).hexdigest()

    def __contains__(self, key: bytes) -> bool:
        if self.keys is not None:
            return key in self.keys
        return all(part.startswith(prefix) for part, prefix in zip(key_parts(key), self.prefixes))


def wanted_keys(store: ObjectStore, schema: KeySchema, *, file: str | None, prefix: KeyPrefix) -> WantedKeys | None:
    """
    What the options ask for, None where they ask for everything.

    Raises:
        PreconditionError: the file is none of keys of this table; names the line. See `KeyPrefix.check` too.
    """
    if file is not None:
        try:
            data = store.get(file)
        except ObjectMissingError as err:
            raise _refusal(file, "there is no such file") from err
        return _asked(data, schema, name=file)
    if prefix == KeyPrefix():
        return None
    prefix.check(schema)
    return WantedKeys(prefixes=((prefix.partition or "").encode(), (prefix.sort or "").encode()))


def _asked(data: bytes, schema: KeySchema, *, name: str) -> WantedKeys:
    if len(data) > FILE_BYTES_MAX:
        raise _refusal(name, f"{len(data):,} bytes; at most {FILE_BYTES_MAX:,} are read")
    result = _result(data)
    entries = _lines(data, name=name) if result is None else _differing(result["differences"], name=name)
    keys: set[bytes] = set()
    for place, key in entries:
        keys.add(_canonical(key, schema, place=place))
        if len(keys) > KEYS_MAX:
            raise _refusal(name, f"more than {KEYS_MAX:,} keys; give them in several imports")
    if not keys:
        raise _refusal(name, "no key")
    return WantedKeys(frozenset(keys), unlisted=max(0, _differing_count(result or {}) - len(keys)))


def _differing_count(result: Mapping[str, Any]) -> int:
    """How many keys differed by a result's own counts; what is no count is none."""
    count = 0
    for kind in IN_EXPORT:
        with suppress(ValueError):
            count += integer(result.get(kind))
    return count


def _lines(data: bytes, *, name: str) -> Iterator[tuple[str, Any]]:
    """Every key of the file with its place for messages."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            place = f"{name} line {number}"
            try:
                yield place, parse_json(line)
            except JsonTextError as err:
                raise _refusal(place, str(err)) from err


def _result(data: bytes) -> dict[str, Any] | None:
    """A verification's result, None where the file is none."""
    try:
        members = parse_json(data)
    except JsonTextError:
        return None
    return members if isinstance(members, dict) and isinstance(members.get("differences"), list) else None


def _differing(differences: Iterable[Any], *, name: str) -> Iterator[tuple[str, Any]]:
    for number, difference in enumerate(differences, 1):
        place = f"{name} difference {number}"
        if not isinstance(difference, dict):
            raise _refusal(place, "not one of a verification's result")
        if difference.get("kind") in IN_EXPORT:
            yield place, difference.get("item_key")


def _canonical(key: Any, schema: KeySchema, *, place: str) -> bytes:
    if not isinstance(key, dict) or set(key) != set(schema.names):
        raise _refusal(place, f"no key of this table, which is {schema.describe()}")
    try:
        return schema.key_of(key)
    except ItemError as err:
        raise _refusal(place, str(err)) from err


def _refusal(place: str, reason: str) -> PreconditionError:
    return PreconditionError(f"--keys: {place}: {reason}. Nothing was written")


def asks_for(wanted: WantedKeys | None, key: bytes | None) -> bool:
    """True for the key of an item that is to be written."""
    return wanted is None or (key is not None and key in wanted)


def missing_keys(wanted: WantedKeys | None, export: KeySpill) -> tuple[bytes, ...]:
    """Those of the keys asked for that the export has no item of, sorted."""
    by_part: dict[int, list[bytes]] = defaultdict(list)
    for key in (wanted and wanted.keys) or ():
        by_part[key_hash(key)[0]].append(key)
    absent: list[bytes] = []
    for part, keys in by_part.items():
        held = export.key_hashes(part)
        absent += [key for key in keys if key_hash(key) not in held]
    return tuple(sorted(absent))
