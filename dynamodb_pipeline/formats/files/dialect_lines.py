"""
One line of a given dialect, and the dialect of one line.

The tags' first letter tells DynamoDB's own JSON (`S`) from the connector's (`s`, once is enough: some writers took
null or booleans from elsewhere), 0x03 tells Hive text, and the members tell a native export's `{"Item": {...}}` from
an item whose only attribute is called Item: the reading in which every value has one tag and content of that tag's
type. No line is whole in both, because only the content of `M` is an object, and below an `M` the two readings ask for
different things.
"""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.formats.files.dialect_forms import FORMS, HIVE_SEPARATOR, Dialect, TagCase, is_wrapped
from dynamodb_pipeline.formats.items.item_error import ItemError
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.formats.items.tags import dynamodb_tag, to_dynamodb


def parse_line(line: bytes, dialect: Dialect) -> dict[str, Any]:
    """
    The item of one line, tags in upper case, numbers as text.

    Raises:
        ItemError: malformed or not strict JSON, or tags that are unknown or of another dialect.
    """
    form = FORMS[dialect]
    try:
        attributes = form.reads(line)
        item = to_dynamodb(attributes)
    except JsonTextError as err:
        members = err.steps[form.item_steps :]
        raise ItemError(str(err), members[::2]) from err  # every other one is a tag
    except RecursionError:
        reason = "nested too deep"
        raise ItemError(reason) from None
    _check_case(attributes, dialect)
    return item


def line_dialect(line: bytes) -> Dialect | None:
    """
    The dialect in which `line` is a whole item that is not empty, None when there is none; there are never two.

    Variants are not told from their main dialect here: most lines fit all of them.
    """
    return next((dialect for dialect in candidates(line) if _fits(line, dialect)), None)


def candidates(line: bytes) -> list[Dialect]:
    """The dialects that a line may be of."""
    return [dialect for dialect, form in FORMS.items() if form.recognises and form.recognises(line)]


def likely_dialect(line: bytes) -> Dialect | None:
    """What a line with a damaged or invalid item was meant to be, by the tags it has; None when nothing tells."""
    try:
        tree = parse_json(line)
    except JsonTextError:
        return Dialect.HIVE if HIVE_SEPARATOR in line else None
    plain = _case_of_tags(tree)
    wrapped = _case_of_tags(tree["Item"]) if is_wrapped(tree) else None
    if plain is not None and wrapped is not None:
        return None
    return Dialect.NATIVE if wrapped is Dialect.DYNAMODB_JSON else plain


def _fits(line: bytes, dialect: Dialect) -> bool:
    try:
        return bool(parse_line(line, dialect))
    except ItemError:
        return False


def _check_case(attributes: dict[str, Any], dialect: Dialect) -> None:
    """Refuse a line of DynamoDB's own tags among the connector's, and any other tag among DynamoDB's own."""
    case = FORMS[dialect].tag_case
    if case is TagCase.ANY:
        return
    upper = {name: tag for name, value in attributes.items() for tag in value if tag < "a"}
    wrong = attributes.keys() - upper.keys() if case is TagCase.UPPER else upper.keys()
    if wrong and (case is TagCase.UPPER or len(upper) == len(attributes)):
        name = next(name for name in attributes if name in wrong)
        reason = f"tag {next(iter(attributes[name]))} is not of {dialect.value}"
        raise ItemError(reason, (name,))


def _case_of_tags(tree: Any) -> Dialect | None:
    """DYNAMODB_JSON or CONNECTOR by the first value that has one tag and nothing else."""
    for value in tree.values() if isinstance(tree, dict) else ():
        if isinstance(value, dict) and len(value) == 1 and dynamodb_tag(tag := next(iter(value))):
            return Dialect.DYNAMODB_JSON if tag < "a" else Dialect.CONNECTOR
    return None
