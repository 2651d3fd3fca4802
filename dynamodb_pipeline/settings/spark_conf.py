"""Spark settings that launcher and jobs hold every run to: the one sends them, the other asserts or reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dynamodb_pipeline.durations import HOUR_S

# The launcher's command line without the job's own options, so that whoever says how a run is gone on with can say it
# whole: the job on the leader, and `wait` on another machine. Spark passes on whatever begins with `spark.`.
LAUNCHED_BY = "spark.dynamodbPipeline.launchedBy"
COST_WORDS = "cost: cluster hours and on-demand units where known, at the launch's prices"
STANDING = "share of a standing cluster: not counted"
PLANNED = "spark.dynamodbPipeline.planned"  # `PlannedCost.tag`
AMOUNT = r"=([0-9]{1,9}\.[0-9]{4})"
TAG_FORM = re.compile(f"total{AMOUNT} hour{AMOUNT} million{AMOUNT} other{AMOUNT}")
HOUR_FORM = re.compile(f"hour{AMOUNT}")
SHORTEST_S = 60.0  # EMR and EC2 bill a minute at least

# Without these an export can be short or empty and still "succeed" (connector issues, Spark >= 3.2).
REQUIRED_SPARK_CONF = {
    "spark.hadoopRDD.ignoreEmptySplits": "false",
    "spark.speculation": "false",
    "spark.files.ignoreCorruptFiles": "false",
}
# All executors must be there before the first task, or shares of the rate would be dealt to absent ones.
FIXED_SIZE_CONF = {
    "spark.dynamicAllocation.enabled": "false",
    # EMR's Spark may otherwise give one large executor where two were asked for (EMR best practices, 5.1.5).
    "spark.yarn.heterogeneousExecutors.enabled": "false",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s",
}


def launched_by(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """
    The words of the launcher's command in a spark-submit's, e.g. `("export", "--config", "m5")`; None of a run that no
    launcher of ours submitted, or one that did not say so yet.
    """
    texts = [text.partition("=")[2] for text in arguments if text.startswith(f"{LAUNCHED_BY}=")]
    try:
        return tuple(shlex.split(texts[-1])) if texts else None
    except ValueError:
        return None


@dataclass(frozen=True)
class RunPrices:
    """
    What a run was said to cost when it was launched, in US dollars; None where nobody said it.

    Attributes:
        usd_per_hour: of its cluster; 0 for one that stands there anyway.
        usd_per_million_units: of the table's units; 0 where they are provisioned, and paid anyway.
    """

    usd_per_hour: float | None = None
    usd_per_million_units: float | None = None

    @classmethod
    def of_words(cls, arguments: Sequence[str]) -> RunPrices:
        """What a spark-submit's words say."""
        text = next((text for text in arguments if text.startswith(f"{PLANNED}=")), "")
        planned = PlannedCost.from_tag(text.partition("=")[2])
        return planned.prices if planned else cls()

    @classmethod
    def of_record(cls, record: Mapping[str, object]) -> RunPrices:
        """What `run.json` says; what is no number is not known."""
        known = (record.get(name) for name in ("usd_per_hour", "usd_per_million_units"))
        return cls(
            *(float(usd) if isinstance(usd, (int, float)) and not isinstance(usd, bool) else None for usd in known)
        )

    def cluster_usd(self, seconds: float | None) -> float | None:
        """Its cluster for this long."""
        return None if self.usd_per_hour is None or seconds is None else self.usd_per_hour * seconds / HOUR_S

    def units_usd(self, units: float | None) -> float | None:
        """So many units."""
        return None if self.usd_per_million_units is None or units is None else self.usd_per_million_units * units / 1e6


@dataclass(frozen=True)
class PlannedCost:
    """
    A plan's US dollars, as a tag of the cluster and a setting of its jobs carry them. Of a schedule the hour alone is
    known: what its runs will find is not planned.

    Attributes:
        total: of the whole run.
        hour: of the cluster for an hour.
        million: of a million read or write units of tables on demand; 0 where capacity is paid anyway.
        other: of what does not depend on time and units: requests and storage of S3.
    """

    total: float | None
    hour: float
    million: float | None
    other: float | None

    @classmethod
    def of(cls, *, total: float, units_usd: float, other: float, units: float, seconds: float) -> PlannedCost:
        """From a plan's sums, its units and its seconds; what is neither units nor other is the cluster's."""
        cluster = total - units_usd - other
        million = units_usd / units * 1_000_000 if units else 0.0
        return cls(total, cluster * HOUR_S / max(seconds, SHORTEST_S), million, other)

    @classmethod
    def from_tag(cls, text: str) -> PlannedCost | None:
        """What a tag says, None of any other text."""
        match, hour = TAG_FORM.fullmatch(text), HOUR_FORM.fullmatch(text)
        if hour is not None:
            return cls.of_hour(float(hour[1]))
        return cls(*map(float, match.groups())) if match else None

    @classmethod
    def of_hour(cls, usd: float) -> PlannedCost:
        """Of a cluster about whose runs nothing else is known."""
        return cls(None, usd, None, None)

    def tag(self) -> str:
        """`total=0.4200 hour=1.2000 million=0.6250 other=0.0100`: of the characters that a tag may have."""
        known = {name: amount for name, amount in vars(self).items() if amount is not None}
        return " ".join(f"{name}={max(0.0, amount):.4f}" for name, amount in known.items())

    @property
    def prices(self) -> RunPrices:
        """What does depend on time and units."""
        return RunPrices(self.hour, self.million)


def known_sum(*parts: float | None) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def cost_text(usd: float | None) -> str:
    """`$1,234.50` in a table of runs; `-` where it is not known."""
    return "-" if usd is None else f"${usd:,.2f}"
