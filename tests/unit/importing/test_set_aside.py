"""Bad items: how many are allowed, what is kept of them, under which names."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import IntegrityError, UsageError
from dynamodb_pipeline.formats.files.text import LineError
from dynamodb_pipeline.importing.set_aside import SetAside, check_aside, keep_aside
from dynamodb_pipeline.reading.file_puts import BadLine
from dynamodb_pipeline.reading.input_files import FileWork
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options
from dynamodb_pipeline.settings.values import parse_item_limit
from tests.unit.store.memory_store import MemoryStore


def aside(folder: str, *, source: str) -> S3Uri | None:
    words = ["--table", "Forum", "--input", source, "--set-aside", folder]
    return import_settings(job_options("import", words)).set_aside


def bad(number: int, text: bytes = b'{"n":{"x":"1"}}') -> BadLine:
    return BadLine(text, LineError("unknown type tag", name="s3://b/f", line=number, offset_bytes=40, path="n"))


@pytest.mark.parametrize(
    ("text", "total", "most"),
    [("0", 10, 0), ("100", 10, 100), ("10%", 99, 9), ("0%", 99, 0), ("100%", 99, 99), ("0.5%", 1000, 5)],
)
def test_the_limit_is_a_count_or_a_percentage_of_all_items(text: str, total: int, most: int) -> None:
    limit = parse_item_limit(text, option="--max-set-aside")
    assert limit.most(total) == most
    assert not limit.exceeded(most, total=total)
    assert limit.exceeded(most + 1, total=total)
    assert str(limit) == text


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "x%", "%", "nan%", "²"])
def test_anything_else_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="--max-deletions"):
        parse_item_limit(text, option="--max-deletions")


def test_without_a_folder_the_first_bad_line_is_the_reason_to_stop() -> None:
    with pytest.raises(IntegrityError, match=r"s3://b/f: line 3 \(byte 40\): n: unknown type tag.*--set-aside"):
        check_aside(None, [bad(3)])


def test_bad_lines_may_be_as_many_as_allowed() -> None:
    plan = SetAside("s3://aside", max_count=2)
    check_aside(plan, [bad(1), bad(2)])
    with pytest.raises(IntegrityError, match="more than the 2 bad items"):
        check_aside(plan, [bad(1), bad(2), bad(3)])


def test_lines_are_kept_byte_for_byte_with_their_reasons_beside_them() -> None:
    store, odd = MemoryStore(), b"\xff\x00 odd \x03"
    file = store.file("s3://b/folder/f.gz", b"")
    keep_aside(store, SetAside("s3://aside/run"), FileWork("file-12", file, 12), [bad(3), bad(9, odd)])
    assert store.objects["s3://aside/run/0000012-f.gz.items"] == b'{"n":{"x":"1"}}\n' + odd + b"\n"
    reasons = json.loads(store.objects["s3://aside/run/_0000012-f.gz.reasons.json"])
    assert reasons["file"] == "s3://b/folder/f.gz"
    assert reasons["items"][0] == {"line": 3, "offset_bytes": 40, "path": "n", "reason": "unknown type tag"}


def test_a_rerun_keeps_the_same_objects() -> None:
    store = MemoryStore()
    file = store.file("s3://b/f", b"")
    for _ in range(2):
        keep_aside(store, SetAside("s3://aside"), FileWork("file-0", file, 0), [bad(3)])
    assert sorted(store.objects) == ["s3://aside/0000000-f.items", "s3://aside/_0000000-f.reasons.json", "s3://b/f"]


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("s3://bkt/x/aside", "s3://bkt/x"),
        ("s3://bkt/x/", "s3://bkt/x"),
        ("s3n://bkt/x/aside", "s3://bkt/x/"),
    ],
)
def test_a_folder_inside_the_input_is_refused(folder: str, source: str) -> None:
    with pytest.raises(UsageError, match=f"--set-aside {folder} lies inside {source}"):
        aside(folder, source=source)


def test_a_folder_of_this_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="is not an s3:// address"):
        aside("/tmp/aside", source="s3://bkt/x")


@pytest.mark.parametrize("source", ["s3://bkt/x", "s3://other/aside", "/data/aside", "s3://bkt"])
def test_a_folder_beside_the_input_is_taken(source: str) -> None:
    assert str(aside("s3://bkt/x-aside", source=source)) == "s3://bkt/x-aside"
