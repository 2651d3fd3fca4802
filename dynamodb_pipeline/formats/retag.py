"""
Tags renamed on bytes, without parsing: a Scan reply to connector lines, connector lines to put requests.

About a quarter of the cost of parsing and writing again. Every function answers None when it is not certain:
the caller then parses. What it does answer is the same JSON, token for token, with other tags; contents
(numbers, base64, doubled names) are not judged. So the input has to be known good: a reply of DynamoDB
whose checksum was right, or a file whose hash its export vouches for.

Why renaming is exact: `item_grammar` has matched the text, so quotes and brackets are where they seem to be.
There `{"S":"` can only be a tag, because an attribute of that name is followed by `{`; of `{"M":{` the
grammar has refused the doubtful cases.
"""

from __future__ import annotations

import re

from dynamodb_pipeline.formats import item_grammar
from dynamodb_pipeline.formats.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.tags import CONNECTOR_TAGS, NULL_TAG_OPTIONS

_ITEMS_START = b'"Items":['
_REST = rb"|[\s\S]+"  # swallows at once what is no item, so that findall ends with an empty match


class _Renaming:
    """Every tag of one spelling, with the bytes around it -> the same in another spelling."""

    def __init__(self, source: item_grammar.TagNames, spellings: dict[str, str]) -> None:
        self._tag = re.compile(b"(" + item_grammar.tag_pattern(source) + b")")
        self._renamed = {
            f'{{"{old}":{follow}'.encode(): f'{{"{new}":{follow}'.encode()
            for old, new in spellings.items()
            for follow in ('"', "[", "{", "t", "f")
        }
        # Most tags are these two: replacing them at once leaves few to be renamed one by one.
        self._frequent = [token for token in self._renamed if token.upper() in (b'{"S":"', b'{"N":"')]

    def __call__(self, text: bytes) -> bytes:
        for token in self._frequent:
            text = text.replace(token, self._renamed[token])
        parts = self._tag.split(text)
        parts[1::2] = map(self._renamed.__getitem__, parts[1::2])
        return b"".join(parts)


_TO_CONNECTOR = {
    null_tag: _Renaming(item_grammar.DYNAMODB, {**CONNECTOR_TAGS, "NULL": null_tag}) for null_tag in NULL_TAG_OPTIONS
}
_TO_DYNAMODB = _Renaming(
    item_grammar.CONNECTOR,
    {**{tag: upper for upper, tag in CONNECTOR_TAGS.items()}, **dict.fromkeys(NULL_TAG_OPTIONS, "NULL")},
)
_PAGE_ITEM = re.compile(b"(" + item_grammar.item_pattern(item_grammar.DYNAMODB) + rb")(?:,(?=\{)|(?=\]))" + _REST)
_LINE_ITEM = re.compile(b"(" + item_grammar.item_pattern(item_grammar.CONNECTOR) + rb")\n" + _REST)


def scan_page_lines(body: bytes, *, null_tag: str) -> tuple[bytes, int] | None:
    """
    The items of a raw Scan reply as connector lines, and how many; None when the reply must be parsed instead.

    `null_tag` is one of NULL_TAG_OPTIONS. Lines end with a line feed and are as the connector writes them, but for
    escapes in the reply where the connector has none (`\\/`, `\\u00e9`): those are kept.
    """
    start = body.find(_ITEMS_START) + len(_ITEMS_START)
    text = item_grammar.quiet(body[start:])
    if start < len(_ITEMS_START) or not text or b"\n" in text:
        return None
    *items, unmatched = _PAGE_ITEM.findall(text)
    end = sum(map(len, items)) + max(0, len(items) - 1)
    if unmatched or text[end : end + 1] != b"]" or not _is_reply(body[:start], item_grammar.loud(text[end:])):
        return None
    lines = _TO_CONNECTOR[null_tag](b"".join([b"%b\n" % item for item in items]))
    return _escape_separators(item_grammar.loud(lines)), len(items)


def connector_line_to_put(line: bytes) -> bytes | None:
    """The item's JSON with upper-case tags, for a request body; `line` with or without its line feed."""
    puts = connector_block_to_puts(line)
    return puts[0] if puts is not None and len(puts) == 1 else None


def connector_block_to_puts(block: bytes) -> list[bytes] | None:
    """
    The JSON with upper-case tags of each line of `block`; None when one of the lines must be parsed.

    Takes both null tags. The last line feed may be missing; an empty line makes it None.
    """
    text = item_grammar.quiet(_with_line_end(block))
    if text is None:
        return None
    items = _LINE_ITEM.findall(text)
    if len(items) != text.count(b"\n") or not all(items):
        return None
    return item_grammar.loud(upper_case_tags(text)).split(b"\n")[:-1]


def upper_case_tags(text: bytes) -> bytes:
    """
    Quiet text of connector items with upper-case tags.

    Without a look at the grammar: an attribute named `m` that stands first in its map becomes `M`, and tags
    with white space around them stay.
    """
    return _TO_DYNAMODB(text)


def _with_line_end(block: bytes) -> bytes:
    return block if block.endswith(b"\n") or not block else block + b"\n"


def _is_reply(head: bytes, tail: bytes) -> bool:
    """Whether `head` opens the list `Items` of a reply and `tail` closes it and the reply."""
    try:
        opened = list(parse_json(head + b"]}"))
        return opened[-1:] == ["Items"] and isinstance(parse_json(head + tail), dict)
    except JsonTextError:
        return False


def _escape_separators(lines: bytes) -> bytes:
    if b"\xe2\x80" not in lines:
        return lines
    return lines.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")
