"""Definitions of the two Data Pipeline templates become our commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.cli.launcher_options import CRON
from dynamodb_pipeline.emr.documents.migrate_config import migration, read_definition
from dynamodb_pipeline.errors import UsageError

EXPORT_STEP = (
    "s3://dynamodb-dpl-#{myDDBRegion}/emr-ddb-storage-handler/4.11.0/emr-dynamodb-tools.jar,"
    "org.apache.hadoop.dynamodb.tools.DynamoDBExport,#{output.directoryPath},#{input.tableName},"
    "#{input.readThroughputPercent}"
)


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
    found = migration(export_definition())
    assert found.verb == "export"
    assert found.command() == (
        "dynamodb-pipeline export --table Forum --output s3://backups/forum --throughput-percent 25% "
        "--region us-east-1 --logs s3://old-logs/pipeline --timeout 12h"
    )
    assert found.schedule_command(CRON) is None


@pytest.mark.parametrize(("ratio", "percent"), [("0.1", "10%"), ("1.0", "100%"), ("1.5", "150%"), ("0.255", "25.5%")])
def test_ratio_becomes_a_percent(ratio: str, percent: str) -> None:
    words = migration(export_definition(myDDBReadThroughputRatio=ratio)).options.words()
    assert words[words.index("--throughput-percent") + 1] == percent


def test_values_win_over_defaults() -> None:
    assert "--region eu-west-1" in migration(export_definition(myDDBRegion="eu-west-1")).command()


@pytest.mark.parametrize(
    ("period", "cron"), [("1 day", "rate(1 day)"), ("2 Hours", "rate(2 hours)"), ("1 week", "rate(7 days)")]
)
def test_schedule_becomes_an_expression(period: str, cron: str) -> None:
    definition = export_definition()
    definition["objects"].append({"id": "s", "type": "Schedule", "period": period})
    found = migration(definition)
    assert found.cron == cron
    assert (found.schedule_command(CRON) or "").startswith("dynamodb-pipeline schedule export --table Forum")


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
    assert migration(definition).options.words() == (
        "--table", "Forum", "--input", "s3://backups/forum/2019-01-01-00-00-00",
        "--throughput-percent", "50%", "--timeout", "90m",
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
    notes = " ".join(migration(definition).notes)
    for part in ("RedshiftCopyActivity", "SNS alarms", "--subnet subnet-1"):
        assert part in notes


def test_another_pipeline_is_refused() -> None:
    with pytest.raises(UsageError, match="only those two templates"):
        migration({"objects": [{"id": "x", "type": "ShellCommandActivity", "command": "ls"}]})


def test_missing_values_are_named() -> None:
    definition = export_definition()
    del definition["values"]["myDDBTableName"]
    with pytest.raises(UsageError, match="table's name"):
        migration(definition)


@pytest.mark.parametrize(("text", "reason"), [("{", "not JSON"), ("[]", "no list"), ("{}", "no list")])
def test_file_that_is_no_definition(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_definition(path)


def test_definition_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(export_definition()))
    assert migration(read_definition(path)).verb == "export"
