"""A document's items: the same as of lines, whichever way they are found, and nothing of a broken one."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.documents.detection import detect_form
from dynamodb_pipeline.formats.documents.items import DocumentItems
from dynamodb_pipeline.formats.files.file_forms import LAYOUTS, Dialect, FileForm, Layout, WantedTable
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import LineError
from tests.unit.formats.documents.documents import (
    LAYOUTS_OF,
    WRITERS,
    by_blocks,
    compact,
    model,
    one_by_one,
    pretty,
    put_requests,
    repeated,
)
from tests.unit.formats.strategies import items as any_items
from tests.unit.formats.strategies import texts

keyed_items = st.builds(lambda item, key: {**item, "Id": {"S": key}}, any_items, texts.filter(bool))
SAMPLE = [
    {"Id": {"S": "a"}, "n": {"N": "1"}, "l": {"L": [{"M": {"x": {"S": "},{"}}}, {"M": {"x": {"S": "}"}}}]}},
    {"Id": {"S": "b"}, "t": {"S": 'quotes "\\" and } , {'}},
    {"Id": {"S": "c"}, "u": {"S": "日é\U0001f600\n\t"}, "s": {"SS": ["x", "y"]}},
]
USUAL = [
    {"Id": {"S": "a"}, "n": {"N": "1"}, "l": {"L": [{"M": {"x": {"S": "1"}}}, {"M": {"x": {"S": "2"}}}]}},
    {"Id": {"S": "b"}, "t": {"S": 'quotes "\\" and } , {'}, "m": {"M": {"x": {"L": [{"S": "1"}, {"S": "2"}]}}}},
    {"Id": {"S": "c"}, "u": {"S": "dé\n\t"}, "s": {"SS": ["x", "y"]}},
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("layout", LAYOUTS_OF)
@settings(max_examples=5)
@given(st.lists(keyed_items, min_size=2, max_size=5), st.sampled_from([40, 300, 1 << 17]))
def test_every_layout_gives_the_items_back(layout, write, items, block_bytes):
    document = LAYOUTS_OF[layout](items, write)
    form = detect_form(document.text)
    assert form.layout is document.layout
    careful = one_by_one(document.text, form)
    assert [judged.item for judged in careful] == items
    assert [judged.number for judged in careful] == list(range(1, len(items) + 1))
    assert by_blocks(document.text, form, block_bytes=block_bytes)[0] == careful


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("layout", LAYOUTS_OF)
def test_a_large_document_is_read_in_blocks(layout, write):
    """Its last items too, and those with lists of maps: none is looked at twice."""
    items = repeated(USUAL, 200)
    document = LAYOUTS_OF[layout](items, write)
    found, careful = by_blocks(document.text, detect_form(document.text), block_bytes=4096)
    assert [judged.item for judged in found] == items
    assert careful == 0


@pytest.mark.parametrize("layout", LAYOUTS_OF)
@pytest.mark.parametrize("write", [compact, pretty])
@settings(max_examples=25)
@given(st.data())
def test_blocks_take_nothing_that_the_careful_way_refuses(layout, write, data):
    """A byte replaced, removed or doubled anywhere: both ways come to the same items, or to the same refusal."""
    document = LAYOUTS_OF[layout](SAMPLE, write)
    form = detect_form(document.text)
    text = bytearray(document.text)
    place = data.draw(st.integers(0, len(text) - 1))
    text[place : place + 1] = data.draw(
        st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b" ", b"\x1e", b"\x01", b"1"])
    )
    outcomes = []
    for way in (one_by_one, lambda *given, **options: by_blocks(*given, **options)[0]):
        try:
            outcomes.append([*way(bytes(text), form, block_bytes=200)])
        except (LineError, FormatError) as err:
            outcomes.append(type(err))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("write", [compact, pretty])
@pytest.mark.parametrize("layout", [name for name in LAYOUTS_OF if "objects" not in name and "pages" not in name])
def test_every_cut_is_found(layout, write):
    text = LAYOUTS_OF[layout](SAMPLE, write).text.rstrip()
    form = detect_form(text)
    for end in range(1, len(text)):
        with pytest.raises(LineError):
            by_blocks(text[:end], form, block_bytes=100)


@pytest.mark.parametrize(
    ("layout", "text", "said"),
    [
        (Layout.ARRAY, b'[{"Id":{"S":"a"}} {"Id":{"S":"b"}}]', "item 2 (byte 18): , expected between two elements"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}}\n{"Id":{"S":"b"}}]', "item 2 (byte 18): , expected between two elements"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}},]', "item 2 (byte 18): a JSON object expected"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}},,{"Id":{"S":"b"}}]', "item 2 (byte 18): a JSON object expected"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}}', "item 2 (byte 17): the document is cut off"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}},{"Id":{"S":', "item 2 (byte 18): malformed JSON"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}},{"Id":{S:1}},{}]', "item 2 (byte 18): malformed JSON"),
        (Layout.ARRAY, b'[{"Id":{"S":"a"}}] x', "item 2 (byte 19): [ expected"),
        (Layout.SCAN, b'{"Items":[{"Id":{"S":"a"}}],"Count":2}', "says that it holds 2 items and holds 1"),
        (Layout.SCAN, b'{"Items":[],"Items":[{"Id":{"S":"a"}}]}', "a member stands there twice"),
        (Layout.MODEL, b'{"DataModel":[{"TableData":[]}]}', "a table's items without its name before them"),
        (Layout.MODEL, b'{"DataModel":[]}{"DataModel":[]}', "other text follows the model"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_broken_document_is_refused_at_its_place(layout, text, said):
    form = FileForm(Dialect.DYNAMODB_JSON, layout)
    for way in (one_by_one, by_blocks):
        with pytest.raises(LineError) as refused:
            way(text, form)
        assert said in str(refused.value)
        assert str(refused.value).endswith("nothing behind this place can be read")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"Id":{"S":"x"},"a":{"Q":"x"}}', "f: item 2 (byte 18): a: unknown type tag"),
        (b'{"Id":{"S":"x"},"Id":{"S":"y"}}', 'f: item 2 (byte 18): member "Id" stands there twice'),
        (b'{"Id":{"S":"\xff"}}', "f: item 2 (byte 18): not UTF-8 (byte 12)"),
        (b'{"Id":{"S":"\\ud800"}}', "f: item 2 (byte 18): a lone surrogate"),
        (b'{"Id":{"S":"x\ny"}}', "f: item 2 (byte 18): malformed JSON: Invalid control character"),
        (b'{"Id":{"S":NaN}}', "f: item 2 (byte 18): NaN is no JSON number"),
        (b"{}", "HASH key is missing"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_item_has_its_place_and_the_next_one_is_read(item, reason):
    text = b'[{"Id":{"S":"a"}},%b,{"Id":{"S":"c"}}]' % item
    for found in (one_by_one(text, detect_form(text)), by_blocks(text, detect_form(text))[0]):
        assert [judged.item for judged in found] == [{"Id": {"S": "a"}}, None, {"Id": {"S": "c"}}]
        assert reason in str(found[1].reason)


@pytest.mark.parametrize(
    "text", [b"[]", b" [ ]\n", b'{"Items":[],"Count":0}', b'{"Items": [], "Count": 1, "NextToken": "x"}']
)
def test_a_document_without_items_is_whole(text):
    form = detect_form(text)
    assert form.dialect is Dialect.EMPTY
    assert list(DocumentItems(text, form.layout)) == []


def test_a_page_of_a_scan_that_is_not_the_last_says_so():
    for token in ("NextToken", "LastEvaluatedKey"):
        document = DocumentItems(compact({"Items": USUAL, "Count": 9, token: {"x": 1}}).encode(), Layout.SCAN)
        assert sum(block.text.count(b"\n") + 1 for block in document) == 3
        assert document.notes == ["it is a part of a Scan's output: its token says that more items follow"]
    last = DocumentItems(compact({"Items": USUAL, "Count": 3, "LastEvaluatedKey": None}).encode(), Layout.SCAN)
    assert (sum(block.text.count(b"\n") + 1 for block in last), last.notes) == (3, [])


@pytest.mark.parametrize("write", [compact, pretty])
def test_of_several_tables_only_the_wanted_items_are_walked(write):
    other = [{"Id": {"S": 'other } ] \\" '}}] * 3
    for text, layout in (
        (write({"A": put_requests(other), "T": put_requests(SAMPLE), "Z": put_requests(other)}), Layout.REQUESTS),
        (write(model(("A", other), ("T", SAMPLE), ("Z", other))), Layout.MODEL),
        (write({"Responses": {"A": other, "T": SAMPLE, "Z": other}, "UnprocessedKeys": {}}), Layout.RESPONSES),
    ):
        form = detect_form(text.encode(), wanted=WantedTable("T"))
        assert (form.layout, form.table) == (layout, "T")
        assert [judged.item for judged in one_by_one(text.encode(), form)] == SAMPLE
        walk = DocumentItems(text.encode(), layout, table="T")
        assert sum(1 for _ in walk for _ in walk.one_by_one()) == 3
        assert (walk.tables, walk.passed_over) == ({"T": 3}, ["A", "Z"])


def test_a_request_to_delete_refuses_the_file_wherever_it_stands():
    requests = [*put_requests(repeated(SAMPLE, 20)), {"DeleteRequest": {"Key": {"Id": {"S": "a"}}}}]
    text = compact({"T": requests}).encode()
    for way in (one_by_one, by_blocks):
        with pytest.raises(FormatError, match=r"^f: item 61 \(byte \d+\) deletes; f is a request file that deletes "):
            way(text, detect_form(text))


def test_memory_is_a_few_blocks_whatever_the_document():
    """12 MB of text, once in many items and once in few."""
    for item in ({"Id": {"S": "a"}, "t": {"S": "x" * 200}}, {"Id": {"S": "a"}, "t": {"S": "x" * 300_000}}):
        text = compact([item] * (12_000_000 // len(compact(item)))).encode()
        form = detect_form(text)
        tracemalloc.start()
        try:
            for block in DocumentItems(text, form.layout):
                assert block.text
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 3 * 1024 * 1024


def test_an_item_longer_than_any_is_refused_before_it_is_read():
    text = b'[{"Id":{"S":"a"}},{"Id":{"S":"' + b"x" * (21 * 1024 * 1024) + b'"}}]'
    with pytest.raises(LineError, match=r"item 2 \(byte 18\): longer than 20971520 bytes"):
        one_by_one(text, FileForm(Dialect.DYNAMODB_JSON, Layout.ARRAY))


def test_every_layout_has_its_row():
    assert set(LAYOUTS) == set(Layout)
    assert {document([{}], compact).layout for document in LAYOUTS_OF.values()} == set(Layout) - {Layout.LINES}


@given(
    st.binary(max_size=60), st.sampled_from([b"[", b"[{", b'{"Items":[', b'[{"a":{"S":"x"}},', b'{"T":[{"PutRequest":'])
)
def test_nothing_else_is_raised_on_any_bytes(data, start):
    with suppress(FormatError, LineError):
        detect_form(start + data)
    for layout in set(Layout) - {Layout.LINES}:
        with suppress(FormatError, LineError):
            one_by_one(start + data, FileForm(Dialect.DYNAMODB_JSON, layout))


def test_items_of_a_document_are_numbered_across_arrays():
    text = b"\n".join(json.dumps([item]).encode() for item in SAMPLE)
    assert [judged.number for judged in one_by_one(text, detect_form(text))] == [1, 2, 3]


@pytest.mark.parametrize("unprocessed", ["{}", " { } ", '{"T":{"Keys":[{"Id":{"S":"b"}}]}}'])
def test_a_batch_whose_keys_were_not_all_processed_says_so(unprocessed: str) -> None:
    text = b'{"Responses":{"T":[{"Id":{"S":"a"}}]},"UnprocessedKeys":%s}' % unprocessed.encode()
    document = DocumentItems(text, Layout.RESPONSES)
    assert [item for _ in document for _, _, item in document.one_by_one()] == [b'{"Id":{"S":"a"}}']
    assert any("some keys were not processed" in note for note in document.notes) is ("Keys" in unprocessed)
