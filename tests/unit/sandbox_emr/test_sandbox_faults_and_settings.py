"""Faults, settings, schedules and keys of the sandbox EMR: what is taken, what is refused, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.emr import access, schedules, settings
from sandbox.emr.access import NODE, SCHEDULER, Principal, Principals
from sandbox.emr.faults import FaultBook, FaultError
from sandbox.emr.iam_actions import Action
from sandbox.emr.schedules import ScheduleError
from sandbox.emr.settings import Settings, SettingsError

LAUNCHER = Principal("launcher")
DESCRIBE = (Action("elasticmapreduce:DescribeStep"),)


def book(**fault: Any) -> FaultBook:
    faults = FaultBook()
    faults.add(fault)
    return faults


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        ({"action": "elasticmapreduce:DescribeStep"}, True),
        ({"action": "elasticmapreduce:Describe*"}, True),
        ({"action": "*"}, True),
        ({"action": "elasticmapreduce:ListSteps"}, False),
        ({"principal": "launcher"}, True),
        ({"principal": "node"}, False),
    ],
)
def test_a_fault_strikes_whom_it_is_meant_for(fault: dict[str, str], strikes: bool) -> None:
    assert bool(book(kind="throttle", **fault).for_request(DESCRIBE, LAUNCHER)) == strikes


def test_a_fault_strikes_as_often_as_asked() -> None:
    faults = book(kind="throttle", count=2)
    assert [bool(faults.for_request(DESCRIBE, LAUNCHER)) for _ in range(3)] == [True, True, False]
    assert faults.all() == []


def test_a_fault_without_a_count_strikes_until_it_is_cleared() -> None:
    faults = book(kind="throttle", count=None)
    assert all(faults.for_request(DESCRIBE, LAUNCHER) for _ in range(50))
    faults.clear()
    assert faults.for_request(DESCRIBE, LAUNCHER) is None


def test_cluster_faults_strike_no_request_and_the_other_way_round() -> None:
    assert book(kind="capacity").for_request(DESCRIBE, LAUNCHER) is None
    assert book(kind="throttle").for_cluster("capacity") is None


@pytest.mark.parametrize("wrong", [{"kind": "flood"}, {"kind": "throttle", "often": 3}, {}])
def test_an_unknown_fault_is_refused_with_the_known_ones(wrong: dict[str, Any]) -> None:
    with pytest.raises(FaultError, match="lost-reply"):
        FaultBook().add(wrong)


def test_settings_change_level_by_level_and_keep_the_rest() -> None:
    changed = settings.changed(
        Settings(), {"pace": {"starting_s": 0.1}, "node": {"path": ["/x"]}, "require_tag": "k=v"}
    )
    assert (changed.pace.starting_s, changed.pace.terminating_s) == (0.1, Settings().pace.terminating_s)
    assert (changed.node.path, changed.require_tag) == (("/x",), "k=v")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 1}, "no setting speed"),
        ({"pace": {"start_s": 1}}, r"no setting pace\.start_s; there are: starting_s"),
        ({"node": {"interrupt_scope": "all"}}, "interrupt_scope is 'all'"),
    ],
)
def test_an_unknown_setting_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings.changed(Settings(), changes)


def test_settings_come_from_a_file_or_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"dynamodb_url": "http://127.0.0.1:1"}))
    assert settings.load(file).dynamodb_url == "http://127.0.0.1:1"
    assert settings.load(None) == Settings()


def test_the_default_pace_pushes_logs_as_seldom_as_emr() -> None:
    assert Settings().pace.log_push_s == 300


FIRING = schedules.Firing("2026-11-23T03:00:00Z", "arn:schedule", execution_id="e-1", attempt_number=2)


def test_a_targets_input_gets_the_context_of_its_firing() -> None:
    text = '{"Name": "<aws.scheduler.scheduled-time> <aws.scheduler.execution-id> <aws.scheduler.attempt-number>"}'
    assert schedules.request_of({"Input": text}, FIRING) == {"Name": "2026-11-23T03:00:00Z e-1 2"}


@pytest.mark.parametrize("text", ["not json", "[]"])
def test_an_input_that_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match="Input"):
        schedules.request_of({"Input": text}, FIRING)


@pytest.mark.parametrize(
    ("arn", "method"),
    [
        ("arn:aws:scheduler:::aws-sdk:emr:runJobFlow", "run_job_flow"),
        ("arn:aws:scheduler:::aws-sdk:emr:addJobFlowSteps", "add_job_flow_steps"),
    ],
)
def test_universal_targets_of_emr_are_known(arn: str, method: str) -> None:
    assert schedules.operation_of({"Arn": arn}) == method


@pytest.mark.parametrize(
    "arn", ["arn:aws:scheduler:::aws-sdk:emr:RunJobFlow", "arn:aws:lambda:us-east-1:123456789012:function:f"]
)
def test_other_targets_are_refused(arn: str) -> None:
    """AWS wants the operation in camel case; a wrong case would never fire."""
    with pytest.raises(ScheduleError, match="runJobFlow"):
        schedules.operation_of({"Arn": arn})


def test_keys_stand_for_roles() -> None:
    principals = Principals()
    export, restore = (principals.key_for(NODE, role) for role in ("export-nodes", "import-nodes"))
    assert principals.owner_of(export) == Principal(NODE, "export-nodes")
    assert principals.owner_of(restore) == Principal(NODE, "import-nodes")
    assert principals.owner_of("AKIAIOSFODNN7EXAMPLE") == Principal("launcher")
    assert principals.owner_of("sandbox") == Principal("launcher")


def test_a_key_that_another_process_made_still_tells_its_kind() -> None:
    assert Principals().owner_of(access.access_key(SCHEDULER, "role")).kind == SCHEDULER


def test_keys_have_the_form_that_moto_and_aws_expect() -> None:
    key = access.access_key(NODE, "a role with a long name, and more")
    assert (len(key), key[:4], key.isalnum(), key.upper()) == (20, "ASIA", True, key)
