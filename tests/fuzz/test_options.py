from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.options import TARGET
from tests.fuzz.target import try_short_form


def test_any_line_means_something_or_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try_short_form(TARGET)
