from __future__ import annotations

from tests.fuzz.protocol import TARGET
from tests.fuzz.target import try_short_form


def test_nothing_that_comes_to_the_coordinators_port_stops_a_run() -> None:
    try_short_form(TARGET)
