"""Keys that are asked for: from a file, from a verification's result, by their beginnings."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.reading.key_spill import KeySpill, place_bytes
from dynamodb_pipeline.selection import wanted_keys as module
from dynamodb_pipeline.selection.wanted_keys import KeyPrefix, WantedKeys, missing_keys, wanted_keys
from tests.unit.reading.item_lines import COMPOSITE, KEYS, key_of
from tests.unit.store.memory_store import MemoryStore

FILE = "s3://b/keys"
TEXTS = KeySchema((KeyAttribute("id", "HASH", "S"), KeyAttribute("at", "RANGE", "S")))


def wanted(text: str, schema: KeySchema = KEYS) -> WantedKeys:
    store = MemoryStore()
    store.put(FILE, text.encode())
    asked = wanted_keys(store, schema, file=FILE, prefix=KeyPrefix())
    assert asked is not None
    return asked


def key_text(**values: Any) -> str:
    return json.dumps(values)


def test_nothing_asked_for_is_everything() -> None:
    assert wanted_keys(MemoryStore(), KEYS, file=None, prefix=KeyPrefix()) is None


def test_keys_of_a_file_are_compared_by_value() -> None:
    asked = wanted(key_text(id={"S": "a"}, n={"N": "1.0"}) + "\n\n" + key_text(n={"N": "2"}, id={"S": "b"}), COMPOSITE)
    assert COMPOSITE.key_of({"id": {"S": "a"}, "n": {"N": "1"}}) in asked
    assert COMPOSITE.key_of({"id": {"S": "a"}, "n": {"N": "2"}}) not in asked


def test_what_a_verification_misses_can_be_given_as_it_is() -> None:
    """Keys that only the table has are no business of an import."""
    kinds = [("missing", "a"), ("extra", "b"), ("different", "c")]
    differences = [{"kind": kind, "key": {"id": name}, "item_key": {"id": {"S": name}}} for kind, name in kinds]
    asked = wanted(json.dumps({"table": "orders", "differences": differences}, indent=1))
    assert [key_of(name) in asked for name in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key"),
        ('{"id": {"S": "a"}}\nnonsense', "line 2"),
        ('{"id": {"S": "a"}, "id": {"S": "b"}}', "line 1"),
        ('{"id": {"S": "a"}, "n": {"N": "1"}}', "no key of this table, which is id (S, HASH)"),
        ('{"id": {"N": "1"}}', "HASH key must be of type S"),
        ("[1]", "no key of this table"),
        ('{"differences": [{"kind": "missing", "key": {"id": "a"}}]}', "difference 1: no key of this table"),
        ('{"differences": [7]}', "not one of a verification's result"),
    ],
)
def test_what_is_no_key_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(PreconditionError, match="Nothing was written") as caught:
        wanted(text)
    assert said in str(caught.value)
    assert FILE in str(caught.value)


def test_a_list_that_was_too_short_for_all_that_differed_is_known() -> None:
    differences = [{"kind": "missing", "item_key": {"id": {"S": name}}} for name in "abc"]
    result = {"missing": 7, "different": 2, "extra": 40, "differences": differences}
    assert wanted(json.dumps(result)).unlisted == 6
    assert wanted(json.dumps({**result, "missing": 3, "different": 0})).unlisted == 0


def test_a_file_that_there_is_not_is_refused() -> None:
    with pytest.raises(PreconditionError, match="--keys: s3://b/keys: there is no such file"):
        wanted_keys(MemoryStore(), KEYS, file=FILE, prefix=KeyPrefix())


def test_too_many_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYS_MAX", 2)
    with pytest.raises(PreconditionError, match="more than 2 keys; give them in several imports"):
        wanted("\n".join(key_text(id={"S": str(n)}) for n in range(3)))


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        (KeyPrefix(partition="user#"), ["user#1 2026", "user#2 2025"]),
        (KeyPrefix(sort="2026"), ["user#1 2026", "order#1 2026"]),
        (KeyPrefix("user#", "2026"), ["user#1 2026"]),
        (KeyPrefix("größe"), []),
    ],
)
def test_a_prefix_is_of_the_keys_text(prefix: KeyPrefix, taken: list[str]) -> None:
    asked = wanted_keys(MemoryStore(), TEXTS, file=None, prefix=prefix)
    assert asked is not None
    names = ["user#1 2026", "user#2 2025", "order#1 2026"]
    keys = [TEXTS.key_of({"id": {"S": a}, "at": {"S": b}}) for a, _, b in (name.partition(" ") for name in names)]
    assert [name for name, key in zip(names, keys) if key in asked] == taken


@pytest.mark.parametrize(
    ("schema", "prefix", "said"),
    [
        (KEYS, KeyPrefix(sort="x"), "prefix 'x' of the sort key: the table has no sort key"),
        (COMPOSITE, KeyPrefix(sort="x"), "'n' of the table's key is of type N, which has no prefix"),
    ],
)
def test_a_prefix_of_what_has_none_is_refused(schema: KeySchema, prefix: KeyPrefix, said: str) -> None:
    with pytest.raises(PreconditionError) as caught:
        wanted_keys(MemoryStore(), schema, file=None, prefix=prefix)
    assert said in str(caught.value)


def test_keys_that_the_export_lacks_are_named() -> None:
    with KeySpill() as export:
        export.add_block(base64.b64encode(place_bytes(key_of("a"), file=0, line=1)).decode())
        assert missing_keys(WantedKeys(frozenset(map(key_of, "abc"))), export) == (key_of("b"), key_of("c"))
        assert missing_keys(WantedKeys(prefixes=(b"x", b"")), export) == ()
        assert missing_keys(None, export) == ()


def test_a_digest_tells_what_was_asked_for() -> None:
    asked = [
        WantedKeys(frozenset({b"a", b"b"})), WantedKeys(frozenset({b"ab"})), WantedKeys(prefixes=(b"a", b"")),
        WantedKeys(prefixes=(b"", b"a")),
    ]  # fmt: skip
    assert len({one.digest() for one in asked}) == 4
    assert WantedKeys(frozenset({b"b", b"a"})).digest() == asked[0].digest()
