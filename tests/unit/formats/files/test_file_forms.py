"""A dialect is one row: a test finds what is left out of it, and nothing is spelled elsewhere."""

from __future__ import annotations

import ast
import bz2
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynamodb_pipeline.formats.blocks.puts import checked_puts
from dynamodb_pipeline.formats.files.compression import Codec, open_plain
from dynamodb_pipeline.formats.files.dialects import detect, read_items
from dynamodb_pipeline.formats.files.file_forms import (
    FORMS,
    LAYOUTS,
    BlockForm,
    Dialect,
    DialectForm,
    DocRow,
    Layout,
)
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.formats.items.tags import DYNAMODB_SPELLINGS, NULL_TAG_OPTIONS

PROJECT = Path(__file__).resolve().parents[4]
DOC = (PROJECT / "docs" / "formats.md").read_text(encoding="utf-8")
KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"),))
PACK: dict[Codec, Callable[[bytes], bytes]] = {
    Codec.NONE: bytes,
    Codec.GZIP: gzip.compress,
    Codec.BZIP2: bz2.compress,
    Codec.DEFLATE: zlib.compress,
}
DIALECTS = [dialect for dialect in Dialect if dialect is not Dialect.EMPTY]


def example(dialect: Dialect) -> bytes:
    """The doc's first example of a dialect."""
    text = re.findall(rf"^```{dialect.value}\n(.*?)\n```$", DOC, re.DOTALL | re.MULTILINE)[0]
    return text.replace("^B", "\x02").replace("^C", "\x03").encode() + b"\n"


def missing(dialect: Dialect, form: DialectForm) -> Iterator[str]:
    """What the row of a dialect leaves out, or has wrong."""
    row = form.doc
    if f"| `{dialect.value}` | {row.written_by} | {row.tags} | {row.around} |" not in DOC:
        yield "docs row"
    if (form.recognises is None) is (form.variant_of is None):
        yield "detection"
    if form.recognises is not None and not form.recognises(example(dialect)):
        yield "detection of its own example"
    quick = checked_puts(example(dialect) * 2, keys=KEYS, dialect=dialect)
    if (quick is None) is (form.block is not None):
        yield "quick path"
    if form.block is not None and not example(dialect).startswith(form.block.before):
        yield "what encloses an item in a block"
    if not form.codecs:
        yield "compression"


def test_every_dialect_is_registered() -> None:
    unregistered = [dialect.name for dialect in DIALECTS if dialect not in FORMS]
    assert unregistered == [], "give each a row of FORMS in formats/files/file_forms.py; see CONTRIBUTING.md, a dialect"
    assert set(FORMS) == set(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_registration_is_complete(dialect: Dialect) -> None:
    assert dialect in FORMS, f"{dialect.name} has no row of FORMS in formats/files/file_forms.py"
    left_out = list(missing(dialect, FORMS[dialect]))
    assert left_out == [], f"the row of {dialect.name} in FORMS of formats/files/file_forms.py lacks these"


@pytest.mark.parametrize(
    ("left_out", "changes"),
    [
        ("docs row", {"doc": DocRow("nobody", "", "")}),
        ("detection", {"recognises": None}),
        ("detection", {"variant_of": Dialect.HIVE}),
        ("detection of its own example", {"recognises": lambda line: not line}),
        ("quick path", {"block": None}),
        ("what encloses an item in a block", {"block": BlockForm(DYNAMODB_SPELLINGS, before=b"[")}),
        ("compression", {"codecs": ()}),
    ],
)
def test_an_incomplete_registration_is_found(left_out: str, changes: dict) -> None:
    form = replace(FORMS[Dialect.NATIVE], **changes)
    assert left_out in missing(Dialect.NATIVE, form)


@pytest.mark.parametrize(("dialect", "codec"), [(d, c) for d in DIALECTS if d in FORMS for c in FORMS[d].codecs])
def test_a_dialect_is_read_in_every_compression_of_its_writers(dialect: Dialect, codec: Codec) -> None:
    plain = open_plain(PACK[codec](example(dialect)), name="f", limit_bytes=10_000)
    assert detect(bytes(plain)) is dialect
    (line,) = read_items(bytes(plain), name="f")
    assert line.error is None
    assert line.item


def _literals(source: str) -> Iterator[str]:
    """String literals that are no docstrings; bytes as text."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and id(node) not in docs:
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_the_connectors_names_of_null_are_spelled_in_one_module() -> None:
    """What writes, reads, detects and offers them takes them from there."""
    spelled = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "dynamodb_pipeline").rglob("*.py")
        if any(tag in text for text in _literals(path.read_text(encoding="utf-8")) for tag in NULL_TAG_OPTIONS)
    }
    assert spelled == {"dynamodb_pipeline/formats/items/tags.py"}


@pytest.mark.parametrize("layout", Layout)
def test_a_layouts_row_is_that_of_the_docs(layout: Layout) -> None:
    row = LAYOUTS[layout]
    assert f"| `{layout.value}` | {row.looks} | {row.written_by} |" in DOC
