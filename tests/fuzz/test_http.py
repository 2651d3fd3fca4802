from __future__ import annotations

from tests.fuzz.http import TARGET
from tests.fuzz.target import try_short_form


def test_a_request_gets_its_answer_and_a_reply_is_taken_or_refused() -> None:
    try_short_form(TARGET)
