"""Does an export fit the table it is to be written into? Pure comparison, before the first write."""

from __future__ import annotations

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.formats.items.key_schema import KeySchema


def refuse_other_keys(export: KeySchema | None, target: KeySchema, *, table: str) -> None:
    """
    Raises:
        PreconditionError: names, roles or types of the key attributes differ; both schemas are named. An export that
            carries no key schema is checked item by item instead (see check_pass.py).
    """
    if export is None or export == target:
        return
    msg = (
        f"table {table!r} has another key schema than the export: the table has {target.describe()}, the export "
        f"{export.describe()}; use a table with the export's key schema"
    )
    raise PreconditionError(msg)


def may_skip_parsing(export: KeySchema | None, target: KeySchema, *, index_attributes: frozenset[str]) -> bool:
    """
    True when items of a hashed export of ours are certainly valid in the target: same keys, and no index of the
    target has a key attribute of its own, whose type an item could miss.
    """
    return export == target and index_attributes <= set(target.names)
