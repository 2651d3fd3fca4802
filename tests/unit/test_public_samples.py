"""Files of real tools and real people, read from beside the repository: see the README there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from dynamodb_pipeline.formats.documents.detection import detect_form
from dynamodb_pipeline.formats.documents.items import DocumentItems
from dynamodb_pipeline.formats.exports import native_manifest
from dynamodb_pipeline.formats.exports.layout import NATIVE_SUMMARY
from dynamodb_pipeline.formats.files.compression import open_plain
from dynamodb_pipeline.formats.files.dialects import Dialect, detect, read_lines
from dynamodb_pipeline.formats.files.file_forms import FileForm, Layout
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import PlainLines, md5_base64
from dynamodb_pipeline.formats.items.item_rules import canonical_number
from tests.public_samples import CASES, MISSING, SAMPLES, sample_params

DIALECTS = {
    "datapipeline-json": Dialect.CONNECTOR,
    "hive": Dialect.HIVE,
    "native-export": Dialect.NATIVE,
    "native-lines": Dialect.NATIVE,
    "native-pretty": Dialect.NATIVE,
}

pytestmark = MISSING


def case_of(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def objects_of(path: Path) -> dict[str, bytes]:
    """Key in the sample's folder -> the file's bytes."""
    return {key: (path.parent / file).read_bytes() for key, file in case_of(path)["objects"]}


def is_data(key: str) -> bool:
    return not key.rpartition("/")[2].startswith("manifest-")


def in_any_order(item: dict) -> dict:
    """Members of a set, and the spelling of a number, mean nothing; the expected items are normalised."""
    return {name: _value(value) for name, value in item.items()}


def _value(value: dict) -> dict:
    ((tag, content),) = value.items()
    if tag == "N":
        content = canonical_number(content)
    if tag == "NS":
        content = sorted(map(canonical_number, content))
    if tag in {"SS", "BS"}:
        content = sorted(content)
    if tag == "L":
        content = [_value(element) for element in content]
    if tag == "M":
        content = in_any_order(content)
    return {tag: content}


def texts_of(plain: bytes, form: FileForm) -> Iterable[tuple[int, int, bytes]]:
    """The items' texts, whatever the layout."""
    if form.layout is Layout.LINES:
        return PlainLines(plain)
    document = DocumentItems(plain, form.layout)
    return (text for _ in document for text in document.one_by_one())


def items_of(path: Path) -> list[dict]:
    found = []
    for key, stored in objects_of(path).items():
        if is_data(key):
            plain = open_plain(stored, name=key, limit_bytes=1_000_000)
            form = detect_form(plain)
            assert form.dialect is DIALECTS[case_of(path)["format"]]
            lines = list(read_lines(texts_of(plain, form), name=key, dialect=form.dialect))
            assert [line.error for line in lines] == [None] * len(lines)
            found += [line.item for line in lines]
    return found


def sorted_texts(items: list[dict]) -> list[str]:
    return sorted(json.dumps(in_any_order(item), sort_keys=True) for item in items)


READABLE = [case for case in CASES if case_of(case)["format"] in DIALECTS and case_of(case)["count"]]


def test_there_are_samples_of_every_generation():
    assert {case_of(case)["format"] for case in READABLE} == set(DIALECTS)


@pytest.mark.parametrize("case", sample_params(READABLE))
def test_a_real_file_gives_exactly_its_items(case):
    expected = [json.loads(line) for line in (case.parent / "expected.jsonl").read_text("utf-8").splitlines()]
    found = items_of(case)
    assert len(found) == case_of(case)["count"]
    assert sorted_texts(found) == sorted_texts(expected)


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("sabuat-native-without-data", "manifest-"),
        ("scylla-migrator-native-export", "manifest-"),
    ],
)
def test_a_real_file_that_holds_no_item_lines_is_refused_by_name(sample, name):
    objects = objects_of(SAMPLES / sample / "case.json")
    refused = {key: data for key, data in objects.items() if "manifest" in key}
    assert refused
    for key, data in refused.items():
        with pytest.raises(FormatError, match=name):
            detect(data, name=key)


@pytest.mark.parametrize("sample", ["sabuat-native-without-data", "scylla-migrator-native-export"])
def test_a_real_native_export_is_checked_by_counts_and_md5(sample):
    objects = objects_of(SAMPLES / sample / "case.json")
    key = next(key for key in objects if key.endswith(NATIVE_SUMMARY))
    folder = key[: -len(NATIVE_SUMMARY)].rstrip("/")
    where = f"s3://b/{key}"
    summary = native_manifest.parse_summary(objects[key], where=where)
    files = native_manifest.parse_files(objects[key.replace("summary", "files")], where=where)
    native_manifest.check_item_total(summary, files, where=where)
    assert summary.item_count > 0
    stored = {f"s3://b/{key}": data for key, data in objects.items() if is_data(key)}
    found = {
        uri: file
        for file in files
        if (uri := native_manifest.current_uri(file.data_file_key, folder=f"s3://b/{folder}".rstrip("/"))) in stored
    }
    assert len(found) == len(stored)
    for uri, file in found.items():
        assert md5_base64(stored[uri]) == file.md5
