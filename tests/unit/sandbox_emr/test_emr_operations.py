"""EMR's operations over a fleet whose world is a list: what replies say, what is wanted done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from sandbox.emr import events
from sandbox.emr.events import After, Provisioned, StepEnded
from sandbox.emr.protocol import ServiceError
from sandbox.emr.records import FailureDetails
from sandbox.emr.settings import Settings
from tests.unit.sandbox_emr.emr_builders import GROUPS, PACE, START_S, World, step_config

TAG = {"Key": "dynamodbdatapipeline", "Value": "true"}


@pytest.fixture
def world() -> World:
    return World(Settings(pace=PACE))


def run_until_steps(world: World, cluster: str) -> None:
    world.fleet.send(cluster, Provisioned())
    world.fleet.send(cluster, events.BootstrapEnded())


def assert_is_of_model(operation: str, reply: dict[str, Any]) -> None:
    """Times apart, a reply has the members and types that botocore's model gives it."""
    shape = botocore.session.get_session().get_service_model("emr").operation_model(operation).output_shape
    report = ParamValidator().validate(reply, shape)
    assert not report.has_errors(), report.generate_report()


def test_every_reply_is_of_the_services_model(world: World) -> None:
    action = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/x.sh", "Args": ["1"]}}
    cluster = world.launch(
        Tags=[TAG],
        BootstrapActions=[action],
        AutoTerminationPolicy={"IdleTimeout": 60},
        Applications=[{"Name": "Spark"}],
        Configurations=[{"Classification": "spark-defaults", "Properties": {"a": "b"}}],
    )
    run_until_steps(world, cluster)
    [step] = world.call("ListSteps", ClusterId=cluster)["Steps"]
    world.fleet.send(cluster, StepEnded(step["Id"], FailureDetails("Unknown Error.", "m", "s3://b/stderr.gz")))
    calls: dict[str, dict[str, Any]] = {
        "DescribeCluster": {"ClusterId": cluster},
        "ListClusters": {},
        "DescribeStep": {"ClusterId": cluster, "StepId": step["Id"]},
        "ListSteps": {"ClusterId": cluster},
        "CancelSteps": {"ClusterId": cluster, "StepIds": [step["Id"]]},
        "ListInstances": {"ClusterId": cluster},
        "ListInstanceGroups": {"ClusterId": cluster},
        "ListBootstrapActions": {"ClusterId": cluster},
        "GetAutoTerminationPolicy": {"ClusterId": cluster},
        "ListReleaseLabels": {},
        "DescribeReleaseLabel": {"ReleaseLabel": "emr-7.13.0"},
        "ListSupportedInstanceTypes": {"ReleaseLabel": "emr-7.13.0"},
    }
    for operation, params in calls.items():
        assert_is_of_model(operation, world.call(operation, **params))


def test_describe_cluster_repeats_what_was_asked_for(world: World) -> None:
    """moto forgets these."""
    asked = {
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "SecurityConfiguration": "imdsv2",
        "Configurations": [{"Classification": "spark-defaults", "Properties": {"a": "b"}}],
        "MonitoringConfiguration": {"CloudWatchLogConfiguration": {"Enabled": True}},
        "LogUri": "s3://bucket/logs/",
    }
    cluster = world.call("DescribeCluster", ClusterId=world.launch(Tags=[TAG], **asked))["Cluster"]
    assert {name: cluster[name] for name in asked} == asked
    assert cluster["Tags"] == [TAG]
    assert (cluster["AutoTerminate"], cluster["Status"]["State"]) == (True, "STARTING")
    assert cluster["Ec2InstanceAttributes"]["IamInstanceProfile"] == "nodes"


