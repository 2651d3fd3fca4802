from __future__ import annotations

from tests.fuzz.state import COMMANDS, TARGET, refused, world
from tests.fuzz.target import try_short_form
from tests.unit.store.memory_store import MemoryStore


def test_state_of_any_kind_is_read_left_aside_or_refused() -> None:
    try_short_form(TARGET)


def test_the_commands_reach_what_they_read() -> None:
    """Fuzzing teaches nothing where a command ends at its first look."""
    for native in (False, True):
        for command in COMMANDS:
            with refused():
                command(MemoryStore(world(native=native)))
    for command in COMMANDS[-2:]:
        command(MemoryStore(world(native=False)))
