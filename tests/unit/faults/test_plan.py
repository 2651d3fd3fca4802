"""A plan is a pure function of its seed, can be printed, and does the same to the same request."""

from __future__ import annotations

from collections import Counter

import pytest

from sandbox.faults import dynamodb_faults, s3_faults
from sandbox.faults.history import History, StableNames
from sandbox.faults.kinds import KINDS, Service
from sandbox.faults.plan import FaultPlan, FaultRule, Seen


def seen(operation="Scan", fingerprint="f", occurrence=0, number=0):
    return Seen(operation, fingerprint, occurrence, number)


@pytest.mark.parametrize("service", Service)
def test_same_seed_same_plan_and_another_seed_another(service):
    assert FaultPlan.from_seed(5, service) == FaultPlan.from_seed(5, service)
    assert len({FaultPlan.from_seed(seed, service).rules for seed in range(50)}) > 45


@pytest.mark.parametrize("service", Service)
def test_plan_survives_json(service):
    for seed in range(20):
        plan = FaultPlan.from_seed(seed, service)
        assert FaultPlan.from_json(plan.to_json()) == plan


def test_printed_plan_names_seed_and_every_rule():
    plan = FaultPlan(17, Service.S3, (FaultRule("slow_down", 0.2, 3), FaultRule("object_gone", repeats=None)))
    assert str(plan).splitlines() == [
        "s3 faults of seed 17:",
        "  slow_down 20% at most 3x each after 0: 503 SlowDown, nothing done",
        "  object_gone 100% for ever after 0: 404 NoSuchKey for one object from here on",
    ]


def test_a_thousand_seeds_use_every_kind():
    used = Counter(
        rule.kind for seed in range(1000) for service in Service for rule in FaultPlan.from_seed(seed, service).rules
    )
    assert used.keys() == KINDS.keys()
    assert len(KINDS) >= 25
    assert min(used.values()) >= 5


@pytest.mark.parametrize("service", Service)
def test_plans_hold_only_kinds_of_their_service(service):
    assert {KINDS[rule.kind].service for seed in range(200) for rule in FaultPlan.from_seed(seed, service).rules} == {
        service
    }


def test_every_kind_can_be_done_and_nothing_else_can():
    names = {service: {kind.name for kind in KINDS.values() if kind.service is service} for service in Service}
    assert dynamodb_faults.STRIKES.keys() == names[Service.DYNAMODB]
    assert s3_faults.STRIKES.keys() == names[Service.S3]


def test_answer_does_not_depend_on_the_order_of_other_requests():
    rule = FaultRule("reset_before", chance=0.5, repeats=9)
    answers = [rule.strikes(seen(fingerprint=str(name), number=7), seed=3) for name in range(64)]
    again = [rule.strikes(seen(fingerprint=str(name), number=99), seed=3) for name in reversed(range(64))]
    assert answers == again[::-1]
    assert 20 < sum(answers) < 44


def test_rule_lets_a_request_through_after_its_repeats():
    rule = FaultRule("reset_before", repeats=2)
    assert [rule.strikes(seen(occurrence=number), seed=0) for number in range(4)] == [True, True, False, False]


def test_lasting_rule_never_lets_go():
    rule = FaultRule("table_gone", repeats=None, after_count=3)
    assert not rule.strikes(seen(number=2), seed=0)
    assert all(rule.strikes(seen(number=number, occurrence=number), seed=0) for number in range(3, 50))


def test_rule_strikes_only_its_operations():
    assert not FaultRule("unprocessed_all").strikes(seen("Scan"), seed=0)
    assert FaultRule("unprocessed_all").strikes(seen("BatchWriteItem"), seed=0)


def test_first_rule_that_strikes_wins():
    plan = FaultPlan(1, Service.DYNAMODB, (FaultRule("unprocessed_all"), FaultRule("slow"), FaultRule("bit_flip")))
    assert plan.strike(seen("Scan")).kind == "slow"
    assert plan.strike(seen("ListTables")) is None


def test_lasting_plan_is_known_as_such():
    assert FaultPlan(1, Service.S3, (FaultRule("object_gone"),)).lasting
    assert not FaultPlan(1, Service.S3, (FaultRule("slow_down"),)).lasting


def test_history_counts_contents_and_operations():
    history = History()
    assert history.see("Scan", fingerprint="a") == Seen("Scan", "a", 0, 0)
    assert history.see("Scan", fingerprint="b") == Seen("Scan", "b", 0, 1)
    assert history.see("Scan", fingerprint="a") == Seen("Scan", "a", 1, 2)
    assert history.see("PutItem", fingerprint="a") == Seen("PutItem", "a", 0, 0)


def test_random_names_are_told_by_their_order():
    first, second = "ae10f955-fb2f-4790-9b11-fbfea01a871e", "be10f955-fb2f-4790-9b11-fbfea01a871e"
    names = StableNames()
    assert names.of(f"PUT /b/{first}_000000") == "PUT /b/#0_000000"
    assert names.of(f"PUT /b/{second}_000000.gz") == "PUT /b/#1_000000.gz"
    assert names.of(f"GET /b/{first}_000000") == "GET /b/#0_000000"
    assert names.of("PUT /b/manifest") == "PUT /b/manifest"
