"""docs/formats.md is tested: its examples are read, its tables hold every tag, field and refused format."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from dynamodb_pipeline.formats.documents.items import MEMBER_NAME_CHARS, MOST_TABLES
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.exports.manifest import ENTRY_BYTES, MAX_ENTRIES, OTHER_BYTES, parse, render
from dynamodb_pipeline.formats.files import foreign
from dynamodb_pipeline.formats.files.dialects import Dialect, detect, read_items
from dynamodb_pipeline.formats.files.foreign import CODECS, CONTAINERS, OBJECTS, TEXTS
from dynamodb_pipeline.formats.files.text import MAX_LINE_BYTES
from dynamodb_pipeline.formats.items.digest import BucketDigest, bucket_of, canonical_item
from dynamodb_pipeline.formats.items.long_text import LONG_TEXT_BYTES, MOST_HELD_BYTES, MOST_LEVELS, PIECE_BYTES
from dynamodb_pipeline.formats.items.tags import dynamodb_tag
from dynamodb_pipeline.reading.file_reader import MAX_PLAIN_BYTES
from dynamodb_pipeline.reading.source import MISSING_ASKED

DOC = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```([\w.-]+)\n(.*?)\n *```$", DOC, re.DOTALL | re.MULTILINE)
ITEM_BLOCKS = [(kind, text) for kind, text in BLOCKS if kind in {dialect.value for dialect in Dialect}]


def block(kind: str) -> str:
    (text,) = [text for found, text in BLOCKS if found == kind]
    return text


def plain_of(text: str) -> bytes:
    return text.replace("^B", "\x02").replace("^C", "\x03").encode() + b"\n"


EXAMPLE = json.loads(block("dynamodb-json"))


def test_the_doc_shows_every_dialect():
    assert {kind for kind, _ in ITEM_BLOCKS} == {dialect.value for dialect in Dialect if dialect is not Dialect.EMPTY}


@pytest.mark.parametrize(("kind", "text"), ITEM_BLOCKS, ids=lambda value: value[:20])
def test_every_example_line_is_the_one_item_in_its_dialect(kind, text):
    plain = plain_of(text)
    assert detect(plain).value == kind
    assert [line.item for line in read_items(plain, name="doc")] == [EXAMPLE]


def test_the_manifest_shown_is_byte_for_byte_what_is_written():
    data = block("manifest").encode()
    assert render(entry.url for entry in parse(data, where="doc").entries) == data


def test_the_export_record_shown_is_byte_for_byte_what_is_written_and_true():
    data = block("_export.json").encode() + b"\n"
    record = ExportRecord.from_bytes(data, where="doc")
    assert record.to_bytes() == data
    stored = plain_of(ITEM_BLOCKS[1][1])
    (file,) = record.files
    assert (file.bytes, file.item_count, file.sha256) == (len(stored), 1, hashlib.sha256(stored).hexdigest())
    record.check_manifest(parse(block("manifest").encode(), where="doc"), where="doc")


def test_every_field_of_the_record_is_in_its_table():
    table = DOC.partition("| Field | Type, range | Meaning |")[2].partition("\n\n")[0]
    own = {f"`{field.name}`" for field in dataclasses.fields(ExportRecord)}
    of_files = {f"`files[].{field.name}`" for field in dataclasses.fields(FileRecord)}
    assert own | of_files | {"`format_version`", "`point_in_time`", "`totals`", "`record_sha256`"} == set(
        re.findall(r"`[\w\[\].]+`", "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| `")))
    )


def test_every_tag_in_the_table_is_known_as_its_type():
    rows = re.findall(r"^\| [\w ]+ \| `([A-Z]+)` \| (.+?) \| (.+?) \|", DOC, re.MULTILINE)
    assert len(rows) == 10
    for upper, connector, small in rows:
        spellings = re.findall(r"`(\w+)`", connector + small)
        assert len(spellings) >= 2
        assert {dynamodb_tag(tag) for tag in [upper, *spellings]} == {upper}


def test_every_refused_format_is_in_the_doc():
    listed = DOC.partition("| What | Remedy |")[2].partition("\n\n")[0].replace("|", " ")
    words = (*(magic for table in (CODECS, CONTAINERS, TEXTS) for magic in table), *(form for _, form in OBJECTS))
    others = [value for value in vars(foreign).values() if isinstance(value, foreign.Foreign)]
    assert [form.name for form in (*words, *others) if _words(form.name) not in listed] == []


def _words(name: str) -> str:
    """A format's name as the doc lists it: without remarks in brackets and behind commas."""
    short = re.sub(r" \(.*\)|,.*", "", name) if name != "compress (.Z) data" else "compress (.Z)"
    return re.sub(r"^(zstd|lzop|xz|lz4|framed snappy) data$|^an? (zip|7-Zip) archive$", r"\1\2", short)


