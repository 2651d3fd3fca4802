"""Definitions of the two Data Pipeline templates become our commands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.cli import command_line as cli
from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of
from dynamodb_pipeline.cli.main import settings_of
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.documents.migrate_config import LauncherRows, Migration, migration, read_definition
from dynamodb_pipeline.errors import UsageError

EXPORT_STEP = (
    "s3://dynamodb-dpl-#{myDDBRegion}/emr-ddb-storage-handler/4.11.0/emr-dynamodb-tools.jar,"
    "org.apache.hadoop.dynamodb.tools.DynamoDBExport,#{output.directoryPath},#{input.tableName},"
    "#{input.readThroughputPercent}"
)


ROWS = LauncherRows(own.CRON, own.SET, own.SUBNET)


def migrated(definition: dict[str, Any]) -> Migration:
    """The translation; its commands are lines that are taken, cluster config included."""
    found = migration(definition, ROWS)
    for text in filter(None, (found.command(), found.schedule_command())):
        line = cli.line_of(shlex.split(text)[1:], file=None)
        assert settings_of(line)
        launch = launch_of(found.verb, line.options, start=RunStart("20260101T000000Z-abcdef01", "us-east-1"))
        cluster = launch.cluster
        assert load_cluster_config(cluster.config, region="us-east-1", overrides=cluster.overrides)
    return found


def export_definition(**values: str) -> dict[str, Any]:
    """The export template's shape: object types, fields and parameter ids as AWS published them."""
    return {
        "objects": [
            {"id": "Default", "failureAndRerunMode": "CASCADE", "pipelineLogUri": "s3://old-logs/pipeline/"},
            {
                "id": "DDBSourceTable",
                "type": "DynamoDBDataNode",
                "tableName": "#{myDDBTableName}",
                "readThroughputPercent": "#{myDDBReadThroughputRatio}",
            },
            {
                "id": "S3BackupLocation",
                "type": "S3DataNode",
                "directoryPath": "#{myOutputS3Loc}/#{format(@scheduledStartTime, 'YYYY-MM-dd-HH-mm-ss')}",
            },
            {
                "id": "EmrClusterForBackup",
                "type": "EmrCluster",
                "region": "#{myDDBRegion}",
                "terminateAfter": "12 Hours",
            },
            {"id": "TableBackupActivity", "type": "EmrActivity", "step": EXPORT_STEP, "maximumRetries": "2"},
        ],
        "parameters": [
            {"id": "myDDBReadThroughputRatio", "type": "Double", "default": "0.25"},
            {"id": "myDDBRegion", "type": "String", "default": "us-east-1"},
        ],
        "values": {"myDDBTableName": "Forum", "myOutputS3Loc": "s3://backups/forum", **values},
    }


def test_export_template() -> None:
    found = migrated(export_definition())
    assert found.verb == "export"
    assert found.command() == (
        "dynamodb-pipeline export --table Forum --output s3://backups/forum --throughput-percent 25% "
        "--region us-east-1 --timeout 12h --logs s3://old-logs/pipeline"
    )
    assert found.schedule_command() is None


@pytest.mark.parametrize(("ratio", "percent"), [("0.1", "10%"), ("1.0", "100%"), ("1.5", "150%"), ("0.255", "25.5%")])
def test_ratio_becomes_a_percent(ratio: str, percent: str) -> None:
    words = migrated(export_definition(myDDBReadThroughputRatio=ratio)).options.words()
    assert words[words.index("--throughput-percent") + 1] == percent


def test_values_win_over_defaults() -> None:
    assert "--region eu-west-1" in migrated(export_definition(myDDBRegion="eu-west-1")).command()


@pytest.mark.parametrize(
    ("period", "cron"), [("1 day", "rate(1 day)"), ("2 Hours", "rate(2 hours)"), ("1 week", "rate(7 days)")]
)
def test_schedule_becomes_an_expression(period: str, cron: str) -> None:
    definition = export_definition()
    definition["objects"].append({"id": "s", "type": "Schedule", "period": period})
    found = migrated(definition)
    assert found.cron == cron
    assert (found.schedule_command() or "").startswith("dynamodb-pipeline schedule export --table Forum")


def test_import_template_in_the_apis_own_form() -> None:
    """GetPipelineDefinition's reply: fields and values as lists."""
    step = "s3://x/emr-ddb-2.1.0.jar,org.apache.hadoop.dynamodb.tools.DynamoDbImport,#{input.directoryPath}"
    definition = {
        "pipelineObjects": [
            _api_object("t", type="DynamoDBDataNode", tableName="#{myDDBTableName}", writeThroughputPercent="0.5"),
            _api_object("f", type="S3DataNode", directoryPath="#{myInputS3Loc}"),
            _api_object("a", type="EmrActivity", step=step, attemptTimeout="90 minutes"),
        ],
        "parameterValues": [
            {"id": "myDDBTableName", "stringValue": "Forum"},
            {"id": "myInputS3Loc", "stringValue": "s3://backups/forum/2019-01-01-00-00-00"},
        ],
    }
    assert migrated(definition).options.words() == (
        "--table", "Forum", "--input", "s3://backups/forum/2019-01-01-00-00-00",
        "--throughput-percent", "50%", "--timeout", "90m", "--logs", "s3://backups/dynamodb-pipeline-logs",
    )  # fmt: skip


def _api_object(name: str, **fields: str) -> dict[str, Any]:
    return {"id": name, "name": name, "fields": [{"key": key, "stringValue": text} for key, text in fields.items()]}


