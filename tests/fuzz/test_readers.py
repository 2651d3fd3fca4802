from __future__ import annotations

from tests.fuzz.readers import TARGET
from tests.fuzz.target import try_short_form


def test_a_data_file_is_items_or_is_refused_in_words() -> None:
    try_short_form(TARGET)