def test_the_item_examples_of_detection_are_true():
    told = re.findall(r"`(\{\"Item\":[^`]*)` (?:is )?(an attribute|wrapped)", " ".join(DOC.split()))
    assert len(told) == 4
    for line, what in told:
        assert detect(line.encode()) is (Dialect.NATIVE if what == "wrapped" else Dialect.DYNAMODB_JSON)


def test_the_line_bound_of_the_doc_is_the_real_one():
    assert f"at most {MAX_LINE_BYTES // 2**20} MiB" in DOC


def test_the_digest_example_is_true():
    record = ExportRecord.from_bytes(block("_export.json").encode(), where="doc")
    key = record.key_schema.key_of(EXAMPLE)
    digest = BucketDigest()
    digest.add(EXAMPLE, key)
    assert canonical_item(EXAMPLE) == block("canonical").strip().encode()
    assert f"`{hashlib.sha256(canonical_item(EXAMPLE)).hexdigest()}`" in DOC
    assert f"bucket {bucket_of(key)}." in DOC
    assert f"`{digest.total()}`" in DOC


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("with_record", [False, True], ids=["connector's export", "our export"])
def test_the_ten_lines_of_python_read_an_export(tmp_path, compressed, with_record):
    namespace: dict = {}
    exec(block("python"), namespace)
    record = ExportRecord.from_bytes(block("_export.json").encode(), where="doc")
    stored = plain_of(ITEM_BLOCKS[1][1])
    data = gzip.compress(stored) if compressed else stored
    file = dataclasses.replace(record.files[0], bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    record = dataclasses.replace(record, files=(file,), compression="gzip" if compressed else "none")
    (tmp_path / file.name).write_bytes(data)
    (tmp_path / "manifest").write_bytes(block("manifest").encode())
    if with_record:
        (tmp_path / "_export.json").write_bytes(record.to_bytes())
    assert list(namespace["read_export"](tmp_path)) == [json.loads(stored)]
    (tmp_path / file.name).write_bytes(data.replace(b"a", b"b") if not compressed else gzip.compress(b"{}\n"))
    if with_record:
        with pytest.raises(AssertionError):
            list(namespace["read_export"](tmp_path))


def test_every_section_in_the_contents_exists():
    links = re.findall(r"\]\(#([\w-]+)\)", DOC.partition("## 1.")[0])
    headings = [
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## (.+)$", DOC, re.MULTILINE)
    ]
    assert links == headings


def test_the_limits_are_those_of_the_code():
    table = DOC.partition("### 2.1 Limits\n")[2].partition("\n#")[0]
    named = {int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", table)}
    limits = {MAX_LINE_BYTES, MAX_PLAIN_BYTES, LONG_TEXT_BYTES, MOST_HELD_BYTES, MOST_LEVELS, PIECE_BYTES, MOST_TABLES}
    limits |= {MEMBER_NAME_CHARS, MAX_ENTRIES, ENTRY_BYTES, OTHER_BYTES, MISSING_ASKED}
    assert limits <= named
