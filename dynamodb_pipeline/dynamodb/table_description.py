"""
What DescribeTable says about a table, and which states an export or import refuses.

Pure; table.py asks DynamoDB. Fields that an older SDK does not know are simply absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeySchema, index_keys_from_description
from dynamodb_pipeline.rate.capacity import Capacity

USABLE = ("ACTIVE", "UPDATING")  # UPDATING stays readable and writable: autoscaling must not end a run
REMEDIES = {
    "CREATING": "wait until it is ACTIVE",
    "DELETING": "it is going away; use another table",
    "ARCHIVING": "its KMS key was unusable too long; restore it from its backup",
    "ARCHIVED": "its KMS key was unusable too long; restore it from its backup",
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": "make its KMS key usable again (enabled, and allowed for the role)",
    "REPLICATION_NOT_AUTHORIZED": "allow DynamoDB to replicate it, or use another table",
}


@dataclass(frozen=True)
class GlobalIndex:
    """A global secondary index: its own capacity, its own throttling; count and size as those of a table."""

    name: str
    status: str
    capacity: Capacity
    item_count: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class ScanTarget:
    """
    What a Scan reads, the table or one of its indexes, and whose capacity that takes.

    Attributes:
        index: its name, None for the table.
        rated_index: the index whose own capacity is read; None where that is the table's, as of a local index.
        item_count, size_bytes: up to six hours old, for estimates only.
    """

    index: str | None
    rated_index: str | None
    capacity: Capacity
    item_count: int
    size_bytes: int


@dataclass(frozen=True)
class TableDescription:
    """
    One table as DescribeTable shows it.

    Attributes:
        table_id: changes when a table is deleted and created again under its name; empty when unknown.
        index_keys: key attributes of all indexes, local ones too.
        item_count, size_bytes: up to six hours old, for estimates only.
        local_indexes: the same two of every local secondary index.
        arn_asked: the ARN by which a table of another account is asked for; empty for one of the caller's own.
    """

    name: str
    arn: str
    table_id: str
    region: str
    status: str
    key_schema: KeySchema
    on_demand: bool
    capacity: Capacity
    global_indexes: tuple[GlobalIndex, ...]
    index_keys: tuple[IndexKeys, ...]
    stream: str | None
    replica_regions: tuple[str, ...]
    item_count: int
    size_bytes: int
    local_indexes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    arn_asked: str = ""

    @property
    def address(self) -> str:
        """What every request about it has as TableName."""
        return self.arn_asked or self.name

    @classmethod
    def from_description(cls, table: Mapping[str, Any]) -> TableDescription:
        """From the `Table` of DescribeTable's reply."""
        arn = str(table.get("TableArn", ""))
        stream = table.get("StreamSpecification") or {}
        on_demand = _is_on_demand(table)
        return cls(
            name=table["TableName"],
            arn=arn,
            table_id=str(table.get("TableId", "")),
            region=_region_of(arn),
            status=table["TableStatus"],
            key_schema=KeySchema.from_description(table),
            on_demand=on_demand,
            capacity=Capacity.from_description(table, on_demand=on_demand),
            global_indexes=_global_indexes(table, on_demand=on_demand),
            index_keys=index_keys_from_description(table),
            stream=stream.get("StreamViewType", "on") if stream.get("StreamEnabled") else None,
            replica_regions=_other_regions(table, arn),
            item_count=int(table.get("ItemCount", 0)),
            size_bytes=int(table.get("TableSizeBytes", 0)),
            local_indexes={index["IndexName"]: _sizes(index) for index in table.get("LocalSecondaryIndexes") or ()},
        )

    def scanned(self, index: str | None) -> ScanTarget:
        """
        What a Scan of the table, or of the index of that name, reads.

        Raises:
            PreconditionError: there is no such index, or it cannot be read yet.
        """
        if index is None:
            return ScanTarget(None, None, self.capacity, self.item_count, self.size_bytes)
        if index in self.local_indexes:
            return ScanTarget(index, None, self.capacity, *self.local_indexes[index])
        known = {own.name: own for own in self.global_indexes}
        if index not in known:
            names = ", ".join(sorted({*known, *self.local_indexes})) or "none"
            msg = f"table {self.name!r} has no index {index!r}; its indexes: {names}"
            raise PreconditionError(msg)
        own = known[index]
        if own.status not in USABLE:
            msg = f"index {index!r} of table {self.name!r} is {own.status}: wait until it is ACTIVE"
            raise PreconditionError(msg)
        return ScanTarget(index, index, own.capacity, own.item_count, own.size_bytes)

    @property
    def index_capacities(self) -> dict[str, Capacity]:
        """Capacity of every global secondary index that takes writes now."""
        return {index.name: index.capacity for index in self.global_indexes if index.status != "DELETING"}

    @property
    def vector_indexes(self) -> tuple[str, ...]:
        """Names of the vector indexes."""
        return tuple(index.index_name for index in self.index_keys if index.vector is not None)

    @property
    def import_warnings(self) -> list[str]:
        """What else happens when items are written into this table."""
        warnings = []
        if self.stream is not None:
            warnings.append(f"table {self.name!r} has a stream: every write goes to its consumers (Lambda triggers)")
        if self.replica_regions:
            regions = ", ".join(self.replica_regions)
            warnings.append(f"table {self.name!r} is replicated to {regions}: every write is made and billed there too")
        if self.index_capacities:
            names = ", ".join(sorted(self.index_capacities))
            warnings.append(f"table {self.name!r} has global indexes ({names}): writes use their capacity as well")
        if self.vector_indexes:
            names = ", ".join(self.vector_indexes)
            warnings.append(
                f"table {self.name!r} has vector indexes ({names}): each written vector is billed besides, by bytes "
                "(VectorWriteRequestBytes), which no estimate of ours holds"
            )
        if self.arn_asked:
            warnings.append(
                f"table {self.name!r} is asked for by its ARN: whether written items expire there only its own account "
                "is told (DescribeTimeToLive)"
            )
        return warnings