def test_list_clusters_shows_no_tags_and_filters(world: World) -> None:
    early = world.launch(Name="early", Tags=[TAG])
    world.now_s += 100
    late = world.launch(Name="late")
    world.launch(Name="elsewhere", region="eu-west-1")
    world.call("TerminateJobFlows", JobFlowIds=[early])
    listed = world.call("ListClusters")["Clusters"]
    assert [entry["Id"] for entry in listed] == [late, early]
    assert all("Tags" not in entry for entry in listed)
    starting = world.call("ListClusters", ClusterStates=["STARTING"])["Clusters"]
    assert [entry["Name"] for entry in starting] == ["late"]
    assert [entry["Name"] for entry in world.call("ListClusters", CreatedAfter=START_S + 50)["Clusters"]] == ["late"]
    assert [entry["Name"] for entry in world.call("ListClusters", CreatedBefore=START_S + 50)["Clusters"]] == ["early"]


def test_lists_come_in_pages_of_fifty(world: World) -> None:
    for _ in range(51):
        world.launch()
    first = world.call("ListClusters")
    second = world.call("ListClusters", Marker=first["Marker"])
    assert (len(first["Clusters"]), len(second["Clusters"]), "Marker" in second) == (50, 1, False)


def test_a_cluster_is_found_in_its_region_only(world: World) -> None:
    cluster = world.launch()
    with pytest.raises(ServiceError, match="is not valid") as caught:
        world.call("DescribeCluster", region="eu-west-1", ClusterId=cluster)
    assert caught.value.code == "InvalidRequestException"


def test_an_unknown_step_is_an_error_and_not_an_empty_reply(world: World) -> None:
    with pytest.raises(ServiceError, match="Step id 's-NONE' is not valid"):
        world.call("DescribeStep", ClusterId=world.launch(), StepId="s-NONE")


def test_steps_are_listed_newest_first(world: World) -> None:
    cluster = world.launch(Steps=[step_config("a"), step_config("b")])
    world.call("AddJobFlowSteps", JobFlowId=cluster, Steps=[step_config("c")])
    assert [step["Name"] for step in world.call("ListSteps", ClusterId=cluster)["Steps"]] == ["c", "b", "a"]
    assert world.call("ListSteps", ClusterId=cluster, StepStates=["RUNNING"])["Steps"] == []


def test_cancel_says_for_each_step_whether_it_is_under_way(world: World) -> None:
    cluster = world.launch(Steps=[step_config("a"), step_config("b"), step_config("c")])
    run_until_steps(world, cluster)
    first, second, third = (step.id for step in world.fleet.all()[0].steps)
    world.fleet.send(cluster, StepEnded(first))
    reply = world.call("CancelSteps", ClusterId=cluster, StepIds=[first, second, third, "s-NONE"])
    verdicts = {entry["StepId"]: entry["Status"] for entry in reply["CancelStepsInfoList"]}
    assert verdicts == {first: "FAILED", second: "SUBMITTED", third: "SUBMITTED", "s-NONE": "FAILED"}
    assert (cluster, events.InterruptStep(second, "SEND_INTERRUPT")) in world.effects


def test_old_labels_cannot_cancel_running_steps(world: World) -> None:
    cluster = world.launch(ReleaseLabel="emr-5.27.0")
    run_until_steps(world, cluster)
    [step] = world.fleet.all()[0].steps
    [verdict] = world.call("CancelSteps", ClusterId=cluster, StepIds=[step.id])["CancelStepsInfoList"]
    assert verdict["Status"] == "FAILED"
    assert world.fleet.all()[0].steps[0].state == "RUNNING"


def test_protection_holds_until_it_is_lifted(world: World) -> None:
    cluster = world.launch(Instances={"InstanceGroups": GROUPS, "TerminationProtected": True})
    with pytest.raises(ServiceError, match="termination protected"):
        world.call("TerminateJobFlows", JobFlowIds=[cluster])
    world.call("SetTerminationProtection", JobFlowIds=[cluster], TerminationProtected=False)
    world.call("TerminateJobFlows", JobFlowIds=[cluster])
    assert world.fleet.all()[0].state == "TERMINATING"


