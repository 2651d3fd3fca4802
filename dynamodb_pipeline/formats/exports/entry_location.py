"""
Where a manifest's data file lies now.

A manifest carries absolute addresses of the day it was written. Exports get copied, renamed and moved to
other buckets, and AWS's own page then tells users to edit them by hand. Here a file is looked for beside
the manifest first; its address says no more than its name unless it points into the manifest's own bucket.
Nothing an address says can lead out of what the user named: the grammar is checked before anything is
opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from dynamodb_pipeline.errors import IntegrityError

_S3 = re.compile(r"s3[an]?://(?=[^/])", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_DECODINGS = 8
_MAX_DEPTH = 4  # how many of the last path components may name a file beside the manifest
_SHOWN_CHARS = 128


@dataclass(frozen=True)
class Resolved:
    """
    Where to look for one file: the first of `candidate_uris` that exists is it.

    Attributes:
        candidate_uris: in order of trust; beside the manifest first.
        note: what the user should hear, None when the file lies where the manifest says.
    """

    candidate_uris: tuple[str, ...]
    note: str | None = None


@dataclass(frozen=True)
class _Address:
    """`root`: scheme and bucket (`s3://bucket`), empty for a path of this machine; `parts`: of the key."""

    root: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, uri: str) -> _Address:
        scheme = _SCHEME.match(uri)
        if scheme is None:
            return cls("", tuple(uri.split("/")))
        bucket, _, key = uri[scheme.end() :].partition("/")
        return cls(scheme.group() + bucket, tuple(key.split("/")))

    def __str__(self) -> str:
        return "/".join((self.root, *self.parts) if self.root else self.parts)

    @property
    def bucket(self) -> str:
        return self.root.rpartition("/")[2]

    def beside(self, parts: tuple[str, ...]) -> _Address:
        """The file `parts` in this file's folder."""
        return _Address(self.root, (*self.parts[:-1], *parts))

    def shares_folder_with(self, other: _Address) -> bool:
        """True when `other` lies in this file's folder or below it."""
        folder = self.parts[:-1]
        return self.root == other.root and other.parts[: len(folder)] == folder


def resolve_entry(entry_url: str, *, manifest_uri: str, allow_buckets: Collection[str] = ()) -> Resolved:
    """
    The addresses where an entry's file may lie, given where the manifest lies now.

    Each is tried as it stands and then with %XX decoded: AWS's tool quotes a space in the folder's name and
    never undoes it. An entry below the manifest's folder is taken as it is. Any other is looked for beside
    the manifest, by its name, then by its last two components and so on; after that at its own address if
    that is in the manifest's bucket or in one of `allow_buckets`.

    Args:
        entry_url: as in the manifest: s3://, s3n:// or s3a://.
        manifest_uri: where the manifest was read: s3://bucket/folder/manifest, or a path of this machine.
        allow_buckets: names of other buckets that files may be read from.

    Raises:
        IntegrityError: an address that no manifest may hold (`check_entry_url`).
    """
    try:
        check_entry_url(entry_url)
    except ValueError as err:
        msg = f"manifest {manifest_uri}: {err}"
        raise IntegrityError(msg) from err
    here = _Address.of(s3_scheme(manifest_uri))
    spellings = [_Address.of(url) for url in _spellings(s3_scheme(entry_url))]
    in_place = [spelling for spelling in spellings if here.shares_folder_with(spelling)]
    if in_place:
        return Resolved(_texts(in_place))
    return _elsewhere(here, spellings, allow_buckets)


def check_entry_url(url: str) -> None:
    """
    Raise ValueError unless `url` is an s3 address of a file, free of `.`, `..`, empty parts and control
    characters, however often its %XX are decoded.
    """
    if not _S3.match(url):
        msg = f"{_shown(url)} is no s3:// address; other schemes are not read"
        raise ValueError(msg)
    bucket, _, key = url[url.index("//") + 2 :].partition("/")
    if not _BUCKET.fullmatch(bucket) or not key:
        msg = f"{_shown(url)} does not name a bucket and a file"
        raise ValueError(msg)
    for text in _decodings(key):
        if not {"", ".", ".."}.isdisjoint(text.split("/")):
            msg = f"{_shown(url)} has an empty, '.' or '..' part"
            raise ValueError(msg)
        if _CONTROL.search(text):
            msg = f"{_shown(url)} holds a control character"
            raise ValueError(msg)


def s3_scheme(url: str) -> str:
    """`url` with s3n:// and s3a:// made s3://; anything else as it is."""
    return _S3.sub("s3://", url, count=1)


def _elsewhere(here: _Address, spellings: list[_Address], allow_buckets: Collection[str]) -> Resolved:
    """For an entry that was copied with its manifest, or that never lay in its folder."""
    depths = range(1, min(len(spellings[0].parts), _MAX_DEPTH) + 1)
    beside = [here.beside(spelling.parts[-depth:]) for depth in depths for spelling in spellings]
    entry = spellings[0]
    if entry.root == here.root:
        note = "the manifest names another folder of this bucket"
        return Resolved(_texts([*beside, *spellings]), note=note)
    if entry.bucket in allow_buckets:
        note = f"the manifest names bucket {entry.bucket}, which was allowed"
        return Resolved(_texts([*beside, *spellings]), note=note)
    note = f"the manifest names bucket {entry.bucket}; its files are taken from where the manifest lies now"
    return Resolved(_texts(beside), note=note)


def _texts(addresses: Iterable[_Address]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, addresses)))


def _spellings(url: str) -> Iterator[str]:
    yield url
    try:
        decoded = unquote_to_bytes(url).decode("utf-8")
    except UnicodeDecodeError:
        return
    if decoded != url:
        yield decoded


def _decodings(text: str) -> Iterator[str]:
    """The text, and what comes of it by decoding %XX again and again."""
    for _ in range(_MAX_DECODINGS):
        yield text
        if not _ESCAPE.search(text):
            return
        text = unquote_to_bytes(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    msg = f"{_shown(text)} is %-encoded more than {_MAX_DECODINGS} times"
    raise ValueError(msg)


def _shown(url: str) -> str:
    return json.dumps(url[:_SHOWN_CHARS], ensure_ascii=False)
