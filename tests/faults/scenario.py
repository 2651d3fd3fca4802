"""
What one seed stands for: how much data, which faults, and whether and when the process is killed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from sandbox.faults.kinds import Service
from sandbox.faults.plan import FaultPlan

KILL_SHARE = 0.15
STOP_SHARE = 0.05


class Mode(str, Enum):
    """How the export is brought into the target, and what the target must then hold."""

    OWN = "own"  # our export with its hashes: its items over the old ones
    FOREIGN = "foreign"  # the same files as another tool's: manifest, no record
    SKIP = "skip-existing"  # old items stay as they are
    MIRROR = "mirror"  # old items that the export does not have are deleted

    @property
    def words(self) -> tuple[str, ...]:
        """The options of the import."""
        return {
            Mode.SKIP: ("--skip-existing",),
            Mode.MIRROR: ("--mirror", "--yes", "--max-deletions", "100%"),
        }.get(self, ())


MODES = (Mode.OWN, Mode.OWN, Mode.FOREIGN, Mode.SKIP, Mode.MIRROR)
VERIFIED_SHARE = 0.4


@dataclass(frozen=True)
class Blow:
    """The process gets `signal` ("KILL" or "TERM") at its `at_request`-th request, before or after it is answered."""

    signal: str
    at_request: int
    answered: bool

    def __str__(self) -> str:
        return f"SIG{self.signal} {'after' if self.answered else 'before'} the answer to request {self.at_request}"


@dataclass(frozen=True)
class Scenario:
    """One seed, spelt out."""

    seed: int
    item_count: int
    old_item_count: int
    compression: str
    segments: int
    tasks: int
    percent: int
    enforced: bool
    dynamodb: FaultPlan
    s3: FaultPlan
    export_blow: Blow | None
    import_blow: Blow | None
    mode: Mode = Mode.OWN
    verified: bool = False  # against the target, under the same faults

    @property
    def lasting(self) -> bool:
        """Whether some fault may make the first run id useless."""
        return self.dynamodb.lasting or self.s3.lasting

    @property
    def killed(self) -> bool:
        return self.export_blow is not None or self.import_blow is not None

    def __str__(self) -> str:
        data = (
            f"{self.item_count} items over {self.old_item_count} old ones, {self.segments} segments, "
            f"{self.tasks} tasks, {self.compression}, {self.percent}%{', capacity enforced' * self.enforced}"
        )
        return "\n".join(
            (
                f"seed {self.seed}: {data}",
                f"export: {self.export_blow}",
                f"import ({self.mode.value}{', then verified' * self.verified}): {self.import_blow}",
                str(self.dynamodb),
                str(self.s3),
            )
        )

    @staticmethod
    def from_seed(seed: int) -> Scenario:
        """Always the same scenario for the same seed."""
        rng, then = random.Random(f"scenario {seed}"), random.Random(f"mode {seed}")
        return Scenario(
            seed=seed,
            item_count=rng.choice((0, 1, 5, 40, 40, 120, 120, 300)),
            old_item_count=rng.choice((0, 10, 50)),
            compression=rng.choice(("none", "gzip")),
            segments=rng.choice((1, 2, 4, 7)),
            tasks=rng.choice((1, 2, 4)),
            percent=rng.choice((25, 100, 150)),
            enforced=rng.random() < 0.2,
            dynamodb=FaultPlan.from_seed(seed, Service.DYNAMODB),
            s3=FaultPlan.from_seed(seed, Service.S3),
            export_blow=_blow(rng),
            import_blow=_blow(rng),
            mode=then.choice(MODES),
            verified=then.random() < VERIFIED_SHARE,
        )


def _blow(rng: random.Random) -> Blow | None:
    dice = rng.random()
    if dice >= KILL_SHARE + STOP_SHARE:
        return None
    return Blow("KILL" if dice < KILL_SHARE else "TERM", rng.randint(1, 30), rng.random() < 0.5)
