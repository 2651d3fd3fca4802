"""What the smoke test did, as a Markdown page to attach to an issue: nothing in it names the account."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from dynamodb_pipeline import __version__

LINES_KEPT = 60  # of one step: the end of what it said
ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")


@dataclass(frozen=True)
class Step:
    """One thing done: `outcome` is ok, an exit code or AWS's words; `said` what it printed for people."""

    name: str
    seconds: float
    outcome: str
    cluster_id: str = ""
    usd: float = 0.0
    said: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return self.outcome == "ok"


@dataclass
class Report:
    """Every step in its order; `ending` says how the whole went."""

    region: str
    config: str
    label: str
    prices: str
    steps: list[Step] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    interrupted: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def is_good(self) -> bool:
        return not self.interrupted and not self.left and all(step.is_ok for step in self.steps)

    @property
    def verdict(self) -> str:
        if self.interrupted:
            return "INTERRUPTED"
        return "passed" if self.is_good else "FAILED"

    def markdown(self) -> str:
        """The page."""
        return without_account("\n".join([*self._head(), *self._table(), *self._left(), *self._words()]) + "\n")

    def _head(self) -> Iterable[str]:
        yield f"# dynamodb-pipeline on AWS: {self.verdict}"
        yield ""
        yield f"- {self.began:%Y-%m-%d %H:%M} UTC, region {self.region}, config {self.config}, {self.label}"
        yield f"- dynamodb-pipeline {__version__}, boto3 {version('boto3')}, botocore {version('botocore')}"
        yield f"- Python {sys.version.split()[0]} on {platform.system()} {platform.machine()}"
        yield f"- cost of its clusters: about ${sum(step.usd for step in self.steps):.2f} ({self.prices})"
        yield ""

    def _table(self) -> Iterable[str]:
        yield "| Step | Took | Outcome | Cluster | Cost |"
        yield "|---|---|---|---|---|"
        for step in self.steps:
            cost = f"${step.usd:.2f}" if step.cluster_id else ""
            outcome = " ".join(step.outcome.replace("|", "\\|").split())
            yield f"| {step.name} | {step.seconds:.1f} s | {outcome} | {step.cluster_id} | {cost} |"
        yield ""

    def _left(self) -> Iterable[str]:
        if self.left:
            yield "Could not be removed:"
            yield ""
            yield from (f"- {text}" for text in self.left)
            yield ""

    def _words(self) -> Iterable[str]:
        for step in self.steps:
            if step.said:
                fence = "`" * (3 + max((len(found) for found in re.findall("`+", "\n".join(step.said))), default=0))
                yield from (f"## {step.name}", "", f"{fence}text", *step.said[-LINES_KEPT:], fence, "")

    def write(self, folder: Path) -> Path:
        """Store the page under its moment; returns where."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"test-aws-{self.began:%Y%m%dT%H%M%SZ}.md"
        path.write_text(self.markdown(), encoding="utf-8")
        return path


def without_account(text: str) -> str:
    """The text with every account id as twelve noughts."""
    return ACCOUNT.sub("0" * 12, text)
