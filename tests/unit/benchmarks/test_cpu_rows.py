"""How a contender's CPU is set beside its rival's."""

from __future__ import annotations

from benchmarks.cpu import ratio_rows, without_noise
from benchmarks.measure.rounds import Sample, Spread


def sample(contender, round_number, us_per_item):
    return Sample(contender, round_number, 1.0, {"cpu_us_per_item": us_per_item})


def test_each_contender_is_compared_with_the_rival_of_its_own_round():
    samples = [
        sample("ours, connector reader", 0, 60.0),
        sample("connector saveAsTextFile", 0, 40.0),
        sample("connector saveAsTextFile", 1, 80.0),
        sample("ours, connector reader", 1, 40.0),
        sample("connector, bare count", 0, 20.0),
    ]
    ours, count = ratio_rows("export, plain", samples)
    assert (ours.contender, ours.spread, ours.reach) == ("ours, connector reader", Spread(0.5, 1.0, 1.5, 2), "<= 1.15")
    assert (count.contender, count.spread, count.reach) == ("connector, bare count", Spread(0.5, 0.5, 0.5, 1), "")


def test_without_the_rival_there_is_nothing_to_compare():
    assert ratio_rows("import", [sample("ours, own export", 0, 40.0)]) == []


def test_noisy_samples_are_kept_where_without_them_too_few_are_left():
    def noisy(name, *spins):
        return [Sample(name, number, spin, {"cpu_us_per_item": 1.0}) for number, spin in enumerate(spins)]

    samples = [*noisy("a", 1.0, 1.0, 1.0, 9.0), *noisy("b", 1.0, 9.0, 9.0, 9.0)]
    assert without_noise(samples) == (samples, "busy machine, 4 of 8 samples were noisy and all are kept")
    enough = [*noisy("a", 1.0, 1.0, 1.0, 9.0), *noisy("b", 1.0, 1.0, 1.0, 1.0)]
    assert without_noise(enough)[1] == "1 of 8 samples dropped as noisy"