def test_the_auto_termination_policy_can_be_set_read_and_removed(world: World) -> None:
    cluster = world.launch()
    assert world.call("GetAutoTerminationPolicy", ClusterId=cluster) == {}
    world.call("PutAutoTerminationPolicy", ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 90})
    reply = world.call("GetAutoTerminationPolicy", ClusterId=cluster)
    assert reply == {"AutoTerminationPolicy": {"IdleTimeout": 90}}
    with pytest.raises(ServiceError, match="between 60 and"):
        world.call("PutAutoTerminationPolicy", ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 1})
    world.call("RemoveAutoTerminationPolicy", ClusterId=cluster)
    assert world.call("GetAutoTerminationPolicy", ClusterId=cluster) == {}


@pytest.mark.parametrize(
    "tags", [[], [{**TAG, "Value": "false"}], [{**TAG, "Key": "other"}]], ids=["none", "value", "key"]
)
def test_under_the_policy_a_cluster_without_the_tag_is_refused(world: World, tags: list[dict[str, str]]) -> None:
    world.settings = replace(world.settings, require_tag="dynamodbdatapipeline=true")
    with pytest.raises(ServiceError, match="not authorized to perform: elasticmapreduce:RunJobFlow"):
        world.launch(Tags=tags)
    world.launch(Tags=[TAG])
    assert len(world.fleet.all()) == 1


def test_under_the_policy_every_call_on_a_cluster_needs_its_tag(world: World) -> None:
    untagged, tagged = world.launch(), world.launch(Tags=[TAG])
    world.settings = replace(world.settings, require_tag="dynamodbdatapipeline=true")
    world.call("DescribeCluster", ClusterId=tagged)
    with pytest.raises(ServiceError, match="not authorized to perform: elasticmapreduce:TerminateJobFlows"):
        world.call("TerminateJobFlows", JobFlowIds=[untagged])
    with pytest.raises(ServiceError, match="elasticmapreduce:AddTags"):
        world.call("AddTags", ResourceId=untagged, Tags=[{"Key": "other", "Value": "true"}])
    world.call("AddTags", ResourceId=untagged, Tags=[TAG])  # the way round the rule that the docs warn of
    world.call("TerminateJobFlows", JobFlowIds=[untagged])


def test_a_subnets_zone_decides_whether_the_type_exists(world: World) -> None:
    world.zones = {"subnet-d": "us-east-1d", "subnet-a": "us-east-1a"}
    m3 = [{**group, "InstanceType": "m3.xlarge"} for group in GROUPS]
    for subnet in world.zones:
        world.launch(Instances={"InstanceGroups": m3, "Ec2SubnetId": subnet})
    outcomes = [effect.event for _, effect in world.effects if isinstance(effect, After)]
    assert isinstance(outcomes[0], events.ProvisioningFailed)
    assert outcomes[0].detail.data["availability-zones"] == "us-east-1d"
    assert outcomes[1] == Provisioned()


def test_cluster_faults_strike_the_next_cluster_only(world: World) -> None:
    world.faults.add({"kind": "capacity"})
    world.launch()
    world.launch()
    kinds = [type(effect.event).__name__ for _, effect in world.effects if isinstance(effect, After)]
    assert kinds == ["ProvisioningFailed", "Provisioned"]


def test_an_operation_this_emr_has_not_is_an_error(world: World) -> None:
    with pytest.raises(ServiceError, match="has no StartNotebookExecution"):
        world.call("StartNotebookExecution")


def test_release_labels_can_be_filtered_and_described(world: World) -> None:
    labels = world.call("ListReleaseLabels", Filters={"Prefix": "emr-7.1"})["ReleaseLabels"]
    assert {"emr-7.10.0", "emr-7.13.0"} <= set(labels)
    assert all(label.startswith("emr-7.1") for label in labels)
    applications = world.call("DescribeReleaseLabel", ReleaseLabel="emr-7.13.0")["Applications"]
    assert {"Name": "Spark", "Version": "3.5.6"} in applications
    with pytest.raises(ServiceError, match="release label is invalid"):
        world.call("DescribeReleaseLabel", ReleaseLabel="emr-0.0.0")