def refuse_unusable(table: TableDescription, *, purpose: str) -> None:
    """Raise PreconditionError unless the table can be read and written now; `purpose` is "export" or "import"."""
    if table.status not in USABLE:
        remedy = REMEDIES.get(table.status, "wait until it is ACTIVE")
        msg = f"table {table.name!r} is {table.status}, so {purpose} would fail: {remedy}"
        raise PreconditionError(msg)


def refuse_changed(pinned: TableDescription, now: TableDescription) -> None:
    """
    Refuse a table that is no longer the one the run began with. DynamoDB may keep answering requests while it deletes.

    Raises:
        IntegrityError: it was created again under its name, or is being deleted.
    """
    if pinned.table_id and now.table_id and pinned.table_id != now.table_id:
        msg = (
            f"table {now.name!r} was deleted and created again during the run (TableId was {pinned.table_id}, is "
            f"{now.table_id}); start over with a new run"
        )
        raise IntegrityError(msg)
    if now.status == "DELETING":
        msg = f"table {now.name!r} is being deleted; what this run read or wrote is not to be relied on"
        raise IntegrityError(msg)


def gone(name: str) -> IntegrityError:
    """The error for a table that was there when the run began: exit code 3 would say that nothing was started."""
    return IntegrityError(f"table {name!r} was deleted during the run; what was read or written is not to be relied on")


def _is_on_demand(table: Mapping[str, Any]) -> bool:
    """A table that was always provisioned has no BillingModeSummary."""
    mode = (table.get("BillingModeSummary") or {}).get("BillingMode")
    units = (table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits", 0)
    return bool(mode == "PAY_PER_REQUEST" or (mode is None and not units))


def _global_indexes(table: Mapping[str, Any], *, on_demand: bool) -> tuple[GlobalIndex, ...]:
    return tuple(
        GlobalIndex(
            index["IndexName"],
            index.get("IndexStatus", "ACTIVE"),
            Capacity.from_description(index, on_demand=on_demand),
            *_sizes(index),
        )
        for index in table.get("GlobalSecondaryIndexes") or ()
    )


def _sizes(index: Mapping[str, Any]) -> tuple[int, int]:
    """Items and bytes of an index."""
    return int(index.get("ItemCount", 0)), int(index.get("IndexSizeBytes", 0))


def _region_of(arn: str) -> str:
    return (arn.split(":") + [""] * 4)[3]


def _other_regions(table: Mapping[str, Any], arn: str) -> tuple[str, ...]:
    regions = (replica["RegionName"] for replica in table.get("Replicas") or ())
    return tuple(region for region in regions if region != _region_of(arn))


def refuse_other_keys(export: KeySchema | None, target: KeySchema, *, table: str) -> None:
    """
    Raises:
        PreconditionError: names, roles or types of the key attributes differ; both schemas are named. An export that
            carries no key schema is checked item by item instead (see importing/check.py).
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
