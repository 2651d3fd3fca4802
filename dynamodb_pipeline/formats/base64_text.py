"""Binary values as DynamoDB's JSON carries them: base64 of the standard alphabet, checked strictly."""

from __future__ import annotations

import binascii
import re

from dynamodb_pipeline.formats.item_error import ItemError

# The service refuses a length that is no multiple of four and spare bits that are not zero ("Base64 encoded
# length is expected a multiple of 4 bytes", "Invalid last non-pad Base64 character"): both would make two
# texts of one value. Of the last character before "=" only 4 of 6 bits carry data, before "==" only 2.
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?", re.ASCII
)


def is_base64(text: str) -> bool:
    """Whether `text` is canonical base64: alphabet, padding and zero spare bits; the empty text is."""
    return _BASE64.fullmatch(text) is not None


def decode_base64(text: str) -> bytes:
    """
    The bytes of a binary value.

    Raises:
        ItemError: anything but canonical base64 (lenient decoders drop characters silently).
    """
    if not is_base64(text):
        reason = "binary must be base64 with correct padding and no other characters"
        raise ItemError(reason)
    return binascii.a2b_base64(text)
