"""What the sandbox's EMR refuses, as EMR does: each rule by a request that differs from a good one in that alone."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.emr import refusals
from sandbox.emr.protocol import ServiceError
from tests.unit.sandbox_emr.emr_builders import GROUPS, World, cluster_of, run_job_flow, step_config, step_of


def refusal(region: str = "us-east-1", **members: Any) -> str:
    """Return why RunJobFlow was refused, empty when it was not."""
    try:
        World().launch(region=region, **members)
    except ServiceError as error:
        return f"{error.code}: {error.message}"
    return ""


def groups(**members: Any) -> dict[str, Any]:
    return {"InstanceGroups": [{**GROUPS[0], **members}, GROUPS[1]]}


def test_a_good_request_is_taken() -> None:
    assert refusal() == ""


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"ReleaseLabel": "emr-9.9.9"}, "release label is invalid: emr-9.9.9"),
        ({"ReleaseLabel": None}, "release label is invalid"),
        ({"Instances": groups(InstanceType="m3.huge")}, "'m3.huge' is not supported"),
        ({"Instances": groups(InstanceRole="CORE")}, "exactly one MASTER"),
        ({"Instances": groups(InstanceCount=2)}, "exactly 3 instances"),
        ({"Instances": {"InstanceFleets": []}}, "InstanceGroups"),
        ({"ServiceRole": None}, "ServiceRole is required"),
        ({"JobFlowRole": None}, "InstanceProfile is required"),
        ({"LogUri": "https://bucket/logs"}, "Invalid log URI"),
        ({"AutoTerminationPolicy": {"IdleTimeout": 59}}, "between 60 and 604800"),
        ({"AutoTerminationPolicy": {"IdleTimeout": 604_801}}, "between 60 and 604800"),
        ({"ReleaseLabel": "emr-5.29.0", "AutoTerminationPolicy": {"IdleTimeout": 60}}, "not supported for release"),
        ({"StepConcurrencyLevel": 257}, "between 1 and 256"),
        ({"StepConcurrencyLevel": 2, "Steps": [step_config(on_failure="TERMINATE_CLUSTER")]}, "ActionOnFailure"),
        ({"Steps": [step_config()] * 257}, "256"),
        ({"ScaleDownBehavior": "NOPE"}, "ScaleDownBehavior must be one of"),
        ({"Steps": [step_config(on_failure="EXPLODE")]}, r"Steps[0].ActionOnFailure must be one of"),
        ({"Instances": groups(Market="BLACK")}, "Market must be one of"),
        ({"Instances": groups(InstanceCount="1")}, "InstanceCount must be a integer"),
        ({"Nmae": "x"}, "Nmae is not a member of RunJobFlowInput"),
        ({"Name": None}, "Name is required"),
    ],
)
def test_a_bad_request_is_refused(members: dict[str, Any], reason: str) -> None:
    found = refusal(**members)
    assert found.startswith("ValidationException: ")
    assert reason in found


@pytest.mark.parametrize(
    ("region", "is_refused"),
    [
        ("us-east-1", False),
        ("us-west-2", False),
        ("eu-west-1", False),
        ("ap-northeast-1", False),
        ("us-east-2", True),
        ("eu-west-2", True),
        ("ap-south-1", True),
        ("ca-central-1", True),
    ],
)
def test_m3_is_refused_in_the_regions_that_never_had_it(region: str, is_refused: bool) -> None:
    assert bool(refusal(region, Instances=groups(InstanceType="m3.xlarge"))) == is_refused


def test_a_new_type_is_refused_on_an_old_label() -> None:
    """m5 came with 5.13.0 (EMR release notes)."""
    assert "'m5.xlarge' is not supported" in refusal(ReleaseLabel="emr-5.0.0")


@pytest.mark.parametrize(("characters", "is_refused"), [(10_240, False), (10_241, True)])
def test_a_step_has_10240_characters_at_most(characters: int, is_refused: bool) -> None:
    rest = "x" * (characters - len("command-runner.jar") - 3)
    assert bool(refusal(Steps=[step_config(args=["yes", rest])])) == is_refused


def test_the_characters_of_class_and_properties_count_too() -> None:
    jar = {"Jar": "ab", "MainClass": "cd", "Args": ["e", "f"], "Properties": [{"Key": "gh", "Value": "i"}]}
    assert refusals.step_characters({"HadoopJarStep": jar}) == 9


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_ends_takes_no_steps(state: str) -> None:
    with pytest.raises(ServiceError, match="may not be modified"):
        refusals.check_add_steps(cluster_of(state=state), [step_config()])


def test_a_full_cluster_takes_no_steps() -> None:
    full = cluster_of(*(step_of(f"s-{number}") for number in range(255)), state="RUNNING")
    refusals.check_add_steps(full, [step_config()])
    with pytest.raises(ServiceError, match="active steps"):
        refusals.check_add_steps(full, [step_config()] * 2)


@pytest.mark.parametrize(("label", "most"), [("emr-7.13.0", 256), ("emr-7.14.0", 100)])
def test_so_many_steps_are_cancelled_at_once(label: str, most: int) -> None:
    cluster = cluster_of(request=run_job_flow(ReleaseLabel=label))
    refusals.check_cancel(cluster, ["s"] * most)
    with pytest.raises(ServiceError, match=f"At most {most}"):
        refusals.check_cancel(cluster, ["s"] * (most + 1))


def test_a_protected_cluster_is_not_terminated_by_request() -> None:
    with pytest.raises(ServiceError, match="termination protected"):
        refusals.check_terminate([cluster_of(), cluster_of(is_protected=True)])
    refusals.check_terminate([cluster_of(is_protected=True, state="TERMINATED")])
