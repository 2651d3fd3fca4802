"""The RunJobFlow request: what it must always carry, and what it can never carry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_pipeline.aws.model_check import request_problems
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings, LaunchSettings, parse_log_group
from dynamodb_pipeline.emr.request.steps import CONNECTOR_JAR, MAX_STEP_CHARACTERS, step_request
from dynamodb_pipeline.errors import UsageError
from tests.unit.emr.builders import BOOTSTRAP, CODE, RUN, a_job, a_request, settings


def tags(request: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]}


def test_request_fits_emrs_model() -> None:
    assert request_problems(a_request(), service="emr", operation="RunJobFlow") == []


def test_mandatory_tag_and_run_id_are_inside_the_request() -> None:
    request = a_request()
    assert tags(request)["dynamodbdatapipeline"] == "true"
    assert tags(request)["dynamodb-pipeline:run-id"] == RUN
    assert request["Name"] == f"dynamodb-pipeline-export-{RUN}"


def test_users_tags_are_added_but_cannot_unset_the_mandatory_one() -> None:
    request = a_request(settings(cluster=ClusterSettings(tags=(("team", "data"),))))
    assert tags(request)["team"] == "data"
    with pytest.raises(UsageError, match="must have the value true"):
        settings(cluster=ClusterSettings(tags=(("dynamodbdatapipeline", "false"),)))


def test_cluster_ends_by_itself_and_cannot_be_entered() -> None:
    request = a_request()
    assert request["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert request["Instances"]["TerminationProtected"] is False
    assert request["AutoTerminationPolicy"]["IdleTimeout"] <= 3600
    assert "Ec2KeyName" not in request["Instances"]
    assert request["SecurityConfiguration"] == "dynamodb-pipeline"


def test_logs_go_to_a_folder_below_the_log_folder() -> None:
    assert a_request()["LogUri"] == "s3://logs/app/emr/"


def test_step_is_the_spark_submit_command_line_in_client_mode() -> None:
    step = a_request()["Steps"][0]
    arguments = step["HadoopJarStep"]["Args"]
    assert step["HadoopJarStep"]["Jar"] == "command-runner.jar"
    assert arguments[:5] == ["spark-submit", "--master", "yarn", "--deploy-mode", "client"]
    assert arguments[arguments.index("--jars") + 1] == CONNECTOR_JAR
    assert arguments[arguments.index("--py-files") + 1] == CODE.zip_uri
    script = arguments.index(CODE.script_uris["export"])
    assert tuple(arguments[script + 1 :]) == a_job().job_arguments
    assert "spark.hadoopRDD.ignoreEmptySplits=false" in arguments[:script]


def test_one_table_ends_the_cluster_on_failure() -> None:
    assert [step["ActionOnFailure"] for step in a_request()["Steps"]] == ["TERMINATE_CLUSTER"]


def test_several_tables_run_biggest_first_and_go_on_after_a_failure() -> None:
    jobs = (a_job("Forum", size_bytes=10), a_job("Thread", size_bytes=3000), a_job("Reply", size_bytes=200))
    steps = a_request(settings(jobs=jobs))["Steps"]
    assert [step["Name"].split(":")[2] for step in steps] == ["Thread", "Reply", "Forum"]
    assert {step["ActionOnFailure"] for step in steps} == {"CONTINUE"}


def test_export_and_import_nodes_have_different_roles() -> None:
    export_role = a_request()["JobFlowRole"]
    import_role = a_request(settings(verb="import"))["JobFlowRole"]
    assert (export_role, import_role) == ("dynamodb-pipeline-export", "dynamodb-pipeline-import")


def test_the_pages_role_names_are_accepted() -> None:
    cluster = ClusterSettings(service_role="DataPipelineDefaultRole", node_role="DataPipelineDefaultResourceRole")
    request = a_request(settings(cluster=cluster))
    assert request["ServiceRole"] == "DataPipelineDefaultRole"
    assert request["JobFlowRole"] == "DataPipelineDefaultResourceRole"


def test_bootstrap_action_checks_hashes_before_any_other() -> None:
    other = '[{"Name":"mine","ScriptBootstrapAction":{"Path":"s3://b/mine.sh"}}]'
    request = a_request(settings(cluster=ClusterSettings(overrides=(f"BootstrapActions={other}",))))
    first, second = request["BootstrapActions"]
    assert first["ScriptBootstrapAction"]["Path"] == BOOTSTRAP.script_uri
    assert first["ScriptBootstrapAction"]["Args"] == [CODE.zip_uri, "ab" * 32]
    assert second["Name"] == "mine"


def test_step_at_the_length_limit_passes_and_one_character_more_does_not() -> None:
    room = MAX_STEP_CHARACTERS - len("command-runner.jar")
    assert step_request("n", arguments=["x" * room], action_on_failure="CONTINUE")
    with pytest.raises(UsageError, match="10,240"):
        step_request("n", arguments=["x" * room, "y"], action_on_failure="CONTINUE")


@pytest.mark.parametrize(
    "text", ["AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key=abc", "spark.hadoop.fs.s3a.secret.key=abc"]
)
def test_credentials_in_step_arguments_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="credential chain") as refused:
        step_request("n", arguments=["--option", text], action_on_failure="CONTINUE")
    assert "abc" not in str(refused.value)
    assert "AKIA" not in str(refused.value)


def test_credentials_in_spark_conf_are_refused() -> None:
    with pytest.raises(UsageError, match="--spark-conf"):
        settings(spark_conf=("spark.hadoop.fs.s3a.access.key=abc",))


def test_spark_conf_of_the_user_wins_except_over_safety() -> None:
    arguments = a_request(settings(spark_conf=("spark.executor.cores=2",)))["Steps"][0]["HadoopJarStep"]["Args"]
    assert "spark.executor.cores=2" in arguments
    assert "spark.executor.cores=4" not in arguments
    with pytest.raises(UsageError, match="could lose items"):
        a_request(settings(spark_conf=("spark.hadoopRDD.ignoreEmptySplits=true",)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"logs_uri": "s3://logs"}, "top level"),
        ({"logs_uri": "s3://logs/"}, "top level"),
        ({"logs_uri": "s3://data/exports/logs"}, "inside the data folder"),
        ({"logs_uri": "/tmp/logs"}, "not an S3 address"),
        ({"jobs": ()}, "no table"),
        ({"verb": "import", "jobs": (a_job("Forum"), a_job("Reply"))}, "exactly one table"),
        ({"name_prefix": "a|b"}, "cluster name"),
        ({"spark_conf": ("nonsense",)}, "--spark-conf"),
    ],
)
def test_settings_that_cannot_be_launched(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        settings(**changes)


def test_a_log_folder_beside_the_data_folder_is_fine() -> None:
    """`exports2` does not lie inside `exports`."""
    assert settings(logs_uri="s3://data/exports2").logs_uri


def test_request_is_the_same_each_time() -> None:
    assert json.dumps(a_request()) == json.dumps(a_request())


def test_config_is_not_changed_by_building_a_request() -> None:
    launch: LaunchSettings = settings(cluster=ClusterSettings(subnet_id="subnet-1"))
    assert a_request(launch)["Instances"]["Ec2SubnetId"] == "subnet-1"
    assert "Ec2SubnetId" not in a_request()["Instances"]


def test_steps_logs_go_to_the_log_group_too_and_the_agent_that_sends_them_is_asked_for() -> None:
    """Application and label: Management Guide, "Publish Amazon EMR logs to CloudWatch Logs"; log types: botocore."""
    request = a_request(settings(cluster=ClusterSettings(log_group="/g"), name_prefix="team:nightly"))
    assert request["MonitoringConfiguration"]["CloudWatchLogConfiguration"] == {
        "Enabled": True,
        "LogGroupName": "/g",
        "LogStreamNamePrefix": f"team-nightly-export-{RUN}",
        "LogTypes": {"STEP_LOGS": ["STDERR", "STDOUT"]},
    }
    assert [app["Name"] for app in request["Applications"]] == ["Hadoop", "Spark", "AmazonCloudWatchAgent"]
    assert "MonitoringConfiguration" not in a_request(settings())
    old = ClusterSettings(log_group="/g", overrides=("ReleaseLabel=emr-7.10.0",))
    with pytest.raises(UsageError, match=r"--cloudwatch-logs needs emr-7\.11\.0 or newer, not emr-7\.10\.0"):
        a_request(settings(cluster=old))


@pytest.mark.parametrize("text", ["", "a b", "arn:aws:logs:x", "a" * 513, "é"])
def test_what_is_no_log_group_is_refused(text: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"""
    with pytest.raises(UsageError, match=r"--x .* is no log group"):
        parse_log_group(text, option="--x")
    assert parse_log_group("/aws/emr_x-1.#", option="--x") == "/aws/emr_x-1.#"
