"""Small inputs in the form of what public reports describe, read from beside the repository: see the README there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.errors import IntegrityError, PipelineError, PreconditionError
from dynamodb_pipeline.folders.inspect import Inspection, InspectOptions, inspect_path
from dynamodb_pipeline.reading.file_puts import ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.finished_runs import SourceChoice, backups_below, choose_finished_run
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.store.local import LocalObjectStore

CASES = Path(__file__).resolve().parents[3] / "shared" / "field-cases"
STORE = LocalObjectStore()

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="field cases are not beside this repository")


def keyed(name: str, *keys: str, **more: Any) -> list[Any]:
    return [{name: {"S": key}, **more} for key in keys]


@dataclass(frozen=True)
class Read:
    """A case that is read: its items; what its notes say."""

    items: list[Any]
    note: str = ""


@dataclass(frozen=True)
class Refused:
    """A case that is refused, and what it is called."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Chosen:
    """Several exports, of which one of the table `Tab` or `T` is taken, or none."""

    folder: str | None
    words: tuple[str, ...] = ()


N = [{"id": {"S": key}, "n": {"N": number}} for key, number in zip("abc", "123")]
EXPECTED: dict[str, Read | Refused | Chosen] = {
    "c01-node-buffer": Read(
        [
            {"createdAt": {"S": "2017-05-02T09:50:52.322Z"}, "id": {"S": "e0"}, "body": {"B": "ZXlKcA=="}},
            {"createdAt": {"S": "2017-05-02T09:51:19.258Z"}, "id": {"S": "e2"}, "body": {"B": "AP8="}},
        ]
    ),
    "c02-dynamodump": Read(
        [
            {
                "SubObject": {"M": {"BinaryInMap": {"B": "MA=="}}},
                "PK": {"S": "1"},
                "BinaryData": {"B": "MA=="},
            },
            *keyed("PK", "2", "3"),
        ]
    ),
    "c06-batch-request": Read([{"pk": {"S": "1"}, "sk": {"S": "a"}}, {"pk": {"S": "2"}, "sk": {"S": "b"}}]),
    "c07-concatenated": Read(N),
    "c08-stream-records": Refused(("change records of a stream",)),
    "c10-incremental": Refused(("incremental export",)),
    "c12-native-empty-parts": Read([{"id": {"S": f"k{n}"}, "n": {"N": f"{n}"}} for n in range(4)]),
    "c13-native-gunzipped": Refused(("unpacked by hand", "/data/ with --without-manifest")),
    "c14b-two-exports": Chosen(None, ("2 finished exports", "--latest")),
    "c19-cli-scan-pretty": Read([N[0], *keyed("id", "b")]),
    "c19b-cli-scan-oneline": Read([N[0], *keyed("id", "b")]),
    "c20-docs-array": Read(
        [{"Authors": {"SS": ["Author1", "Author2"]}, "Id": {"N": "103"}, "InPublication": {"BOOL": False}}]
    ),
    "c22-manifest-txt": Read(keyed("id", "a", "b"), note="is a manifest under another name"),
    "c24-go-v1-nulls": Read(
        [
            {
                "id": {"S": "a"},
                "n": {"N": "1"},
                "flag": {"BOOL": True},
                "none": {"NULL": True},
                "list": {"L": [{"S": "x"}]},
                "m": {"M": {"k": {"N": "2"}}},
            }
        ]
    ),
    "c26-nosql-workbench": Read(keyed("id", "a", "b")),
    "c28-tar-gz": Refused(("a tar archive", "tar -xf")),
    "c31-client-side-encrypted": Refused(("binary data of no known format", "encrypted")),
    "c32-dynamodb-local-db": Refused(("DynamoDB Local", "SQLite")),
    "c43-comma-lines": Read(keyed("id", "a", "b")),
    "c48-partition-folders": Read(keyed("id", "a", "b")),
    "c52b-latest-other-table": Chosen("AWSDynamoDB/01700000000000-aaaaaaaa"),
    "c53-full-and-incrementals": Chosen("AWSDynamoDB/01700000000000-aaaaaaaa"),
    "c54-incremental-layout": Refused(("incremental export",)),
    "c57-cp1252": Refused(("Windows code page", "iconv")),
    "c60-native-flat": Read(keyed("id", "k0", "k1")),
    "c62-array-streamed": Read([{"id": {"S": "a"}, "b": {"B": "AQI="}}, *keyed("id", "b", "c")]),
    "c11-ion": Read(
        [
            {"id": {"S": "a"}, "n": {"N": "1"}, "s": {"SS": ["x"]}, "b": {"B": "aGk="}},
            {"id": {"S": "b"}, "n": {"N": "2.5"}},
        ]
    ),
}
READ = [name for name, expected in EXPECTED.items() if isinstance(expected, Read)]
REFUSED = [name for name, expected in EXPECTED.items() if isinstance(expected, Refused)]
CHOSEN = [name for name, expected in EXPECTED.items() if isinstance(expected, Chosen)]


def place(name: str) -> str:
    return str(CASES / name / "in")


def inspected(name: str) -> Inspection:
    return inspect_path(STORE, place(name), InspectOptions(), progress=lambda _: None)


def items_of(folder: str) -> tuple[list[Any], str]:
    """As an import finds them: of the only export there, else of every file; and the notes."""
    folders = [backup.folder for backup in backups_below(STORE, folder) if backup.has_manifest]
    source = load_source(STORE, folders[0] if folders else folder, without_manifest=not folders)
    reader = FileReader(STORE, source.key_schema)
    judged = [found for file in source.files for found in reader.items(reader.open(file))]
    return [found.item for found in judged if isinstance(found, ParsedItem)], " ".join(source.notes)


def finished_below(name: str) -> bool:
    return any(backup.has_manifest for backup in backups_below(STORE, place(name)))


def test_every_case_has_its_expectation() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == set(EXPECTED)


@pytest.mark.parametrize("name", READ)
def test_a_case_is_read(name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Read)
    inspection = inspected(name)
    assert inspection.problems == []
    assert sum(facts.items or 0 for facts in inspection.files) == len(expected.items)
    items, notes = items_of(place(name))
    assert items == expected.items
    assert expected.note in notes
    assert inspection.source is not None
    assert expected.note in " ".join(inspection.source.notes)


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_is_named_for_what_it_is(name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Refused)
    problems = " ".join(inspected(name).problems)
    assert [word for word in expected.words if word not in problems] == []
    with pytest.raises(IntegrityError) as refused:
        items_of(place(name))
    assert [word for word in expected.words if word not in str(refused.value)] == []


@pytest.mark.parametrize("name", CHOSEN)
def test_the_right_export_of_several_is_chosen(name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Chosen)
    table = "T" if expected.folder is None else "Tab"
    choice = SourceChoice(table, None, expected.folder is not None, "import")
    assert len(inspected(name).exports) > 1
    if expected.folder is None:
        with pytest.raises(PreconditionError) as refused:
            choose_finished_run(STORE, place(name), choice)
        assert isinstance(refused.value, PipelineError)
        assert [word for word in expected.words if word not in str(refused.value)] == []
    else:
        assert choose_finished_run(STORE, place(name), choice) == f"{place(name)}/{expected.folder}/"
