"""How a file is written is told by what it begins with, and a doubt is no document."""

from __future__ import annotations

import json

import pytest

from dynamodb_pipeline.formats.documents.detection import detect_form, layout_of
from dynamodb_pipeline.formats.files.file_forms import Dialect, FileForm, Layout, WantedTable
from dynamodb_pipeline.formats.files.foreign import FormatError
from tests.unit.formats.documents.documents import model, put_requests, read

ITEM = b'{"Id":{"S":"a"}}'
BUFFER = b'{"id":{"S":"a"},"b":{"B":{"type":"Buffer","data":[1,2]}}}'


@pytest.mark.parametrize(
    ("text", "layout", "dialect", "count"),
    [
        (ITEM, Layout.LINES, Dialect.DYNAMODB_JSON, None),
        (ITEM + b"\n\n" + ITEM, Layout.LINES, Dialect.DYNAMODB_JSON, None),
        (ITEM + b"\n" + ITEM + ITEM + b"\n", Layout.OBJECTS, Dialect.DYNAMODB_JSON, 3),
        (ITEM + ITEM + ITEM, Layout.OBJECTS, Dialect.DYNAMODB_JSON, 3),
        (ITEM + b",\n" + ITEM + b"\n", Layout.OBJECTS, Dialect.DYNAMODB_JSON, 2),
        (b'{"Item":' + ITEM + b'}{"Item":' + ITEM + b"}", Layout.OBJECTS, Dialect.NATIVE, 2),
        (b'{\n "Item": {\n  "Id": {"S": "x"}\n }\n}\n', Layout.OBJECTS, Dialect.NATIVE, 1),
        (b'{"Id": {\n  "S": "x"}}', Layout.OBJECTS, Dialect.DYNAMODB_JSON, 1),
        (b'{\n"Id":{"s":"x"},"f":{"bOOL":true}}\n{"Id":{"s":"y"}}', Layout.OBJECTS, Dialect.CONNECTOR, 2),
        (b"[" + ITEM + b",\n" + ITEM + b"\n]\n", Layout.ARRAY, Dialect.DYNAMODB_JSON, 2),
        (b"[\n" + BUFFER + b"\n,\n" + ITEM + b"\n]", Layout.ARRAY, Dialect.DYNAMODB_JSON, 2),
        (b"\xef\xbb\xbf\n [" + ITEM + b"]", Layout.ARRAY, Dialect.DYNAMODB_JSON, 1),
        (b'[{"Item": ' + ITEM + b"}]", Layout.ARRAY, Dialect.NATIVE, 1),
        (b'[{"PutRequest": {"Item":' + ITEM + b"}}]", Layout.ARRAY, Dialect.PUT_REQUEST, 1),
        (b'[{"id":{"s":"a"},"t":{"sS":["x"]}}]', Layout.ARRAY, Dialect.CONNECTOR, 1),
        (b'{"Items":[' + ITEM + b'],"Count":1}', Layout.SCAN, Dialect.DYNAMODB_JSON, 1),
        (b'{"Count":1,"Items":[{"Id":{"s":"x"}}]}', Layout.SCAN, Dialect.CONNECTOR, 1),
        (b'{"ConsumedCapacity":{"TableName":"t"},"Items":[' + ITEM + b"]}", Layout.SCAN, Dialect.DYNAMODB_JSON, 1),
        (b'{"a":[],"t":[{"PutRequest":{"Item":' + ITEM + b"}}]}", Layout.REQUESTS, Dialect.PUT_REQUEST, 1),
        (b'{"Responses":{"T":[{"Id":{"S":"x"}}]}}', Layout.RESPONSES, Dialect.DYNAMODB_JSON, 1),
        (b'{"Responses":{"L":[{"S":"x"}]}}', Layout.LINES, Dialect.DYNAMODB_JSON, None),
        (b'{"Responses":{"sS":["x"]}}', Layout.LINES, Dialect.CONNECTOR, None),
        (b'{"Responses":{"M":{"T":{"S":"x"}}}}', Layout.LINES, Dialect.DYNAMODB_JSON, None),
        (json.dumps(model(("T", [{"Id": {"S": "x"}}]))).encode(), Layout.MODEL, Dialect.DYNAMODB_JSON, 1),
        (b'{"Items":{"L":[]},"Count":{"N":"1"}}', Layout.LINES, Dialect.DYNAMODB_JSON, None),
        (b'[x]\x03{"s":"x"}', Layout.LINES, Dialect.HIVE, None),
        (b'{x\x03{"s":"x"}', Layout.LINES, Dialect.HIVE, None),
        (b'{"id":{"s":"x"\n{"id":{"s":"y"}}\n', Layout.LINES, Dialect.CONNECTOR, None),
        (b'{"id":{"q":"x"}}\n{"id":{"s":"y"}}\n', Layout.LINES, Dialect.CONNECTOR, None),
        (b"", Layout.LINES, Dialect.EMPTY, None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_form_of_a_file(text, layout, dialect, count):
    assert detect_form(text) == FileForm(dialect, layout)
    if count is not None:
        found = read(text)
        assert [judged.number for judged in found] == list(range(1, count + 1))
        assert [judged.item for judged in found if judged.item is None and judged.reason is None] == []


@pytest.mark.parametrize("text", [b"[1, 2]", b'["x"]', b"[2024-01-01] started", b"[[", b"{}", b"{,}", b'{"a"', b"{"])
def test_what_holds_no_object_is_no_document(text):
    assert layout_of(text) is Layout.LINES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" + ITEM + b',{"Id":{"s":"x"}}]', "item 1 is dynamodb-json, item 2 is connector-json"),
        (b'[{"id":1}]', "JSON without DynamoDB's type tags"),
        (b'{\n"name":"DynamoDB-export","version":3,\n"entries": [\n\n]}', "a Data Pipeline manifest"),
        (b'{\n"exportArn":"a",\n"manifestFilesS3Key":"k"}', "a native export's manifest-summary.json"),
        (b'[{"Item":{}}]', "Item on item 1 may be a native export's member or an attribute"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_document_of_something_else_is_refused_by_name(text, said):
    with pytest.raises(FormatError) as refused:
        detect_form(text, name="s3://b/f")
    assert str(refused.value).startswith("s3://b/f")
    assert said in str(refused.value)


SEVERAL = json.dumps({name: put_requests([{"Id": {"S": name}}]) for name in "ABC"}).encode()
MODELS = json.dumps(model(*((name, [{"Id": {"S": name}}]) for name in "ABC"))).encode()


BATCH = json.dumps({"Responses": {name: [{"Id": {"S": name}}] for name in "ABC"}, "UnprocessedKeys": {}}).encode()


@pytest.mark.parametrize("text", [SEVERAL, MODELS, BATCH], ids=["requests", "model", "batch"])
def test_of_several_tables_one_must_be_the_target(text):
    assert [judged.item for judged in read(text, wanted=WantedTable("B"))] == [{"Id": {"S": "B"}}]
    assert len(read(text)) == 3
    with pytest.raises(FormatError, match=r"f holds items of tables 'A', 'B', 'C', none of 'T'; --from-table NAME"):
        detect_form(text, name="f", wanted=WantedTable("T"))


def test_a_file_of_one_table_is_taken_whatever_its_name():
    text = json.dumps({"other": put_requests([{"Id": {"S": "x"}}])}).encode()
    assert detect_form(text, wanted=WantedTable("T")) == FileForm(Dialect.PUT_REQUEST, Layout.REQUESTS, None)
    assert detect_form(text, wanted=WantedTable("T", strictly=True)) == FileForm(Dialect.EMPTY, Layout.REQUESTS, "T")
