"""Cluster configs: the shipped ones are valid, wrong ones are refused with every reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config, with_overrides
from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.errors import UsageError

SHIPPED = sorted(path.stem for path in project_folder("cluster_configs").glob("*.json"))


def test_shipped_configs_are_the_three_documented_ones() -> None:
    assert SHIPPED == ["large", "m3", "m5"]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_config_is_valid_and_documented(name: str) -> None:
    assert load_cluster_config(name, region="us-east-1").name == name
    assert f"`{name}.json`" in (project_folder("cluster_configs") / "README.md").read_text()


def test_default_config_is_one_m3_xlarge_leader_and_one_core() -> None:
    config = load_cluster_config("m3", region="eu-west-1")
    assert (config.leader.type_name, config.leader.count) == ("m3.xlarge", 1)
    assert (config.core.type_name, config.core.count) == ("m3.xlarge", 1)


def test_m3_outside_its_regions_names_them_and_the_other_config() -> None:
    with pytest.raises(UsageError, match="not offered in us-east-2") as refused:
        load_cluster_config("m3", region="us-east-2")
    assert "eu-west-1" in str(refused.value)
    assert "--config m5" in str(refused.value)


def test_m5_is_accepted_where_m3_is_not() -> None:
    assert load_cluster_config("m5", region="us-east-2").core.type_name == "m5.xlarge"


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("ReleaseLabel=emr-6.7.0", "reads every DynamoDB table as empty"),
        ("ReleaseLabel=emr-6.15.0", "Python 3.7"),
        ("ReleaseLabel=7.13.0", "not of the form emr-x.y.z"),
        ("ScaleDownBehavior=NOPE", "ScaleDownBehavior='NOPE' is not one of"),
        ("Instances.Ec2KeyName=mine", "without an SSH key"),
        ("Instances.KeepJobFlowAliveWhenNoSteps=true", "must end by itself"),
        ("Instances.TerminationProtected=true", "TerminationProtected is refused"),
        ("Name=mine", "Name is set by the launcher"),
        ("Instances.InstanceGroups.CORE.InstanceType=x9.huge", "'x9.huge' is not one of"),
        ("Instances.InstanceGroups.CORE.InstanceCount=0", "1 to 4000"),
        ("Instances.InstanceGroups.CORE.InstanceCount=" + "9" * 400, "1 to 4000"),
        ("Instances.InstanceGroups.CORE.InstanceRole=MASTER", "exactly one MASTER and one CORE"),
        ("Nonsense=1", "Unknown parameter"),
        ('Configurations=[{"Classification":"x","Properties":{"k":"AKIAABCDEFGHIJKLMNOP"}}]', "access key id"),
        (
            'Configurations=[{"Classification":"core-site","Properties":{"fs.s3a.secret.key":"wJalrXUtnFEMI"}}]',
            "sets a credential (fs.s3a.secret.key)",
        ),
        (
            'Configurations=[{"Classification":"x","Configurations":[{"Properties":{"AWS_SECRET_ACCESS_KEY":"w"}}]}]',
            "sets a credential (AWS_SECRET_ACCESS_KEY)",
        ),
    ],
)
def test_unusable_config_is_refused_with_the_reason(override: str, reason: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be used") as refused:
        load_cluster_config("m5", region="eu-west-1", overrides=(override,))
    assert reason in str(refused.value)
    assert "AKIA" not in str(refused.value)


def test_every_problem_is_reported_at_once() -> None:
    overrides = ("ReleaseLabel=emr-6.6.0", "Instances.Ec2KeyName=k", "Instances.InstanceGroups.CORE.InstanceCount=0")
    with pytest.raises(UsageError) as refused:
        load_cluster_config("m5", region="eu-west-1", overrides=overrides)
    assert len(str(refused.value).splitlines()) == 4


def test_config_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text((project_folder("cluster_configs") / "m5.json").read_text())
    assert load_cluster_config(str(path), region="eu-west-1").core.count == 1


@pytest.mark.parametrize(("text", "reason"), [("[]", "one JSON object"), ("{", "not JSON")], ids=["list", "cut"])
def test_config_file_that_is_no_config(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        load_cluster_config(str(path), region="eu-west-1")


def test_unknown_config_lists_the_shipped_ones() -> None:
    with pytest.raises(UsageError, match="large, m3, m5"):
        load_cluster_config("m4", region="eu-west-1")


def test_override_chooses_list_members_by_role_number_or_name() -> None:
    config = {"Groups": [{"InstanceRole": "MASTER", "N": 1}, {"Name": "core", "N": 1}]}
    changed = with_overrides(config, ("Groups.MASTER.N=2", "Groups.1.N=3", "Groups.core.Text=words", "New.Deep=true"))
    expected = {"Groups": [{"InstanceRole": "MASTER", "N": 2}, {"Name": "core", "N": 3, "Text": "words"}]}
    assert changed == {**expected, "New": {"Deep": True}}
    assert json.dumps(config) == json.dumps({"Groups": [{"InstanceRole": "MASTER", "N": 1}, {"Name": "core", "N": 1}]})


@pytest.mark.parametrize("override", ["Path", "=1", "Groups.TASK.N=1"], ids=["no value", "no path", "no such member"])
def test_override_that_leads_nowhere_is_refused(override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        with_overrides({"Groups": [{"Name": "core"}]}, (override,))
