"""
HTML that cannot be broken by what it shows: text is escaped unless it came out of `element`.

Records hold names and messages from outside; every one of them passes here.
"""

from __future__ import annotations

import html
import re

# Not allowed in HTML text, or able to turn the reading direction of what follows.
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return the text as markup: itself when it is that already, else escaped for elements and attributes."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(UNSHOWN.sub("\ufffd", text), quote=True))


def joined(*parts: str) -> Html:
    """Return the parts one after the other."""
    return Html("".join(escaped(part) for part in parts))


def element(name: str, *children: str, **attributes: str) -> Html:
    """
    Return one element.

    Args:
        name: of the element, never from outside.
        children: texts to escape, and markup.
        attributes: `class_` and the like lose the underscore, which keeps Python's words out of the way.
    """
    given = "".join(f' {key.rstrip("_")}="{escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")
