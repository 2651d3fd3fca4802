"""
Stored object -> plain text, by content and never by name.

Every byte must be used and every check sum must hold: an object cut anywhere, or followed by anything, is
refused. One cut leaves no trace in the bytes: at the border between two gzip or bzip2 members, or in a file
that is not compressed at all. Only the size known from elsewhere finds that one (`expected_bytes`).
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Generator, Iterable, Iterator
from enum import Enum
from typing import Callable, Protocol

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.foreign import FormatError, foreign_codec, foreign_message
from dynamodb_pipeline.formats.files.text import PIECE_BYTES, Text

_CHUNK_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
# "BZh", level, then the magic of the first block or of the end of an empty stream.
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_ZLIB_PROBE_BYTES = 512


class Codec(str, Enum):
    """A compression that is read; `.value` is its name in messages."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    DEFLATE = "deflate"  # zlib-wrapped: Hadoop's DefaultCodec, `.deflate`


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Inflater:
    """zlib's decompressor in the manner of bz2's: what it has not looked at yet it keeps for the next call."""

    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits=wbits)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail and not self._more

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        self._more = len(piece) == max_length  # some may wait in its window, with all input taken
        return piece

    _more = False


_MEMBERS: dict[Codec, Callable[[], _Decompressor]] = {
    Codec.GZIP: lambda: _Inflater(31),
    Codec.BZIP2: bz2.BZ2Decompressor,
    Codec.DEFLATE: lambda: _Inflater(15),
}


def open_plain(
    data: Text,
    *,
    name: str,
    limit_bytes: int,
    expected_bytes: int | None = None,
    collect: Callable[[Iterable[bytes]], Text] = b"".join,
) -> Text:
    """
    The plain content of a stored object: none, gzip and bzip2 with any number of members, deflate.

    Args:
        data: the whole object as stored.
        name: the object's address, for messages.
        limit_bytes: most plain bytes to produce; reached before memory is (a gzip bomb stops here).
        expected_bytes: the plain size when it is known (export record).
        collect: makes one text of what is unpacked, piece by piece.

    Raises:
        FormatError: a compression that cannot be read here.
        IntegrityError: truncated, damaged, followed by other bytes, over the limit, or not of the expected
            size.
    """
    codec = codec_of(data, name=name)
    plain = data
    if codec is not Codec.NONE:
        plain = collect(_Unpacking(codec, name=name, limit_bytes=limit_bytes).pieces(data))
    if len(plain) > limit_bytes:
        raise IntegrityError(_over_limit(name, limit_bytes))
    if expected_bytes is not None and len(plain) != expected_bytes:
        msg = f"{name}: {len(plain)} bytes of text, {expected_bytes} expected; the object was cut or replaced"
        raise IntegrityError(msg)
    return plain


def codec_of(data: Text, *, name: str) -> Codec:
    """
    The compression of a stored object, from its first bytes.

    Raises:
        FormatError: one that cannot be read here, with its name and the remedy.
    """
    start = data[:_ZLIB_PROBE_BYTES]
    if start.startswith(_GZIP_MAGIC):
        return Codec.GZIP
    if start[:3] == b"BZh" and start[4:10] in _BZIP2_BLOCKS:
        return Codec.BZIP2
    if _is_zlib(start):
        return Codec.DEFLATE
    foreign = foreign_codec(start)
    if foreign is not None:
        raise FormatError(foreign_message(foreign, name))
    return Codec.NONE


def _is_zlib(data: bytes) -> bool:
    """RFC 1950's header; where its second byte may be text ("x^2" is a name in Hive text), a trial."""
    if len(data) < 2 or data[0] & 0x8F != 8 or (data[0] << 8 | data[1]) % 31:
        return False
    if data[1] >= 0x80:
        return True
    try:
        zlib.decompressobj(wbits=15).decompress(data[:_ZLIB_PROBE_BYTES], _ZLIB_PROBE_BYTES)
    except zlib.error:
        return False
    return True


class _Unpacking:
    """One object's decompression: the members in turn, the plain size bounded."""

    def __init__(self, codec: Codec, *, name: str, limit_bytes: int) -> None:
        self._codec, self._name, self._limit_bytes = codec, name, limit_bytes
        self._plain_bytes = 0

    def pieces(self, data: Text) -> Iterator[bytes]:
        position = yield from self._member(data, 0)
        while position < len(data):
            self._check_another_member(data, position)
            position = yield from self._member(data, position)

    def _member(self, data: Text, position: int) -> Generator[bytes, None, int]:
        """Unpack the member that starts at `position`; returns the position after it."""
        member = _MEMBERS[self._codec]()
        while not member.eof:
            chunk = data[position : position + _CHUNK_BYTES] if member.needs_input else b""
            if member.needs_input and not chunk:
                msg = f"{self._name}: {self._codec.value} data ends early; the object is truncated"
                raise IntegrityError(msg)
            yield self._counted(self._decompress(member, chunk))
            position += len(chunk)
        return position - len(member.unused_data)

    def _decompress(self, member: _Decompressor, chunk: bytes) -> bytes:
        """Some of what it makes: a few bytes may become gigabytes, and never all at once."""
        try:
            return member.decompress(chunk, PIECE_BYTES)
        except (zlib.error, OSError, ValueError) as err:
            msg = f"{self._name}: damaged {self._codec.value} data ({err})"
            raise IntegrityError(msg) from err

    def _counted(self, piece: bytes) -> bytes:
        self._plain_bytes += len(piece)
        if self._plain_bytes > self._limit_bytes:
            raise IntegrityError(_over_limit(self._name, self._limit_bytes))
        return piece

    def _check_another_member(self, data: Text, position: int) -> None:
        start = {Codec.GZIP: _GZIP_MAGIC, Codec.BZIP2: b"BZh"}.get(self._codec)
        head = data[position : position + len(start or b"")]
        if start is None or not start.startswith(head):
            msg = f"{self._name}: other bytes follow the {self._codec.value} data from byte {position} on"
            raise IntegrityError(msg)


def _over_limit(name: str, limit_bytes: int) -> str:
    return f"{name}: more than {limit_bytes} bytes of text, the most one data file may hold here"
