"""Every remedy that a message of reading can print is run as it stands, and what it leaves is read."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from dynamodb_pipeline.errors import PipelineError, PreconditionError
from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
from dynamodb_pipeline.formats.files import foreign
from dynamodb_pipeline.formats.files.foreign import CODECS, CONTAINERS, OBJECTS, TEXTS, Foreign, foreign_message
from dynamodb_pipeline.reading.file_puts import ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.finished_runs import no_manifest_message
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.store.local import LocalObjectStore
from dynamodb_pipeline.store.s3 import S3ObjectStore
from tests.unit.reading.item_lines import lines
from tests.unit.reading.test_source import manifest

ITEMS = lines("ab")
READ = [{"id": {"S": key}, "n": {"N": "1"}} for key in "ab"]
ALL = [
    *(magic for table in (CODECS, CONTAINERS, TEXTS) for magic in table),
    *(found for _, found in OBJECTS),
    *(value for value in vars(foreign).values() if isinstance(value, Foreign)),
]
STORE = LocalObjectStore()
OPENSSL = "openssl enc -aes-256-cbc -pbkdf2 -pass pass:x"
GPG = "gpg --batch --quiet --pinentry-mode loopback --passphrase x"


def tool(command: str) -> Callable[[bytes], bytes]:
    """What a program makes of standard input."""
    return lambda data: subprocess.run(command, shell=True, input=data, capture_output=True, check=True).stdout


def in_archive(command: str) -> Callable[[bytes], bytes]:
    """An archive of one file, made by `command` in a folder of its own; its name is `packed`."""

    def pack(data: bytes) -> bytes:
        folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
        try:
            (folder / "part").write_bytes(data)
            subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
            return (folder / "packed").read_bytes()
        finally:
            shutil.rmtree(folder)

    return pack


def with_deletes(_: bytes) -> bytes:
    requests = [{"PutRequest": {"Item": item}} for item in READ]
    return json.dumps({"T": [*requests, {"DeleteRequest": {"Key": {"id": {"S": "c"}}}}]}).encode()


# What `compress`, which few machines have, makes of `ITEMS`.
COMPRESS = bytes.fromhex(
    "1f9d907b44a421234247c03905458411d187850837050342d4212206c33e0a020e8c28022145310c1d4e9498d0621f8c"
)
TEXT_ITEMS = [{"id": {"S": key}, "n": {"S": "1"}} for key in "ab"]
# Formats whose remedy is a command: the program it needs, how the file is made of items, what the command leaves.
MADE: dict[str, tuple[str, Callable[[bytes], bytes], list[Any]]] = {
    "zstd data": ("zstd", tool("zstd -c"), READ),
    "lzop data": ("lzop", tool("lzop -c"), READ),
    "xz data": ("xz", tool("xz -c"), READ),
    "lz4 data": ("lz4", tool("lz4 -c"), READ),
    "framed snappy data": ("snzip", tool("snzip -c"), READ),
    "a zip archive": ("unzip", in_archive("zip -q packed.zip part && mv packed.zip packed"), READ),
    "a 7-Zip archive": ("7z", in_archive("7z a packed.7z part && mv packed.7z packed"), READ),
    "compress (.Z) data": ("gzip", lambda _: COMPRESS, READ),
    "a tar archive": ("tar", in_archive("tar -czf packed part"), READ),
    "UTF-16 text": ("iconv", tool("iconv -f UTF-8 -t UTF-16"), READ),
    "text of a Windows code page, not UTF-8": (
        "iconv",
        lambda _: '{"id":{"S":"Ølperlen"}}\r\n'.encode("cp1252"),
        [{"id": {"S": "Ølperlen"}}],
    ),
    "a request file that deletes items": ("jq", with_deletes, READ),
    "CSV or other text with separators": ("python3", lambda _: b'id;n\r\na;1\r\n"b";1\r\n', TEXT_ITEMS),
}
# Remedies in words, for which a test stands here, or which only say what the file is not.
IN_WORDS: dict[str, str] = {
    "a Hadoop block codec (snappy, lz4 or lzo)": "needs a cluster with the codec",
    "a Hadoop SequenceFile": "needs Hadoop; what its values are only the writer knows",
    "a database of DynamoDB Local (SQLite)": "needs DynamoDB Local; test_output_of_a_scan_is_read",
    "data encrypted by openssl": "test_what_is_decrypted_is_read",
    "a PGP message": "test_what_is_decrypted_is_read",
    "data compressed twice": "test_data_compressed_twice_is_decompressed_once",
    "binary data of no known format, perhaps encrypted by whoever stored it": "nobody else knows how",
    "JSON without DynamoDB's type tags": "test_values_with_a_tag_are_read",
    "a JSON array of no objects": "says what an item is",
    **dict.fromkeys(
        ("Parquet", "Avro", "ORC", "XML", "Hive text with columns (0x01)"), "the types are not in the file"
    ),
    **dict.fromkeys(
        (
            "a Data Pipeline manifest",
            "a native export's manifest-files.json",
            "a native export's manifest-summary.json",
            "an export record (_export.json)",
            "a table's description",
        ),
        "test_the_folder_of_a_manifest_is_read",
    ),
    **dict.fromkeys(
        (
            "AWS's native incremental export",
            "change records of a stream",
            "an event of a stream with change records",
            "binary Amazon Ion",
        ),
        "another export is to be made",
    ),
}


def items_in(folder: Path) -> list[Any]:
    """The items of a folder, read as with --without-manifest."""
    source = load_source(STORE, str(folder), without_manifest=True)
    reader = FileReader(STORE)
    judged = [found for file in source.files for found in reader.items(reader.open(file))]
    return [found.item for found in judged if isinstance(found, ParsedItem)]


def problems_in(path: Path) -> list[str]:
    return inspect_path(STORE, str(path), InspectOptions(), progress=lambda _: None).problems


def run(command: str, **environment: str) -> None:
    words = [f"{name}={quote(value)}" for name, value in environment.items()]
    subprocess.run(["bash", "-ec", f"export {' '.join(words)} HOME=$HOME\n{command}"], check=True, capture_output=True)


def command_of(message: str) -> str:
    """The command at the end of a message."""
    found = re.search(r"(?:--without-manifest|start again|, run): (.*)$", message)
    assert found is not None, message
    return found[1]


def test_every_format_has_its_remedy_run_or_a_reason() -> None:
    assert {found.name for found in ALL} == {*MADE, *IN_WORDS}
    by_command = {found.name for found in ALL if found.through or found.unpack}
    assert by_command == set(MADE)


def test_few_programs_are_missing_here() -> None:
    assert {name for name, *_ in MADE.values() if shutil.which(name) is None} <= {"lzop", "snzip", "7z"}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("folder", ["in", "in put's"])
def test_a_remedy_makes_the_file_readable(name: str, folder: str, tmp_path: Path) -> None:
    program, make, expected = MADE[name]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here")
    path = tmp_path / folder / "da ta"
    path.parent.mkdir()
    path.write_bytes(make(ITEMS))
    (problem,) = problems_in(path.parent)
    assert problem.startswith(str(path))
    assert name in problem
    run(command_of(problem), GNUPGHOME=str(tmp_path))
    assert items_in(tmp_path / f"{folder}-readable") == expected


@pytest.mark.parametrize("found", [found for found in ALL if found.through or found.unpack], ids=lambda f: f.name)
def test_the_command_for_an_object_in_s3_reads_and_writes_there(found: Foreign) -> None:
    command = command_of(foreign_message(found, "s3://b/in put/f"))
    assert command.startswith("aws s3 cp 's3://b/in put/f' ")
    assert command.endswith(" 's3://b/in put-readable/f'" if found.through else " 's3://b/in put-readable'")


def test_a_manifest_under_another_name_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(ITEMS)
    (tmp_path / "manifest (1).txt").write_bytes(manifest("a"))
    message = no_manifest_message(STORE, str(tmp_path), command="import")
    assert "is a manifest under another name" in message
    run(command_of(message))
    assert [file.name for file in load_source(STORE, str(tmp_path)).files] == ["a"]


def test_data_compressed_twice_is_decompressed_once(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    twice.write_bytes(tool("gzip -c | gzip -c")(ITEMS))
    (problem,) = problems_in(twice)
    assert "decompress it once (gzip -d or bzip2 -d)" in problem
    once.write_bytes(tool("gzip -d")(twice.read_bytes()))
    assert items_in(once) == READ


@pytest.mark.parametrize(
    ("encrypt", "decrypt", "said"),
    [
        (f"{OPENSSL} -e", f"{OPENSSL} -d", "openssl enc -d"),
        (f"{GPG} -c --armor", f"{GPG} -d", "gpg -d decrypts it"),
    ],
    ids=["openssl", "gpg"],
)
def test_what_is_decrypted_is_read(
    encrypt: str, decrypt: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(tmp_path))
    path = tmp_path / "f"
    try:
        path.write_bytes(tool(encrypt)(ITEMS))
        (problem,) = problems_in(path)
        assert said in problem
        path.write_bytes(tool(decrypt)(path.read_bytes()))
    finally:
        if gpgconf := shutil.which("gpgconf"):  # gpg leaves an agent of this folder running
            subprocess.run([gpgconf, "--kill", "gpg-agent"], check=True)
    assert items_in(path) == READ


def test_a_database_of_dynamodb_local_is_named(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shared-local-instance.db") as database:
        database.execute("create table T (id)")
    (problem,) = problems_in(tmp_path)
    assert "a database of DynamoDB Local (SQLite)" in problem


def test_values_with_a_tag_are_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'{"id": "text"}\n')
    (problem,) = problems_in(tmp_path)
    shown = problem.partition("for instance ")[2]
    (tmp_path / "f").write_text(json.dumps({"id": json.loads(shown)}))
    assert items_in(tmp_path) == [{"id": {"S": "text"}}]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("copy-of-manifest", manifest("a")),
        ("files", b'{"itemCount":6,"md5Checksum":"EV==","etag":"a","dataFileS3Key":"k"}\n'),
        ("summary", b'{"version":"2020-06-30","exportArn":"a","manifestFilesS3Key":"k"}'),
        ("record", b'{"format_version":1,"run_id":"r","files":[]}'),
        ("described", b'{"Table":{"TableName":"T"}}'),
    ],
)
def test_the_folder_of_a_manifest_is_read(name: str, data: bytes, tmp_path: Path) -> None:
    """Given by itself it is no file of items; the folder it lies in is."""
    (tmp_path / name).write_bytes(data)
    (problem,) = problems_in(tmp_path / name)
    assert re.search("import the (folder it lies in|files beside it)$", problem)
    (tmp_path / name).rename(tmp_path / "_other")
    (tmp_path / "a").write_bytes(ITEMS)
    (tmp_path / "manifest").write_bytes(manifest("a"))
    assert [file.name for file in load_source(STORE, str(tmp_path)).files] == ["a"]


@pytest.fixture
def bucket() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_bucket(Bucket="bucket")
        yield client


def test_an_archived_object_is_restored_by_the_command_that_is_printed(bucket: Any) -> None:
    """The words of the command are those of the service's model."""
    bucket.put_object(Bucket="bucket", Key="in put/f", Body=ITEMS, StorageClass="GLACIER")
    store = S3ObjectStore(lambda _: bucket)
    with pytest.raises(PreconditionError, match=r"in put/f is archived \(Glacier\)") as refused:
        store.get("s3://bucket/in put/f")
    words = command_of(str(refused.value))
    assert words == "aws s3api restore-object --bucket bucket --key 'in put/f' --restore-request Days=7"
    bucket.restore_object(Bucket="bucket", Key="in put/f", RestoreRequest={"Days": 7})
    assert store.get("s3://bucket/in put/f") == ITEMS
    assert isinstance(refused.value, PipelineError)
    assert isinstance(refused.value.__cause__, ClientError)