def test_what_has_no_counterpart_is_named() -> None:
    definition = export_definition()
    definition["objects"] += [
        {"id": "alarm", "type": "SnsAlarm"},
        {"id": "redshift", "type": "RedshiftCopyActivity"},
        {"id": "c2", "type": "EmrCluster", "subnetId": "subnet-1"},
    ]
    found = migrated(definition)
    for part in ("RedshiftCopyActivity", "SNS alarms"):
        assert part in " ".join(found.notes)
    assert "--subnet subnet-1" in found.command()


def with_object(kind: str, **fields: str) -> dict[str, Any]:
    """The export's definition with these fields in its object of a kind, or with such an object."""
    definition = export_definition()
    one = next((each for each in definition["objects"] if each.get("type", each["id"]) == kind), None)
    if one is None:
        definition["objects"].append({"id": "more", "type": kind, **fields})
    else:
        one.update(fields)
    return definition


@pytest.mark.parametrize(
    ("kind", "fields", "word"),
    [
        ("EmrCluster", {"masterInstanceType": "m5.xlarge"}, "MASTER.InstanceType=m5.xlarge"),
        ("EmrCluster", {"coreInstanceType": "m5.4xlarge"}, "CORE.InstanceType=m5.4xlarge"),
        ("EmrCluster", {"coreInstanceCount": "4"}, "CORE.InstanceCount=4"),
        ("Default", {"pipelineLogUri": "s3://old-logs/"}, "--logs s3://old-logs/dynamodb-pipeline-logs"),
        ("Default", {"pipelineLogUri": ""}, "--logs s3://backups/dynamodb-pipeline-logs"),
    ],
    ids=["leader", "core", "count", "logs at the top", "no logs"],
)
def test_a_field_is_translated(kind: str, fields: dict[str, str], word: str) -> None:
    assert word in migrated(with_object(kind, **fields)).command()


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("EmrCluster", {"masterInstanceType": "m1.medium"}, "m1.medium: cannot be had"),
        ("EmrCluster", {"keyPair": "me"}, "keyPair me: nodes have no SSH key"),
        ("EmrActivity", {"preStepCommand": "sudo yum install x"}, "preStepCommand sudo yum install x: is not run"),
        ("EmrActivity", {"postStepCommand": "notify"}, "postStepCommand notify"),
        ("Default", {"role": "R1", "resourceRole": "R2"}, "--service-role R1 --node-role R2"),
        ("DynamoDBDataNode", {"region": "eu-west-1"}, "the cluster ran in us-east-1, the table is in eu-west-1"),
        ("Default", {"pipelineLogUri": "s3://old-logs/"}, "logs never go to a bucket's top"),
        ("EmrActivity", {"maximumRetries": "0"}, "maximumRetries: retries happen inside the job"),
        ("EmrCluster", {"taskInstanceBidPrice": "0.1"}, "taskInstanceBidPrice 0.1 is not translated"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_not_translated_is_named(kind: str, fields: dict[str, str], said: str) -> None:
    assert said in "\n".join(migrated(with_object(kind, **fields)).notes)


def test_without_a_region_of_the_table_it_is_the_clusters() -> None:
    """Data Pipeline's step read the tables of the region that its cluster ran in."""
    definition = with_object("EmrCluster", region="eu-west-3")
    definition["parameters"].pop()  # myDDBRegion
    assert "--region eu-west-3" in migrated(definition).command()


def test_several_tables_are_one_command_of_an_export() -> None:
    definition = export_definition()
    definition["objects"].append({"id": "t2", "type": "DynamoDBDataNode", "tableName": "Thread"})
    assert "--table Forum --table Thread" in migrated(definition).command()


def test_other_tables_of_an_import_are_named() -> None:
    definition = export_definition()
    definition["objects"][-1]["step"] = EXPORT_STEP.replace("DynamoDBExport", "DynamoDBImport")
    definition["objects"][2]["directoryPath"] = "s3://backups/forum/2019-01-01-00-00-00"
    definition["objects"].append({"id": "t2", "type": "DynamoDBDataNode", "tableName": "Thread"})
    found = migrated(definition)
    assert "Thread" not in found.command()
    assert "table Thread: an import has one table" in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("period", "start", "cron"),
    [
        ("1 day", "2013-09-27T03:30:00", "cron(30 3 * * ? *)"),
        ("1 week", "2013-09-27T03:30:00", "cron(30 3 ? * FRI *)"),
        ("1 hour", "2013-09-27T03:15:00", "cron(15 * * * ? *)"),
        ("1 month", "2013-01-31T03:00:00", "cron(0 3 28 * ? *)"),
        ("6 hours", "2013-09-27T03:00:00", "rate(6 hours)"),
    ],
)
def test_a_start_time_is_kept_or_named(period: str, start: str, cron: str) -> None:
    found = migrated(with_object("Schedule", period=period, startDateTime=start))
    assert found.cron == cron
    assert any(start in note for note in found.notes)


def test_another_pipeline_is_refused() -> None:
    with pytest.raises(UsageError, match="only those two templates"):
        migrated({"objects": [{"id": "x", "type": "ShellCommandActivity", "command": "ls"}]})


def test_missing_values_are_named() -> None:
    definition = export_definition()
    del definition["values"]["myDDBTableName"]
    with pytest.raises(UsageError, match="table's name"):
        migrated(definition)


@pytest.mark.parametrize(("text", "reason"), [("{", "not JSON"), ("[]", "no list"), ("{}", "no list")])
def test_file_that_is_no_definition(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_definition(path)


def test_definition_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(export_definition()))
    assert migrated(read_definition(path)).verb == "export"
