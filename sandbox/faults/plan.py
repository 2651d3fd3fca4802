"""
A fault plan: which requests fail and how, decided by a seed alone.

Whether a request fails depends on its own content and on how often the same content was seen, not on the order in
which threads happen to send. So a failing seed fails again, and a printed plan is all that is needed to repeat it.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.faults.kinds import KINDS, FaultKind, Service

_CHANCES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_REPEATS = (1, 1, 2, 3, 4)
_LASTING_SHARE = 0.12
_MOST_RULES = 5
_LONG_WAITS = ("silence", "slow", "s3_slow")


@dataclass(frozen=True)
class Seen:
    """A request as the plan sees it."""

    operation: str
    fingerprint: str  # of its content
    occurrence: int  # how often the same content came before
    number: int  # how many requests of this operation came before


@dataclass(frozen=True)
class FaultRule:
    """
    `kind` strikes each request with `chance`, the same request at most `repeats` times (None: no end).

    It begins after `after_count` requests of an operation. `wait_s` is for kinds that keep the client waiting.
    """

    kind: str
    chance: float = 1.0
    repeats: int | None = 1
    after_count: int = 0
    wait_s: float = 0.05

    def strikes(self, seen: Seen, *, seed: int) -> bool:
        """Whether this rule breaks this request; always the same answer for the same arguments."""
        if seen.operation not in KINDS[self.kind].operations or seen.number < self.after_count:
            return False
        if self.repeats is not None and seen.occurrence >= self.repeats:
            return False
        return dice(seed, self.kind, seen).random() < self.chance

    def __str__(self) -> str:
        often = "for ever" if self.repeats is None else f"at most {self.repeats}x each"
        return f"{self.kind} {self.chance:.0%} {often} after {self.after_count}: {KINDS[self.kind].meaning}"


@dataclass(frozen=True)
class FaultPlan:
    """The rules of one proxy; the first that strikes wins."""

    seed: int
    service: Service
    rules: tuple[FaultRule, ...] = ()

    def strike(self, seen: Seen) -> FaultRule | None:
        """The rule that breaks this request, None for the most of them."""
        return next((rule for rule in self.rules if rule.strikes(seen, seed=self.seed)), None)

    @property
    def lasting(self) -> bool:
        """Whether a run under this plan may have to fail (cleanly)."""
        return any(KINDS[rule.kind].lasting for rule in self.rules)

    def __str__(self) -> str:
        lines = [f"{self.service.value} faults of seed {self.seed}:"]
        return "\n  ".join(lines + ([str(rule) for rule in self.rules] or ["none"]))

    def to_json(self) -> str:
        """One line, to be read back by `from_json`."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> FaultPlan:
        """The inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        rules = tuple(FaultRule(**rule) for rule in values["rules"])
        return FaultPlan(values["seed"], Service(values["service"]), rules)

    @staticmethod
    def from_seed(seed: int, service: Service, *, control: bool = True) -> FaultPlan:
        """
        One to five kinds, rare or frequent; about every eighth plan has a lasting one as well.

        Args:
            control: half the plans have one or two kinds `of_control` besides.
        """
        rng = random.Random(f"{seed}:{service.value}")
        kinds = [kind for kind in KINDS.values() if kind.service is service and not kind.of_control]
        passing = [kind for kind in kinds if not kind.lasting]
        rules = [_passing_rule(kind, rng) for kind in rng.sample(passing, rng.randint(1, _MOST_RULES))]
        if rng.random() < _LASTING_SHARE:
            rules.insert(0, _lasting_rule(rng.choice([kind for kind in kinds if kind.lasting]), rng))
        return FaultPlan(seed, service, (*rules, *(_control_rules(seed, service) if control else ())))


def dice(seed: int, kind: str, seen: Seen) -> random.Random:
    """The random numbers that belong to one rule and one request."""
    return random.Random(f"{seed}:{kind}:{seen.operation}:{seen.fingerprint}:{seen.occurrence}")


def _control_rules(seed: int, service: Service) -> list[FaultRule]:
    """From random numbers of their own, so that the plan's other rules are what they were without them."""
    rng = random.Random(f"{seed}:{service.value}:control")
    if rng.random() < 0.5:
        return []
    kinds = [kind for kind in KINDS.values() if kind.service is service and kind.of_control]
    chosen = rng.sample(kinds, rng.randint(1, 2))
    return [FaultRule(kind.name, rng.choice(_CHANCES[2:]), rng.choice(_REPEATS)) for kind in chosen]


def _passing_rule(kind: FaultKind, rng: random.Random) -> FaultRule:
    chance, repeats, after_count = rng.choice(_CHANCES), rng.choice(_REPEATS), rng.choice((0, 0, 0, 3, 20))
    if kind.name in _LONG_WAITS:
        return FaultRule(kind.name, min(chance, 0.1), 1, after_count, wait_s=rng.choice((0.02, 0.2, 1.0)))
    return FaultRule(kind.name, chance, repeats, after_count)


def _lasting_rule(kind: FaultKind, rng: random.Random) -> FaultRule:
    return FaultRule(kind.name, repeats=None, after_count=rng.randint(0, 30))
