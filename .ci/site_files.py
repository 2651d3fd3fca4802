"""Documents that lie beside what they describe, outside docs/, and the pages of the site that they are."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[1]
# The repository's file -> the site's page.
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "cluster_configs/README.md": "cluster-configs.md",
    "policies/README.md": "policies.md",
    "schedules/README.md": "schedules.md",
    **{
        f"benchmarks/results/{path.name}": f"benchmarks/{path.name}"
        for path in sorted((PROJECT / "benchmarks" / "results").glob("*.md"))
    },
}
