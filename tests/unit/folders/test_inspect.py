"""A look at unknown files: what they are, what their items have in common, and never a value."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.folders.inspect import Inspection, InspectOptions, inspect_path
from dynamodb_pipeline.folders.inspect_report import inspection_facts, report
from dynamodb_pipeline.folders.inspect_schema import KeyCandidate, SchemaTally, redacted
from dynamodb_pipeline.importing.job import find_source
from tests.unit.reading.item_lines import line, lines, put_body
from tests.unit.reading.test_finished_runs import settings
from tests.unit.reading.test_source import manifest, record
from tests.unit.store.memory_store import MemoryStore

FOLDER = "s3://b/x"
BAD = b'{"id":{"s":"z"},"n":{"x":"secret"}}\n'


def place(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{FOLDER}/{name}": data for name, data in files.items()}


def look(files: dict[str, bytes], *, path: str = FOLDER, **options: Any) -> dict[str, Any]:
    store = MemoryStore(place(files))
    return inspection_facts(inspect_path(store, path, InspectOptions(**options), progress=lambda _: None))


def test_every_member_of_the_result_is_documented() -> None:
    section = (Path(__file__).parents[3] / "docs/formats.md").read_text("utf-8").partition("## 12. ")[2]
    documented = set(re.findall(r"`([a-z_]+)`", section.partition("## 13. ")[0]))
    assert look({"a": BAD, "manifest": manifest("a")}).keys() - documented == set()


def tally(*items: dict[str, Any], **options: int) -> SchemaTally:
    found = SchemaTally(**options)
    for item in items:
        found.add(item)
    return found


def test_attributes_are_counted_with_their_types() -> None:
    schema = tally({"a": {"S": "x"}, "b": {"N": "1"}}, {"a": {"S": "y"}, "b": {"S": "1"}}, {"a": {"L": []}})
    assert [(a.name, a.item_count, a.types) for a in schema.attributes()] == [
        ("a", 3, {"S": 2, "L": 1}),
        ("b", 2, {"N": 1, "S": 1}),
    ]


def test_a_key_is_in_every_item_with_one_type_and_other_values_each_time() -> None:
    schema = tally(
        *(
            {
                "id": {"S": f"{n}"},
                "same": {"S": "x"},
                "number": {"N": f"{n}"},
                "mixed": {"S" if n else "N": f"{n}"},
                "list": {"L": []},
                **({"sometimes": {"S": f"{n}"}} if n else {}),
            }
            for n in range(3)
        )
    )
    assert schema.key_candidates() == [KeyCandidate(("id",), ("S",)), KeyCandidate(("number",), ("N",))]


def test_numbers_are_compared_by_value_and_an_empty_text_is_no_key() -> None:
    schema = tally({"n": {"N": "1"}, "t": {"S": "x"}}, {"n": {"N": "1.0"}, "t": {"S": ""}})
    assert schema.key_candidates() == []


def test_a_pair_is_proposed_where_no_single_attribute_will_do() -> None:
    """The one with fewer values is the likelier HASH key."""
    schema = tally(*({"minute": {"N": f"{n % 6}"}, "hour": {"S": f"{n // 6}"}} for n in range(18)))
    assert schema.key_candidates() == [KeyCandidate(("hour", "minute"), ("S", "N"))]


def test_values_are_compared_of_so_many_items_only() -> None:
    schema = tally(*({"id": {"S": f"{n % 10}"}} for n in range(20)), items_compared=10)
    assert (schema.items_compared, schema.item_count) == (10, 20)
    assert schema.key_candidates() == [KeyCandidate(("id",), ("S",))]


def test_without_items_there_is_no_schema() -> None:
    assert (tally().attributes(), tally().key_candidates()) == ([], [])


def test_a_redacted_item_has_types_and_lengths_in_place_of_values() -> None:
    item = {
        "s": {"S": "secret"},
        "n": {"N": "42"},
        "b": {"B": "aGk="},
        "sets": {"SS": ["secret", "b"]},
        "map": {"M": {"inner": {"S": "secret"}}},
        "list": {"L": [{"BOOL": True}, {"NULL": True}, {"S": "s"}]},
    }
    assert redacted(item) == {
        "s": "S, 6 characters",
        "n": "N, 2 characters",
        "b": "B, 2 bytes",
        "sets": "SS, 2 elements",
        "map": {"M": {"inner": "S, 6 characters"}},
        "list": {"L": ["BOOL", "NULL", "S, 1 character"]},
    }


def test_a_redacted_item_is_bounded() -> None:
    shown = redacted({f"{n}" + "n" * 200: {"S": ""} for n in range(80)})
    assert shown.pop("...") == "30 more"
    assert (len(shown), max(map(len, shown))) == (50, 67)


def test_our_export_is_recognised_with_table_hashes_and_keys() -> None:
    facts = look({"a": lines("abc"), "manifest": manifest("a"), "_export.json": record("a"), "left": line("x")})
    named = ("source", "manifest", "hashes", "table_name", "items", "files", "not_read", "exit_code")
    assert {name: facts[name] for name in named} == {
        "source": "datapipeline",
        "manifest": "Data Pipeline manifest",
        "hashes": "SHA-256",
        "table_name": "orders",
        "items": 3,
        "files": 1,
        "not_read": [f"{FOLDER}/left"],
        "exit_code": 0,
    }
    assert facts["key_schema"] == [{"name": "id", "role": "HASH", "type": "S"}]


def test_any_folder_is_read_as_an_import_without_a_manifest_would() -> None:
    files = {
        "one.gz": gzip.compress(lines("ab")),
        "deep/two": b'{"Item":{"id":{"S":"c"}}}\n',
        "_hidden": b"x",
        "empty": b"",
    }
    facts = look(files)
    assert (facts["dialects"], facts["compression"]) == ({"connector-json": 1}, {"gzip": 1})
    assert (facts["items"], facts["manifest"], facts["not_read_count"], facts["exit_code"]) == (2, None, 3, 0)
    assert "  3 other objects not read" in list(report(facts))
    assert "  1 other object not read" in list(report({**facts, "not_read_count": 1}))
    del files["one.gz"]
    assert look(files)["dialects"] == {"native-export": 1}
    with pytest.raises(PreconditionError, match="2 sub-folders"):
        look({**files, "other/two": line("a")})


def test_a_single_file_is_enough() -> None:
    facts = look({"a": lines("ab"), "b": lines("cd")}, path=f"{FOLDER}/b", samples=1)
    assert (facts["files"], facts["items"], facts["source"]) == (1, 2, "file")
    assert facts["samples"] == [
        {"file": "b", "line": 1, "item": {"id": "S, 1 character", "n": "N, 1 character"}},
    ]


def test_what_is_wrong_is_listed_and_the_rest_is_read_all_the_same() -> None:
    files = {"a": lines("ab") + BAD, "b": b"\x28\xb5\x2f\xfd" + bytes(9), "c": b"id,n\n1,2\n", "d": line("e")}
    facts = look(files)
    assert (facts["exit_code"], facts["status"], facts["items"], facts["problem_count"]) == (4, "problems", 4, 3)
    assert [word for word, text in zip(("line 3", "zstd", "CSV"), facts["problems"]) if word not in text] == []
    assert facts["error"] == facts["problems"][0]
    assert [(f["name"], f["items"], f["problem_count"]) for f in facts["file_list"]] == [
        ("a", 3, 1),
        ("b", None, 1),
        ("c", None, 1),
        ("d", 1, 0),
    ]


def test_a_damaged_manifest_does_not_hide_the_files() -> None:
    facts = look({"a": lines("ab"), "manifest": manifest("a")[:-4]})
    assert (facts["items"], facts["problem_count"], facts["exit_code"]) == (2, 1, 4)
    assert "manifest" in facts["error"]


def test_a_file_with_another_hash_is_still_shown() -> None:
    files = {"a": lines("abd"), "manifest": manifest("a"), "_export.json": record("a")}
    facts = look(files)
    assert (facts["items"], facts["exit_code"]) == (3, 4)
    assert "SHA-256" in facts["error"]


def test_a_parent_of_several_exports_lists_them_and_one_is_taken() -> None:
    one = {"2024-01-01-00-00-00/a": line("a"), "2024-01-01-00-00-00/manifest": manifest("a", folder="s3://old/x")}
    assert look(one)["items"] == 1
    two = {**one, "2024-02-01-00-00-00/manifest": manifest()}
    facts = look(two)
    assert facts["exports"] == [f"{FOLDER}/2024-02-01-00-00-00/", f"{FOLDER}/2024-01-01-00-00-00/"]
    assert "items" not in facts
    shown = report(facts)
    assert "2 finished exports; inspect one of them:" in shown[0]
    with pytest.raises(PreconditionError) as refused:
        find_source(MemoryStore(place(two)), settings(input=FOLDER))
    assert tuple(shown[1:]) == refused.value.rows


def test_only_so_many_files_are_looked_into() -> None:
    facts = look({name: line(name) for name in "abcd"}, max_files=2)
    assert (facts["files"], facts["files_looked_at"], facts["items"]) == (4, 2, 2)
    assert "looked into the first 2" in "\n".join(report(facts))


@pytest.mark.parametrize("files", [{}, {"_SUCCESS": b"", "empty": b""}], ids=["nothing", "markers"])
def test_a_place_without_data_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(PreconditionError, match="holds no data file"):
        look(files)


def test_progress_is_told_at_first_and_after_every_file() -> None:
    store, seen = MemoryStore({f"{FOLDER}/{name}": lines("ab") for name in "xyz"}), []

    def progress(found: Inspection) -> None:
        seen.append((len(found.files), found.schema.item_count))

    inspect_path(store, FOLDER, InspectOptions(), progress=progress)
    assert seen == [(0, 0), (1, 2), (2, 4), (3, 6)]


def test_the_report_names_all_that_matters_and_no_value() -> None:
    odd = {"id": {"S": "secret"}, 'a"\u2028' + "n" * 100: {"N": "1"}}
    store = MemoryStore({f"{FOLDER}/f": json.dumps(odd).encode() + b"\n" + BAD})
    facts = inspection_facts(inspect_path(store, FOLDER, InspectOptions(samples=3), progress=lambda _: None))
    text = "\n".join(report(facts))
    for part in (
        "1 file",
        "dynamodb-json 1",
        "manifest: none; hashes: none",
        '"id"',
        "1 problem:",
        "line 2 (byte",
        "(values of 1 item compared)",
    ):
        assert part in text
    assert "secret" not in text + json.dumps(facts)
    assert "\u2028" not in text
    assert "n" * 65 not in text


def test_items_are_those_of_the_file() -> None:
    """The tally takes what the reader hands it: upper-case tags whatever the dialect."""
    facts = look({"f": line("a", 5)})
    assert {a["name"]: a["types"] for a in facts["attributes"]} == {n: {t: 1} for n, (t,) in put_body("a").items()}


def test_names_of_any_length_and_number_are_counted_in_bounded_memory() -> None:
    """Items of 60 KB, each with a name of that length of its own; items of 1,500 attributes that could all be keys."""
    tally = SchemaTally()
    tracemalloc.start()
    try:
        for number in range(100):
            tally.add({"id": {"S": f"{number}"}, f"{number}" + "n" * 60_000: {"N": "1"}})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert len(tally.attributes()) == 1 + (1 << 20) // 60_003
    wide = SchemaTally(values_compared=20_000)
    for number in range(30):
        wide.add({f"a{column}": {"N": f"{number}"} for column in range(1500)})
    assert wide.items_compared == 20
    assert wide.key_candidates()
