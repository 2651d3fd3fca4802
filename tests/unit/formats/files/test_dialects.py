"""One reader for every dialect: detected from content, one per file, foreign formats refused by name."""

from __future__ import annotations

import bz2
import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.formats.files.dialects import Dialect, detect, line_dialect, parse_line, read_items
from dynamodb_pipeline.formats.files.foreign import FormatError
from dynamodb_pipeline.formats.files.text import LineError
from dynamodb_pipeline.formats.items.item_error import ItemError
from tests.unit.formats.item_texts import (
    CONNECTOR,
    LOWER,
    TEMPLATE,
    UPPER,
    fits_hive,
    hive_text,
    ion_text,
    items,
    json_text,
    native_text,
    values,
)

WRITERS = {
    "connector 5": (lambda item: json_text(item, CONNECTOR), Dialect.CONNECTOR),
    "template": (lambda item: json_text(item, TEMPLATE), Dialect.CONNECTOR),
    "template, ASCII": (lambda item: json_text(item, TEMPLATE, ascii_only=True), Dialect.CONNECTOR),
    "all lower case": (lambda item: json_text(item, LOWER), Dialect.LOWER_CASE),
    "DynamoDB JSON": (lambda item: json_text(item, UPPER), Dialect.DYNAMODB_JSON),
    "native export": (native_text, Dialect.NATIVE),
    "native export in Ion": (ion_text, Dialect.ION),
    "request": (lambda item: b'{"PutRequest":' + native_text(item) + b"}", Dialect.PUT_REQUEST),
    "Hive": (hive_text, Dialect.HIVE),
}
ONE_OF_EACH = {
    Dialect.CONNECTOR: b'{"Id":{"s":"a"},"z":{"nULLValue":true}}',
    Dialect.LOWER_CASE: b'{"Id":{"s":"a"},"z":{"null":true}}',
    Dialect.DYNAMODB_JSON: b'{"Id":{"S":"a"},"z":{"NULL":true}}',
    Dialect.NATIVE: b'{"Item":{"Id":{"S":"a"},"z":{"NULL":true}}}',
    Dialect.ION: b'$ion_1_0 {Item:{Id:"a",z:null}}',
    Dialect.PUT_REQUEST: b'{"PutRequest":{"Item":{"Id":{"S":"a"},"z":{"NULL":true}}}}',
    Dialect.HIVE: b'Id\x03{"s":"a"}\x02z\x03{"nULL":true}',
}
ITEM = {"Id": {"S": "a"}, "z": {"NULL": True}}
DISTINCT = [dialect for dialect in ONE_OF_EACH if dialect is not Dialect.LOWER_CASE]


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=20)
@given(st.lists(items, min_size=1, max_size=4), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_read_items_gives_every_item_back_whoever_wrote_it(writer, written, line_end, bom):
    write, dialect = WRITERS[writer]
    written = [item for item in written if dialect is not Dialect.HIVE or fits_hive(item)]
    plain = b"\xef\xbb\xbf" * bom + b"".join(write(item) + line_end for item in written)
    lines = list(read_items(plain, name="f"))
    assert [line.error for line in lines] == [None] * len(written)
    assert [line.item for line in lines] == written
    family = {dialect, Dialect.CONNECTOR} if dialect is Dialect.LOWER_CASE else {dialect}
    assert detect(plain) in (family if written else {Dialect.EMPTY})


@given(values)
def test_an_attribute_called_item_is_never_taken_for_the_native_wrapper(value):
    """Whatever the value: as the only attribute, and tags below an M included."""
    item = {"Item": value}
    assert line_dialect(json_text(item, UPPER)) is Dialect.DYNAMODB_JSON
    assert parse_line(json_text(item, UPPER), Dialect.DYNAMODB_JSON) == item


@given(st.dictionaries(st.sampled_from(["M", "S", "L", "Item", "N"]), values, min_size=1, max_size=2))
def test_a_native_item_whose_attributes_are_called_like_tags_is_unwrapped(item):
    assert line_dialect(native_text(item)) is Dialect.NATIVE
    assert parse_line(native_text(item), Dialect.NATIVE) == item


@given(
    st.recursive(values, lambda inner: st.fixed_dictionaries({}, optional=dict.fromkeys(("M", "Item", "a"), inner))),
    st.sampled_from(["Item", "PutRequest"]),
)
def test_no_line_is_whole_in_two_dialects(value, name):
    """The claim that lets the first fitting one decide; drawn are values, items and what is between them."""
    line = json.dumps({name: value}).encode()
    fitting = []
    for dialect in (Dialect.CONNECTOR, Dialect.DYNAMODB_JSON, Dialect.NATIVE, Dialect.PUT_REQUEST):
        with suppress(ItemError):
            fitting += [dialect] * bool(parse_line(line, dialect))
    assert len(fitting) <= 1


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        (b'{"Item":{"S":"x"}}', Dialect.DYNAMODB_JSON),
        (b'{"Item":{"S":{"S":"x"}}}', Dialect.NATIVE),
        (b'{"Item":{"M":{"S":"x"}}}', Dialect.NATIVE),
        (b'{"Item":{"M":{"S":{"S":"x"}}}}', Dialect.DYNAMODB_JSON),
        (b'{"Item":{"M":{"M":{"S":"x"}}}}', Dialect.DYNAMODB_JSON),
        (b'{"Item":{"M":{"M":{}}}}', Dialect.NATIVE),
        (b'{"Item":{"M":{}}}', Dialect.DYNAMODB_JSON),
        (b'{"Item":{"Item":{"S":"x"}}}', Dialect.NATIVE),
        (b'{"Item":{"s":"x"}}', Dialect.CONNECTOR),
        (b'{"Item":{"S":"x"},"b":{"S":"y"}}', Dialect.DYNAMODB_JSON),
        (b'{"Item":{}}', None),
        (b'{"Item":{"a":{"s":"x"}}}', None),
        (b"{}", None),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_line_dialect_tells_item_apart(line, dialect):
    assert line_dialect(line) is dialect


@pytest.mark.parametrize("line", [b'{"Item":{}}', b'{"Item":{"M":{"S":5}}}'], ids=repr)
def test_detect_refuses_an_item_that_may_be_either(line):
    with pytest.raises(FormatError, match="may be a native export's member or an attribute"):
        detect(line)


def test_detect_decides_by_the_other_lines_when_one_is_unclear():
    assert detect(b'{"Item":{}}\n{"Item":{"Id":{"S":"x"}}}\n') is Dialect.NATIVE
    assert detect(b'{"Item":{}}\n{"Item":{"S":"x"}}\n') is Dialect.DYNAMODB_JSON


@pytest.mark.parametrize("plain", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf"], ids=repr)
def test_detect_calls_a_file_without_items_empty(plain):
    assert detect(plain) is Dialect.EMPTY
    assert list(read_items(plain, name="f")) == []


MIXED = b'{"a":{"s":"x"},"b":{"SS":["y"]},"c":{"ns":["1"]},"d":{"Bool":true},"e":{"nullvalue":true}}'
MIXED_ITEM = {"a": {"S": "x"}, "b": {"SS": ["y"]}, "c": {"NS": ["1"]}, "d": {"BOOL": True}, "e": {"NULL": True}}


def test_tags_in_any_case_may_stand_side_by_side():
    """A file that does so in one line may hold lines of DynamoDB's own tags, too."""
    plain = b'{"a":{"S":"1"}}\n' + MIXED + b'\n{"a":{"s":"2"}}\n'
    assert detect(plain) is Dialect.MIXED_CASE
    assert [line.item for line in read_items(plain, name="f")] == [{"a": {"S": "1"}}, MIXED_ITEM, {"a": {"S": "2"}}]


def test_a_tag_in_upper_case_may_turn_up_late_in_a_connectors_file():
    plain = b'{"a":{"s":"1"}}\n' * 30 + MIXED
    assert detect(plain) is Dialect.CONNECTOR
    assert [line.item for line in read_items(plain, name="f")][-1] == MIXED_ITEM


@pytest.mark.parametrize("text", [r"{\"S\":\"x\"}", "{'S':'x'}"])
def test_what_only_looks_like_a_tag_in_upper_case_mixes_nothing(text):
    assert detect(b'{"S":{"s":"%s"},"M":{"m":{"S":{"s":"x"}}}}' % text.encode()) is Dialect.CONNECTOR


@pytest.mark.parametrize("null", ["nULL", "nULLValue", "null", "NULL"])
def test_every_null_tag_of_the_connectors_is_read_in_one_file(null):
    plain = b'{"a":{"sS":["x"]},"b":{"s":""}}\n{"a":{"%s":true},"b":{"s":""}}\n' % null.encode()
    assert detect(plain) is (Dialect.MIXED_CASE if null == "NULL" else Dialect.CONNECTOR)
    assert [line.item for line in read_items(plain, name="f")] == [
        {"a": {"SS": ["x"]}, "b": {"S": ""}},
        {"a": {"NULL": True}, "b": {"S": ""}},
    ]


@pytest.mark.parametrize("first", DISTINCT)
@pytest.mark.parametrize("second", DISTINCT)
def test_detect_refuses_two_dialects_in_one_file(first, second):
    plain = ONE_OF_EACH[first] + b"\n\n" + ONE_OF_EACH[second] + b"\n"
    if first is second:
        assert detect(plain) is first
        return
    with pytest.raises(FormatError, match=f"line 1 is {first.value}, line 3 is {second.value}"):
        detect(plain)


@pytest.mark.parametrize("dialect", DISTINCT)
@pytest.mark.parametrize("other", DISTINCT)
def test_read_items_marks_a_line_of_another_dialect_beyond_the_sample(dialect, other):
    if dialect is other:
        return
    plain = (ONE_OF_EACH[dialect] + b"\n") * 30 + ONE_OF_EACH[other] + b"\n" + ONE_OF_EACH[dialect]
    lines = list(read_items(plain, name="s3://b/f"))
    assert [line.line for line in lines if line.error] == [31]
    assert str(lines[30].error) == (
        f"s3://b/f: line 31 (byte {30 * len(ONE_OF_EACH[dialect]) + 30}): "
        f"the line is {other.value}, the file is {dialect.value}"
    )
    assert lines[31].item == ITEM


@pytest.mark.parametrize("dialect", ONE_OF_EACH)
def test_read_items_goes_on_after_a_bad_line_and_says_where_it_is(dialect):
    good = ONE_OF_EACH[dialect]
    bad = good.replace(b'"a"', b"7.5x")
    lines = list(read_items(good + b"\n\n" + bad + b"\n" + good, name="s3://b/f"))
    assert [line.item for line in lines] == [ITEM, None, ITEM]
    error = lines[1].error
    assert isinstance(error, LineError)
    assert (error.name, error.line, error.offset_bytes) == ("s3://b/f", 3, len(good) + 2)
    assert lines[1].text == bad


@pytest.mark.parametrize(
    ("line", "path", "reason"),
    [
        (b'{"a":{"s":"x"},"b":{"l":[{"n":"1"},{"q":"x"}]}}', "b[1]", "unknown type tag"),
        (b'{"a":{"s":"x"},"b":{"m":{"c d":{"s":5}}}}', 'b."c d"', "text expected"),
        (b'{"a":{"s":"x"},"b":{"s":"y","n":"1"}}', "b", "exactly one type tag"),
        (b'{"a":{"s":"x"},"b":{}}', "b", "exactly one type tag"),
        (b'{"a":{"s":"x"},"b":"y"}', "b", "one type tag"),
        (b'{"a":{"s":"x"},"a":{"s":"y"}}', "", 'member "a" stands there twice'),
        (b'{"a":{"s":"x","s":"y"}}', "a", 'member "s" stands there twice'),
        (b'{"a":{"s":"x"},"b":{"m":{"q":{"s":"x"},"q":{"s":"y"}}}}', "b", 'member "q" stands there twice'),
        (b'{"a":{"l":[{"s":"x"},{"m":{"b":{"n":"1","n":"1"}}}]}}', "a[1].b", 'member "n" stands there twice'),
        (b'{"a":{"s":"x"}', "", "malformed JSON"),
        (b'["a"]', "", "object"),
        (b'{"a":{"l":[' * 50_000, "", "nested too deep"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_read_items_names_the_place_inside_the_item(line, path, reason):
    good = b'{"a":{"s":"x"}}\n'
    *_, last = read_items(good + line, name="f")
    assert last.error is not None
    assert last.error.path == path
    assert reason in last.error.reason


def test_a_repeated_member_of_a_native_export_is_named_by_its_place_in_the_item():
    *_, last = read_items(
        b'{"Item":{"Id":{"S":"x"}}}\n{"Item":{"Id":{"S":"x"},"a":{"M":{"b":{"S":"","S":""}}}}}', name="f"
    )
    assert last.error is not None
    assert last.error.path == "a.b"


def test_detect_takes_a_file_whose_only_item_is_invalid_for_what_it_was_meant_to_be():
    """Then the item's own error is reported, and the item can be set aside."""
    assert detect(b'{"Id":{"s":"x"},"b":{"q":"y"}}') is Dialect.CONNECTOR
    assert detect(b'{"Item":{"Id":{"S":"x"},"b":{"Q":"y"}}}') is Dialect.NATIVE
    assert detect(b'Id\x03{"s":"x"}\x02b') is Dialect.HIVE


@pytest.mark.parametrize(
    ("plain", "name"),
    [
        (
            b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"S":{"S":"x"}},"NewImage":{}}\n',
            "incremental export",
        ),
        (b'{"itemCount":6,"md5Checksum":"EV==","etag":"a","dataFileS3Key":"k"}\n', "manifest-files.json"),
        (b'{"version":"2020-06-30","exportArn":"a","manifestFilesS3Key":"k"}', "manifest-summary.json"),
        (b'{"name":"DynamoDB-export","version":3,\n"entries": [\n\n]}', "Data Pipeline manifest"),
        (b'{"format_version":1,"run_id":"r","files":[]}', "export record"),
        (b'{"id":"x","n":1}\n', "without DynamoDB's type tags"),
        (b'["x"]', "a JSON array of no objects"),
        (b'{"DeleteRequest":{"Key":{"Id":{"S":"x"}}}}', "a request file that deletes items"),
        (
            b'{"Keys":{"Id":{"S":"x"}},"NewImage":{},"SequenceNumber":"1","eventName":"INSERT"}\n',
            "change records of a stream",
        ),
        (b'{"eventID":"1","eventName":"INSERT","dynamodb":{"Keys":{"Id":{"S":"x"}}}}\n', "change records of a stream"),
        (b'{"Records":[{"eventName":"INSERT","dynamodb":{}}]}\n', "an event of a stream with change records"),
        (b'{"Table":{"TableName":"T"}}', "a table's description"),
        (b"name" + b"\x00" * 253 + b"ustar\x0000" + ONE_OF_EACH[Dialect.NATIVE] + b"\n", "a tar archive"),
        (b"SQLite format 3\x00\x10\x00\x01\x01", "DynamoDB Local"),
        (b"-----BEGIN PGP MESSAGE-----\n", "PGP"),
        (b"Salted__" + bytes(range(40)), "openssl"),
        (bytes(range(256)) * 4, "binary data of no known format, perhaps encrypted"),
        (b'{"Id":{"S":"\xd8l"}}\r\n', "text of a Windows code page, not UTF-8"),
        (b"Id,Name\n1,x\n", "CSV"),
        (b"1\tx\n", "CSV"),
        (b"y\x01{y}\x012\n", "columns"),
        (b"PAR1\x15\x04\x15PAR1", "Parquet"),
        (b"ORC\n\x0b\x00ORC\x17", "ORC"),
        (b"Obj\x01\x04\x14avro.codec", "Avro"),
        (b"SEQ\x06\x19org", "SequenceFile"),
        (b"\xe0\x01\x00\xea\xee", "Ion"),
        (b'\xff\xfe{\x00"\x00', "UTF-16"),
        (b"<?xml version='1.0'?>", "XML"),
        (gzip.compress(b"x", mtime=0), "compressed twice"),
        (bz2.compress(b"x"), "compressed twice"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"hello world\n", "no known format of items; line 1"),
        (b'{"a":{"m":{"q":{"s":""},"q":{"s":""}}}}', 'line 1 (byte 0): a.m: member "q" stands there twice'),
        (b'{"Id":{"s":"x"', "line 1 (byte 0): malformed JSON"),
        (b"null\n", "without DynamoDB's type tags"),
        (b'{"a":' * 50_000, "nested too deep"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_detect_refuses_a_foreign_format_by_name(plain, name):
    with pytest.raises(FormatError) as error:
        detect(plain, name="s3://b/f")
    assert name in str(error.value)
    assert str(error.value).startswith("s3://b/f")


@pytest.mark.parametrize(
    "names", [["Items", "Count"], ["Metadata", "Keys"], ["dataFileS3Key", "itemCount"], ["version", "name"]], ids=str
)
def test_detect_takes_an_item_whose_attributes_are_called_like_a_foreign_format(names):
    item = {name: {"S": "x"} for name in names}
    assert detect(json.dumps(item).encode()) is Dialect.DYNAMODB_JSON
    assert detect(json.dumps({**item, "bad": {"Q": 1}}).encode()) is Dialect.DYNAMODB_JSON


@given(st.binary(max_size=60), st.sampled_from([b"", b'{"a":', b"a\x03", b'{"Item":', b"{"]))
def test_detect_and_parse_line_raise_nothing_else_on_any_bytes(data, start):
    line = (start + data).replace(b"\n", b" ")
    with suppress(FormatError):
        detect(line)
    for dialect in ONE_OF_EACH:
        with suppress(ItemError):
            parse_line(line, dialect)


def test_a_later_line_of_a_windows_code_page_is_called_that():
    *_, last = read_items(ONE_OF_EACH[Dialect.NATIVE] + b'\n{"Item":{"Id":{"S":"K\xf8ge"}}}\n', name="f")
    assert str(last.error) == (
        "f: line 2 (byte 44): not UTF-8 (byte 21): the line is text of a Windows code page, not UTF-8; "
        "iconv -f WINDOWS-1252 -t UTF-8 converts it"
    )
