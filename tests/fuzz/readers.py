"""
Readers of data files: any bytes are items, or refused in words, by whoever looks at them and in whatever way they do.

A file is inspected, and its items are read in the quick way and line by line, which must agree. Each of its lines is
read as a long one too, for no input here is as long as those.
"""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from functools import partial
from typing import Any, Callable

from dynamodb_pipeline.errors import ExitCode, PipelineError
from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
from dynamodb_pipeline.folders.inspect_report import inspection_facts, report
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.files.hive_text import parse_hive_line
from dynamodb_pipeline.formats.files.ion_text import parse_ion_line
from dynamodb_pipeline.formats.items.digest import BucketDigest
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.formats.items.long_text import parse_item_json
from dynamodb_pipeline.reading.file_puts import BadLine
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import InputFile
from tests.fuzz.target import Target
from tests.unit.store.memory_store import MemoryStore

URI = "s3://b/f"
KEYS = KeySchema.from_json([{"name": "id", "type": "S", "role": "HASH"}])
REFUSALS = (ExitCode.INTEGRITY, ExitCode.PRECONDITION)
LINES_READ = 20


def run(data: bytes) -> None:
    """Raises where a reader does anything but give items or refuse."""
    store = MemoryStore()
    store.put(URI, data)
    outcome(lambda: list(report(inspection_facts(inspected(store)))))
    for wanted in (None, WantedTable("T")):
        reader = FileReader(store, KEYS, wanted=wanted)
        careful, quick = outcome(partial(items_of, reader, store)), outcome(partial(puts_of, reader, store))
        assert careful == quick, f"line by line {careful!r}, in blocks {quick!r}"
    for line in data.split(b"\n")[:LINES_READ]:
        for read in (parse_item_json, parse_hive_line, parse_ion_line):
            at_once, long = verdict(read, line), verdict(read, line, most_bytes=0)
            assert at_once == long, f"{read.__name__}: at once {at_once!r}, in pieces {long!r}"


def outcome(read: Callable[[], Any]) -> Any:
    """What is read, or that it was refused."""
    try:
        return read()
    except PipelineError as err:
        if err.exit_code not in REFUSALS:
            raise
        return "refused"


def inspected(store: MemoryStore) -> Any:
    return inspect_path(store, URI, InspectOptions(samples=2), progress=lambda _: None)


def opened(reader: FileReader, store: MemoryStore) -> Any:
    info = store.head(URI)
    assert info is not None
    return reader.open(InputFile(URI, info.bytes, info.etag))


def items_of(reader: FileReader, store: MemoryStore) -> list[Any]:
    """Key and line of every item, None of a bad one; each has a digest."""
    digest, found = BucketDigest(16), []
    for judged in reader.items(opened(reader, store)):
        if isinstance(judged, BadLine):
            found.append(None)
            continue
        assert judged.key is not None
        digest.add(judged.item, judged.key)
        found.append((judged.key, judged.line))
    return found


def puts_of(reader: FileReader, store: MemoryStore) -> list[Any]:
    """The same of what an import would write, each of which is JSON."""
    found: list[Any] = []
    for put in reader.puts(opened(reader, store)):
        if isinstance(put, BadLine):
            found.append(None)
        else:
            json.loads(put.body)
            found.append((put.key, put.line))
    return found


def verdict(read: Callable[..., Any], line: bytes, **options: int) -> Any:
    try:
        return read(line, **options)
    except (ItemError, JsonTextError):
        return "refused"


ITEM = (
    b'{"id":{"S":"a"},"n":{"N":"12.50"},"b":{"B":"aGk="},"ss":{"SS":["x","y"]},"ns":{"NS":["1","2"]},"f":{"BOOL":true},'
    b'"z":{"NULL":true},"l":{"L":[{"S":"x"},{"L":[]}]},"m":{"M":{"c":{"S":"K\xc3\xb8ge"}}}}'
)
SMALL = b'{"id":{"S":"b"}}'
CONNECTOR = (
    b'{"id":{"s":"a"},"n":{"n":"1"},"ss":{"sS":["x"]},"f":{"bOOL":true},"z":{"nULL":true},"l":{"l":[]},"m":{"m":{}}}'
)
HIVE = b'id\x03{"s":"a"}\x02n\x03{"n":"1"}\x02ss\x03{"sS":["x"]}'
ION = b'$ion_1_0 {Item:{id:"a",n:12.50,b:{{aGk=}},ss:$dynamodb_SS::["x","y"],f:true,z:null,l:["x",[]],m:{c:"d"}}}'
LINES = b"\n".join([ITEM, SMALL, SMALL.replace(b"b", b"c"), b""])
TARGET = Target(
    "readers",
    run,
    examples=(
        LINES,
        b"\n".join([CONNECTOR, b'{"id":{"s":"b"}}']),
        b'{"id":{"s":"a"},"z":{"null":true},"ss":{"ss":["x"]}}\r\n',
        b'{"Item":%s}\n{"Item":%s}\n' % (ITEM, SMALL),
        b'{"PutRequest":{"Item":%s}}\n' % ITEM,
        HIVE + b"\n" + HIVE,
        ION + b"\n",
        b"[%s,\n%s]" % (ITEM, SMALL),
        json.dumps([json.loads(ITEM), json.loads(SMALL)], indent=2).encode(),
        SMALL * 3,
        b'{"Items":[%s],"Count":1,"ScannedCount":1,"NextToken":"x"}' % ITEM,
        b'{"T":[{"PutRequest":{"Item":%s}}],"U":[{"DeleteRequest":{"Key":%s}}]}' % (ITEM, SMALL),
        b'{"Responses":{"T":[%s],"U":[%s]},"UnprocessedKeys":{"T":{"Keys":[]}}}' % (ITEM, SMALL),
        b'{"DataModel":[{"TableName":"T","TableData":[%s]}]}' % ITEM,
        b'{"id":{"S":"a","N":null,"BOOL":false,"IsBOOLSet":false},"b":{"B":{"type":"Buffer","data":[1,2]}}}\n',
        b'{"id":{"S":"a"},"b":{"B":{"0":27,"1":5}}}\n',
        b'{"id":{"S":"\\ud83d\\ude00"},"x":{"S":"\\ud83d"}}\n',
        b"\xef\xbb\xbf" + LINES + b" \t\r\n" * 50,
        b"\n" * 2000,
        *(pack(LINES) for pack in (gzip.compress, bz2.compress, zlib.compress)),
        gzip.compress(gzip.compress(LINES)),
        b"PAR1" + b"\x00" * 200 + b"PAR1",
        b"\xfd7zXZ\x00",
    ),
    words=(
        *(b'"%s":' % tag for tag in b"S N B SS NS BS BOOL NULL L M s nULLValue".split()),
        *(b'{"Item":', b'{"PutRequest":{"Item":', b'{"Items":[', b'{"DataModel":[', b'"TableName":', b'"TableData":['),
        *(b"\x02", b"\x03", b"\\N", b"$ion_1_0 {Item:{", b"$dynamodb_NS::[", b"{{", b"}}", b"\\u0001", b"\xef\xbb\xbf"),
        *(b'"type":"Buffer","data":[', b'"IsLSet":false', b"},{", b"}}\n{", b'{"S":"x"}', b"]}", b"\x1f\x8b", b"BZh9"),
    ),
    short_count=1200,
)
