"""
How many units a table takes and how long that lasts: DynamoDB's own arithmetic, from sizes that are hours old.

AWS's worked example (developer guide, "DynamoDB provisioned throughput"): 20 GiB at 100 read units with strongly
consistent reads is 21,474,836,480 / 409,600 = 52,429 s = 14.56 h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dynamodb_pipeline.formats.items.item_rules import write_units
from dynamodb_pipeline.rate.work_size import EVENTUAL_BYTES_PER_UNIT, STRONG_BYTES_PER_UNIT

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
# Planning value for export and for DynamoDB bytes, measured on one core of a server, not on EC2.
BYTES_PER_S_PER_VCPU = 8 * MIB
# From RunJobFlow to the first step: 4 to 10 minutes are reported; the real figure is printed by every run.
START_UP_S = 480.0
DATA_FILE_BYTES = 128 * MIB


@dataclass(frozen=True)
class TableFacts:
    """
    What an estimate needs to know of one table.

    Attributes:
        size_bytes, item_count: as DescribeTable says, up to six hours old; of an import, those of its input.
        units_per_s: the allowed rate, of the kind the verb uses.
        rate_text: how that rate was derived, for people.
        on_demand: units are paid by request, not by hour.
        written_copies: the table and every index a write touches; 1 without indexes.
        strong: strongly consistent reads.
        basis: where size and count come from when not from DescribeTable; why they are not known.
        held_bytes: of an import, the size of the table it goes into, as DescribeTable says; 0 where it does not yet.
        scan_units_per_s: of an import, the rate at which it may read that table.
        is_scanned: it does.
        vector_indexes: of an import's target; what they cost is in no estimate.
        is_known: False when an import's input could not be read; size and count are then 0.
    """

    table_name: str
    size_bytes: int
    item_count: int
    units_per_s: float
    rate_text: str
    on_demand: bool
    written_copies: int = 1
    strong: bool = False
    basis: str = ""
    is_known: bool = True
    vector_indexes: tuple[str, ...] = ()
    held_bytes: int = 0
    scan_units_per_s: float = 0.0
    is_scanned: bool = False


@dataclass(frozen=True)
class Estimate:
    """
    Units of the table itself, and seconds: as the rate allows and as the nodes allow.

    `scan_units` and `scan_s` are of an import's pass over its table, before it writes.
    """

    units: int
    rate_s: float
    nodes_s: float
    scan_units: int = 0
    scan_s: float = 0.0

    @property
    def data_s(self) -> float:
        """Seconds that the data take, a pass over the table before them included."""
        return self.write_s + self.scan_s

    @property
    def write_s(self) -> float:
        """Seconds of the job's own work, without such a pass: whichever bound is tighter."""
        return max(self.rate_s, self.nodes_s)

    @property
    def nodes_bound(self) -> bool:
        """The nodes, not the rate, decide how long it takes."""
        return self.nodes_s > self.rate_s


def read_units(size_bytes: int, *, strong: bool) -> int:
    """Units a whole Scan consumes; an eventually consistent read costs half."""
    return math.ceil(size_bytes / (STRONG_BYTES_PER_UNIT if strong else EVENTUAL_BYTES_PER_UNIT))


def table_write_units(size_bytes: int, *, item_count: int) -> int:
    """Units of writing every item once, each of average size."""
    return item_count * write_units(math.ceil(size_bytes / item_count)) if item_count else 0


def export_estimate(facts: TableFacts, *, slots: int) -> Estimate:
    """An export (or the table's side of a verification) with `slots` tasks at once."""
    units = read_units(facts.size_bytes, strong=facts.strong)
    nodes_s = facts.size_bytes / (slots * BYTES_PER_S_PER_VCPU)
    return Estimate(units=units, rate_s=units / facts.units_per_s, nodes_s=nodes_s)


def import_estimate(facts: TableFacts, *, slots: int) -> Estimate:
    """An import of data of this size and count with `slots` tasks at once."""
    units = table_write_units(facts.size_bytes, item_count=facts.item_count)
    nodes_s = facts.size_bytes / (slots * BYTES_PER_S_PER_VCPU)
    bare = Estimate(units=units, rate_s=units / facts.units_per_s, nodes_s=nodes_s)
    if not facts.is_scanned:
        return bare
    return replace(bare, scan_units=scan_units(facts), scan_s=scan_units(facts) / facts.scan_units_per_s)


def scan_units(facts: TableFacts) -> int:
    """Read units of an import's pass over its table; one of unknown size is taken to be as large as the input."""
    return read_units(facts.held_bytes or facts.size_bytes, strong=False)


def estimate(verb: str, facts: TableFacts, *, slots: int) -> Estimate:
    """The estimate of one table for `export`, `import` or `verify`."""
    build = import_estimate if verb == "import" else export_estimate
    return build(facts, slots=slots)


def slots_for_rate(facts: TableFacts) -> int:
    """Tasks at once that suffice to use the whole read rate."""
    bytes_per_s = facts.units_per_s * (STRONG_BYTES_PER_UNIT if facts.strong else EVENTUAL_BYTES_PER_UNIT)
    return max(1, math.ceil(bytes_per_s / BYTES_PER_S_PER_VCPU))
