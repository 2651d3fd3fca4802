"""What reading a file takes: a process of its own reads it, and says how far it grew beyond what its imports took."""

from __future__ import annotations

import bz2
import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from dynamodb_pipeline.formats.files.text import MAX_LINE_BYTES

MIB = 1 << 20
BOUND_MIB = 64 + 2 * MAX_LINE_BYTES // MIB  # docs/formats.md, Limits
READER = """
import sys
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.items.digest import BucketDigest
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.file_puts import BadLine
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import InputFile
from dynamodb_pipeline.store.local import LocalObjectStore

def most_mib():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

store, keys = LocalObjectStore(), KeySchema.from_json([{"name": "id", "type": "S", "role": "HASH"}])
reader, digest, before = FileReader(store, keys), BucketDigest(), most_mib()
items = bad = 0
try:
    info = store.head(sys.argv[1])
    data = reader.open(InputFile(info.uri, info.bytes, info.etag))
    for judged in reader.items(data) if sys.argv[2] == "items" else reader.puts(data):
        if isinstance(judged, BadLine):
            bad += 1
        else:
            items += 1
            if sys.argv[2] == "items":
                digest.add(judged.item, judged.key, size_bytes=judged.size_bytes)
except IntegrityError as err:
    bad += 1
print(items, bad, most_mib() - before)
"""

NUMBER = "0." + "0" * 129 + "1"
LONGEST = json.dumps([{"N": NUMBER}] * 136_000).replace(" ", "").encode()
EMOJI = "\U0001f600".encode()
TEXTS = b",".join(b'%s{"s":"%c%c"}' % (b" " * 130, 35 + n // 50 % 50, 35 + n % 50) for n in range(136_000))
EMPTY = b",".join([b"{}"] * (6 * MIB))
LONG = {
    "connector": b'{"id":{"s":"a%s"},"x":{"l":%s}}\n' % (EMOJI, LONGEST.replace(b'"N"', b'"n"')),
    "native": b'{"Item":{"id":{"S":"a"},"x":{"L":%s}}}\n' % LONGEST,
    "hive": b'id\x03{"s":"a%s"}\x02x\x03{"l":%s}\n' % (EMOJI, LONGEST.replace(b'"N"', b'"n"')),
    "ion": b'$ion_1_0 {Item:{id:"a%s",x:[%s]}}\n' % (EMOJI, ",".join([NUMBER] * 136_000).encode()),
    "scan output": b'{"Items":[{"id":{"S":"a"},"x":{"L":%s}},{"id":{"S":"b"}}],"Count":2}' % LONGEST,
    "texts far apart": b'{"id":{"s":"a"},"x":{"l":[%s]}}\n' % TEXTS,
    "short texts": b'{"id":{"s":"a"},"x":{"l":[%s]}}\n' % b",".join([b'{"s":""}'] * 400_000),
}
BAD = {
    "empty objects": b'{"a":{"l":[%s]}}\n' % EMPTY,
    "members": b"{%s}\n" % b",".join(b'"%07x":{}' % n for n in range(MIB)),
    "a deep array": b'{"x":%s%s{"a":1,"a":2}%s}\n' % (b"[" * 900, b"1," * MIB, b"]" * 900),
    "empty lists in ion": b"$ion_1_0 {Item:{a:[%s]}}\n" % b",".join([b"[]"] * (6 * MIB)),
}
SHORT = {"connector", "empty objects"}


def read(path: Path, way: str = "items") -> tuple[int, int, float]:
    ran = subprocess.run([sys.executable, "-c", READER, str(path), way], capture_output=True, text=True, check=True)
    items, bad, mib = ran.stdout.split()
    return int(items), int(bad), float(mib)


def few_at_first(names: dict[str, bytes]) -> list[object]:
    return [pytest.param(name, marks=() if name in SHORT else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", few_at_first(LONG))
@pytest.mark.parametrize("way", ["items", pytest.param("puts", marks=pytest.mark.slow)])
def test_a_file_with_the_longest_item_is_read_in_bounded_memory(tmp_path: Path, name: str, way: str) -> None:
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(LONG[name], 1))
    items, bad, mib = read(path, way)
    assert items >= 1
    assert bad == 0
    assert mib < BOUND_MIB


@pytest.mark.parametrize("name", few_at_first(BAD))
def test_what_is_no_item_takes_no_more(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(BAD[name])
    items, bad, mib = read(path)
    assert items == 0
    assert bad == 1
    assert mib < BOUND_MIB


@pytest.mark.parametrize("codec", ["gzip", "bzip2", "deflate"])
@pytest.mark.parametrize("text", [b"\n", b"x"], ids=["line feeds", "one line"])
def test_a_few_bytes_that_become_many_never_do_so_at_once(tmp_path: Path, codec: str, text: bytes) -> None:
    squeeze = {"gzip": zlib.compressobj(wbits=31), "bzip2": bz2.BZ2Compressor(), "deflate": zlib.compressobj()}[codec]
    path = tmp_path / "data"
    path.write_bytes(b"".join([*(squeeze.compress(text * MIB) for _ in range(60)), squeeze.flush()]))
    items, bad, mib = read(path)
    assert (items, bad) == (0, 1)
    assert mib < 40
