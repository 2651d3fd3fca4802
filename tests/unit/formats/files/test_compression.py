"""Stored objects: every codec, every cut, every flipped bit."""

from __future__ import annotations

import bz2
import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.compression import Codec, codec_of, open_plain
from dynamodb_pipeline.formats.files.foreign import FormatError

LIMIT_BYTES = 1_000_000
TEXT = b'{"Id":{"s":"daa7ba"},"UserId":{"s":"user_47"}}\n' * 3
PACK = {
    Codec.GZIP: lambda data: gzip.compress(data, mtime=0),
    Codec.BZIP2: bz2.compress,
    Codec.DEFLATE: zlib.compress,
}
MULTI = [Codec.GZIP, Codec.BZIP2]


def unpack(data: bytes, **options) -> bytes:
    return open_plain(data, name="s3://b/f", **{"limit_bytes": LIMIT_BYTES, **options})


@given(st.binary(max_size=200).filter(lambda data: data[:1].isalnum() or not data), st.sampled_from(list(PACK)))
def test_open_plain_undoes_each_codec(data, codec):
    assert unpack(PACK[codec](data)) == data
    assert codec_of(PACK[codec](data), name="f") is codec


@pytest.mark.parametrize("codec", MULTI)
def test_open_plain_reads_all_members(codec):
    """Hadoop and concatenating tools write many; a reader of the first one alone would lose the rest."""
    data = b"".join(PACK[codec](b"%d\n" % number) for number in range(50)) + PACK[codec](b"")
    assert unpack(data) == b"".join(b"%d\n" % number for number in range(50))


@pytest.mark.parametrize("codec", PACK)
def test_open_plain_reads_a_member_larger_than_one_chunk(codec):
    data = bytes(range(256)) * 4_400
    assert unpack(PACK[codec](data), limit_bytes=len(data)) == data


@pytest.mark.parametrize("codec", PACK)
def test_open_plain_finds_a_cut_at_every_byte(codec):
    stored = PACK[codec](TEXT)
    for length in range(1, len(stored)):
        with pytest.raises(IntegrityError, match=r"truncated|bytes of text"):
            unpack(stored[:length], expected_bytes=len(TEXT))


@pytest.mark.parametrize("codec", MULTI)
def test_open_plain_finds_a_cut_at_a_member_border_only_by_the_expected_size(codec):
    members = PACK[codec](TEXT) + PACK[codec](TEXT)
    half = members[: len(PACK[codec](TEXT))]
    assert unpack(half) == TEXT
    with pytest.raises(IntegrityError, match=f"{len(TEXT)} bytes of text, {2 * len(TEXT)} expected"):
        unpack(half, expected_bytes=2 * len(TEXT))
    with pytest.raises(IntegrityError, match="0 bytes of text"):
        unpack(b"", expected_bytes=len(TEXT))


def test_open_plain_finds_a_cut_of_plain_text_only_by_the_expected_size():
    for length in range(len(TEXT)):
        with pytest.raises(IntegrityError, match="cut or replaced"):
            unpack(TEXT[:length], expected_bytes=len(TEXT))


@pytest.mark.parametrize("codec", PACK)
def test_open_plain_never_gives_other_text_for_a_flipped_bit(codec):
    """Each stream carries a check sum; the few bits of a gzip header outside it do not touch the text."""
    stored = PACK[codec](TEXT)
    for bit in range(8 * len(stored)):
        damaged = bytearray(stored)
        damaged[bit // 8] ^= 1 << bit % 8
        with suppress(IntegrityError):
            assert unpack(bytes(damaged)) == TEXT or codec_of(bytes(damaged), name="f") is Codec.NONE, bit


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("tail", [b"\x00", b"\x00" * 512, b"x", b"\x1f", b'{"a":{"s":"x"}}\n'], ids=repr)
def test_open_plain_refuses_bytes_behind_the_data(codec, tail):
    with pytest.raises(IntegrityError, match=r"follow|truncated"):
        unpack(PACK[codec](TEXT) + tail)


@pytest.mark.parametrize("codec", PACK)
def test_open_plain_stops_a_bomb_before_memory_is_full(codec):
    bomb = PACK[codec](b"\0" * 20_000_000)
    assert len(bomb) < 40_000
    with pytest.raises(IntegrityError, match="more than 1000000 bytes"):
        unpack(bomb)


@pytest.mark.parametrize("pack", [*PACK.values(), bytes], ids=["gzip", "bzip2", "deflate", "none"])
def test_open_plain_takes_exactly_the_limit(pack):
    assert unpack(pack(b"x" * 100), limit_bytes=100) == b"x" * 100
    with pytest.raises(IntegrityError, match="more than 99 bytes"):
        unpack(pack(b"x" * 100), limit_bytes=99)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x89LZO\x00\r\n\x1a\n\x10", "lzop"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\xff\x06\x00\x00sNaPpY\x01", "snappy"),
        (b"\x00\x04\x00\x00\x00\x00\x31\x00\x80", "snappy, lz4 or lzo"),
        (b"PK\x03\x04\x14\x00", "zip"),
        (b"\x1f\x9d\x90", "compress"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_open_plain_names_a_codec_it_does_not_read(data, name):
    with pytest.raises(FormatError, match=name):
        unpack(data)


@pytest.mark.parametrize(
    "text", [b'x^2\x03{"s":"1"}\n', b'BZh9\x03{"s":"1"}\n', b'PK\x03{"s":"1"}\n', b"x", b"BZh"], ids=repr
)
def test_open_plain_takes_text_that_starts_like_a_codec_for_text(text):
    """Names in Hive text are raw, so an attribute called `x^2`, `BZh9` or `PK` starts the file."""
    assert unpack(text) == text


@given(st.binary(max_size=300))
def test_open_plain_raises_nothing_else_on_any_bytes(data):
    for start in (b"", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\x78\x9c"):
        with suppress(IntegrityError):
            assert unpack(start + data) == data or start
