"""Files of real tools and real people, which lie beside the repository where its makers work; elsewhere nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "public-samples"
CASES = sorted(SAMPLES.glob("*/case.json"))
MISSING = pytest.mark.skipif(not CASES, reason="public samples are not beside this repository")


def sample_params(paths: Iterable[Path]) -> list[object]:
    """A parameter for each path, named after its sample; a single skipped one where the samples do not lie."""
    if not CASES:
        return [pytest.param(None, marks=MISSING, id="no samples")]
    return [pytest.param(path, id=path.parent.name) for path in paths]
