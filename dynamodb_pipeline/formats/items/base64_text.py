"""
Binary values as DynamoDB's JSON carries them: base64 of the standard alphabet, checked strictly.

The service refuses a length that is no multiple of four ("Base64 encoded length is expected a multiple of 4
bytes", scylladb issue 6487) and spare bits that are not zero ("Invalid last non-pad Base64 character", recorded
in dynalite's tests). So one value has one text, and texts can be compared instead of bytes.
"""

from __future__ import annotations

import binascii
import re

from dynamodb_pipeline.formats.items.item_error import ItemError

# Before "=" the last character carries 4 bits of data and 2 spare ones, before "==" 2 and 4.
_ALPHABET_AND_END = re.compile(r"[A-Za-z0-9+/]*(?:[AEIMQUYcgkosw048]=|[AQgw]==)?")


def decoded_length(text: str) -> int:
    """
    How many bytes `text` stands for.

    Raises:
        ItemError: anything but canonical base64; lenient decoders drop characters without a word.
    """
    if len(text) % 4 or _ALPHABET_AND_END.fullmatch(text) is None:
        reason = "binary must be base64 with its padding, zero spare bits and nothing else"
        raise ItemError(reason)
    return len(text) // 4 * 3 - (text.endswith("=") + text.endswith("=="))


def decode_base64(text: str) -> bytes:
    """
    The bytes of a binary value.

    Raises:
        ItemError: as `decoded_length`.
    """
    decoded_length(text)
    return binascii.a2b_base64(text)
