"""A manifest's JSON, whoever wrote it: one whole object, or a refusal that names it."""

from __future__ import annotations

from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.lines import BOM
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json


def manifest_object(data: bytes, *, where: str) -> dict[str, Any]:
    """
    The members of the one JSON object in `data`.

    A byte order mark before it is no content: editors leave it there when a manifest was changed by hand, as AWS's
    page once told users to.

    Args:
        where: the manifest's address, for messages.

    Raises:
        IntegrityError: cut, no strict JSON, or no object.
    """
    try:
        members = parse_json(data.removeprefix(BOM))
    except JsonTextError as err:
        msg = f"{where} is not complete JSON ({err}); the export is damaged or not finished"
        raise IntegrityError(msg) from err
    if not isinstance(members, dict):
        msg = f"{where}: the whole is not a JSON object; it is damaged or of another tool"
        raise IntegrityError(msg)
    return members
