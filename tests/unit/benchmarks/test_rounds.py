"""Interleaved rounds and how their samples become figures."""

from __future__ import annotations

import pytest

from benchmarks.measure.rounds import Sample, Spread, quiet, ratio, rotation, run_rounds, spreads


def sample(contender, round_number, cpu_s, spin_s=1.0):
    return Sample(contender, round_number, spin_s, {"cpu_s": cpu_s})


def test_every_contender_begins_a_round_in_turn():
    assert [rotation("ABC", number) for number in range(4)] == [list("ABC"), list("BCA"), list("CAB"), list("ABC")]


def test_rounds_run_everybody_and_keep_the_slower_spin():
    spins = iter([1.0, 3.0, 2.0, 1.0] * 2)
    done = list(run_rounds({"A": lambda: {"x": 1.0}, "B": lambda: {"x": 2.0}}, count=2, spin=lambda: next(spins)))
    assert [(one.contender, one.round_number, one.spin_s) for one in done] == [
        ("A", 0, 3.0),
        ("B", 0, 2.0),
        ("B", 1, 3.0),
        ("A", 1, 2.0),
    ]


def test_samples_of_a_busy_machine_are_dropped():
    samples = [sample("A", 0, 1.0), sample("A", 1, 9.0, spin_s=1.31), sample("A", 2, 1.0, spin_s=1.3)]
    assert [one.round_number for one in quiet(samples)] == [0, 2]


def test_ratio_is_taken_within_rounds():
    """Medians across rounds would say 2 / 2; within each round A needs twice what B does."""
    samples = [sample("A", 0, 2.0), sample("B", 0, 1.0), sample("A", 1, 4.0), sample("B", 1, 2.0)]
    assert ratio(samples, "cpu_s", of="A", to="B") == Spread(2.0, 2.0, 2.0, 2)


def test_ratio_without_a_common_round_is_none():
    assert ratio([sample("A", 0, 1.0), sample("B", 1, 1.0)], "cpu_s", of="A", to="B") is None


def test_spread_of_each_contender():
    found = spreads([sample("A", 0, 3.0), sample("A", 1, 1.0), sample("A", 2, 2.0)], "cpu_s")
    assert found == {"A": Spread(1.0, 2.0, 3.0, 3)}
    assert spreads([sample("A", 0, 3.0)], "other") == {}


def test_spread_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        Spread.of([])
