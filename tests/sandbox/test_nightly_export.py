"""
docs/nightly-export.md, followed word by word in an account that never used EMR and has nothing but a default VPC.

Its commands run as they stand there, by a shell, with the AWS CLI; what a reader has to fill in is the run id.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.active_table import create_active_table
from sandbox.emr.stack import EmrSandbox
from tests.sandbox.cli import run_cli
from tests.sandbox.emr_cluster import OVER
from tests.sandbox.in_process import Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.recipes import AWS, DOCS, Reader, blocks_of

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed here: make setup"),
]

PAGE = (DOCS / "nightly-export.md").read_text(encoding="utf-8")
WEST, BUCKET_WEST = "us-west-2", "my-bucket-west"
REGION, BUCKET, TABLES = "eu-west-1", "my-bucket", ("Forum", "Thread", "Reply")
MOMENT, FOLDER = "2026-11-23T03:00:00Z", "2026-11-23-03-00-00"
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """What the page asks for is there (tables, a bucket), and every block has been pasted."""
    node = quick_node(tmp_path_factory.mktemp("commands"))
    with EmrSandbox("nightly-export", yarn=False, settings={"node": node}) as emr:
        dynamodb, s3 = emr.client("dynamodb", region=REGION), emr.client("s3", region=REGION)
        west = emr.client("dynamodb", region=WEST)
        for client, name in [*((dynamodb, name) for name in TABLES), (west, "Forum")]:
            keys = [{"AttributeName": "Id", "KeyType": "HASH"}]
            types = [{"AttributeName": "Id", "AttributeType": "S"}]
            create_active_table(
                client, TableName=name, KeySchema=keys, AttributeDefinitions=types,
                ProvisionedThroughput={"ReadCapacityUnits": 400, "WriteCapacityUnits": 400},
            )  # fmt: skip
            if client is dynamodb:
                client.put_item(TableName=name, Item={"Id": {"S": name}})
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        emr.client("s3", region=WEST).create_bucket(
            Bucket=BUCKET_WEST, CreateBucketConfiguration={"LocationConstraint": WEST}
        )
        made = Reader(emr, tmp_path_factory.mktemp("reader"))
        (settings,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        (made.folder / "pipeline.toml").write_text(settings)
        for block in blocks_of(PAGE):
            made.paste(block)
        yield made


def test_nothing_reaches_aws_from_the_sandbox(reader: Reader) -> None:
    """Who looks past the sandbox's endpoints is told so at once, whichever way it was done."""
    past = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_MAX_ATTEMPTS": "1"}
    words = [str(AWS), "emr", "list-clusters", "--region", REGION]
    env = reader.emr.process_env(PATH="/usr/bin:/bin", **past)
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode != 0
    assert "the-sandbox-lets-nothing-through-to-AWS" in done.stderr


def test_no_check_is_left_open(reader: Reader) -> None:
    """The bucket does not block public access, as the page shows; everything else is in order, and known."""
    preflight, plan = reader.documents("dynamodb-pipeline preflight")
    left = {check["name"] for check in preflight["checks"] if check["verdict"] != "ok"}
    assert left <= {f"public access {BUCKET}"}
    assert plan["run_job_flow"]["Instances"]["Ec2SubnetId"].startswith("subnet-")


def test_the_export_is_verified_and_back_in_another_region(reader: Reader) -> None:
    (verified,) = reader.documents("dynamodb-pipeline verify")
    assert (verified["exit_code"], verified["items"]) == (0, 1)
    (done,) = reader.documents("dynamodb-pipeline import")
    assert (done["exit_code"], done["status"]) == (0, "done")
    found = reader.emr.client("dynamodb", region=WEST).scan(TableName="Forum", ConsistentRead=True)["Items"]
    assert found == [{"Id": {"S": "Forum"}}]


WESTERN = ("--region", WEST, "--logs", f"s3://{BUCKET_WEST}/logs", "--service-role", "dynamodb-pipeline-service-west")
FLOWS = {
    "import": (
        *("import", "--table", "Forum", "--input", f"s3://{BUCKET}/exports/Forum", "--latest", *WESTERN),
        *("--node-role", "dynamodb-pipeline-import-west"),
    ),
    "verify": (
        "verify",
        f"s3://{BUCKET}/exports/Forum",
        "--latest",
        "--region",
        REGION,
        "--logs",
        f"s3://{BUCKET}/logs",
    ),
}


@pytest.mark.parametrize("words", FLOWS.values(), ids=FLOWS.keys())
def test_nothing_is_unknown_to_preflight_in_the_pages_flows(reader: Reader, words: tuple[str, ...]) -> None:
    """Of the export and its schedule see above; of a standing cluster test_preflight_bullets.py."""
    checks = Pipeline(reader.emr).run("preflight", *words).result["checks"]
    assert len(checks) > 10
    assert {check["name"]: check["detail"] for check in checks if check["verdict"] in ("unknown", "failed")} == {}


def test_the_export_is_finished(reader: Reader) -> None:
    (done,) = reader.documents("dynamodb-pipeline export")
    assert (done["exit_code"], done["status"]) == (0, "done")
    assert {one["table"] for one in done["tables"]} == set(TABLES)


def test_the_schedule_starts_a_finished_export_by_itself(reader: Reader) -> None:
    emr = reader.emr
    (schedule,) = emr.client("scheduler", region=REGION).list_schedules()["Schedules"]
    fired = emr.control.fire(schedule["Name"], group=schedule["GroupName"], scheduled_time=MOMENT, region=REGION)
    emr.control.wait_for(fired["JobFlowId"], *OVER, timeout_s=120)
    steps = emr.client("emr", region=REGION).list_steps(ClusterId=fired["JobFlowId"])["Steps"]
    assert [step["Status"]["State"] for step in steps] == ["COMPLETED"] * len(TABLES)
    keys = {entry["Key"] for entry in emr.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="exports/")["Contents"]}
    assert {f"exports/{name}/{FOLDER}/manifest" for name in TABLES} <= keys
    subscribed = emr.client("sns", region=REGION).list_subscriptions()["Subscriptions"]
    assert [one["Endpoint"] for one in subscribed] == ["ops@example.com"]


def launcher_key(emr: EmrSandbox) -> dict[str, str]:
    """A new user who has what `policy launcher` prints for the page's tables and places, and nothing else."""
    words = ["--table", "Forum", "--bucket", BUCKET, "--logs", f"s3://{BUCKET}/logs", "--region", REGION]
    printed = run_cli(["policy", "launcher", *words], env=emr.process_env()).result
    iam = emr.client("iam")
    iam.create_user(UserName="ann")
    managed = iam.create_policy(PolicyName="ann", PolicyDocument=json.dumps(printed))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ann", PolicyArn=managed)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_a_deployed_schedule_is_refreshed_without_its_options(reader: Reader) -> None:
    """
    By the name of its stack, which the page gives, under the printed policy. First it runs the installed code already;
    then its code is of another version and the installed one's is not stored: it is stored, and all else stays.
    """
    scheduler, s3 = reader.emr.client("scheduler", region=REGION), reader.emr.client("s3", region=REGION)
    (schedule,) = scheduler.list_schedules()["Schedules"]
    env = reader.emr.process_env(**launcher_key(reader.emr))
    words = ["schedule", "export", "--refresh", "--schedule-name", "nightly", "--region", REGION]
    out = run_cli(words, env=env)
    assert out.code == 0, out.text
    assert "runs the code of this version already" in out.text
    asked = {"Name": schedule["Name"], "GroupName": schedule["GroupName"]}
    deployed = scheduler.get_schedule(**asked)["Target"]["Input"]
    assert out.result["Resources"]["Schedule"]["Properties"]["Target"]["Input"] == deployed

    code = re.search(rf"s3://{BUCKET}/(logs/code/)([0-9a-f]+)/", deployed)
    assert code is not None
    older = json.dumps(out.result).replace(code[2], "0" * len(code[2]))
    deploy_template(reader.emr, "nightly", older)
    listed = {"Bucket": BUCKET, "Prefix": code[1] + code[2]}
    stored = [entry["Key"] for entry in s3.list_objects_v2(**listed)["Contents"]]
    for key in stored:
        s3.delete_object(Bucket=BUCKET, Key=key)
    out = run_cli(words, env=env)
    assert out.code == 0, out.text
    assert out.result["Resources"]["Schedule"]["Properties"]["Target"]["Input"] == deployed
    assert [entry["Key"] for entry in s3.list_objects_v2(**listed)["Contents"]] == stored
    deploy_template(reader.emr, "nightly", json.dumps(out.result))


def deploy_template(emr: EmrSandbox, name: str, template: str) -> None:
    client = emr.client("cloudformation", region=REGION)
    change = {"StackName": name, "ChangeSetName": "other", "TemplateBody": template}
    made = client.create_change_set(**change, Capabilities=["CAPABILITY_IAM"])
    client.execute_change_set(ChangeSetName=made["Id"])


def old_pipeline() -> dict[str, Any]:
    """A nightly backup as Data Pipeline's console exported it, with all that people had added."""
    step = "s3://dynamodb-dpl-eu-west-1/emr-ddb-storage-handler/4.11.0/emr-dynamodb-tools.jar,"
    step += "org.apache.hadoop.dynamodb.tools.DynamoDBExport,#{output.directoryPath},#{input.tableName},0.5"
    cluster = {"masterInstanceType": "m5.xlarge", "coreInstanceType": "m5.xlarge", "coreInstanceCount": "2"}
    stamped = "#{myOutputS3Loc}/#{format(@scheduledStartTime, 'YYYY-MM-dd-HH-mm-ss')}"
    objects = [
        {"id": "Default", "pipelineLogUri": f"s3://{BUCKET}/logs/", "role": "DataPipelineDefaultRole"},
        {"id": "Night", "type": "Schedule", "period": "1 day", "startDateTime": "2019-04-01T03:30:00"},
        *({"id": f"T{name}", "type": "DynamoDBDataNode", "tableName": name, "readThroughputPercent": "0.5"}
          for name in TABLES[:2]),
        {"id": "Backup", "type": "S3DataNode", "directoryPath": stamped},
        {"id": "Cluster", "type": "EmrCluster", "region": REGION, "keyPair": "ops", **cluster},
        {"id": "Run", "type": "EmrActivity", "step": step, "preStepCommand": "aws s3 rm s3://old/x"},
    ]  # fmt: skip
    return {"objects": objects, "values": {"myOutputS3Loc": f"s3://{BUCKET}/exports/old", "myDDBRegion": REGION}}


def test_the_commands_of_a_migrated_pipeline_run(reader: Reader) -> None:
    """Both as they are printed; what has no counterpart is named."""
    (reader.folder / "pipeline.json").write_text(json.dumps(old_pipeline()))
    env = reader.emr.process_env()
    migrated = run_cli(["migrate-config", str(reader.folder / "pipeline.json")], env=env)
    notes = "\n".join(migrated.result["notes"])
    for named in ("keyPair ops", "preStepCommand aws s3 rm", "start 2019-04-01T03:30:00", "roles: deploy ours"):
        assert named in notes
    scheduled = shlex.split(migrated.result["schedule_command"])
    assert scheduled[scheduled.index("--cron") + 1] == "cron(30 3 * * ? *)"
    template = run_cli(scheduled[1:], env=env)
    assert template.code == 0, template.text
    groups = json.loads(template.result["Resources"]["Schedule"]["Properties"]["Target"]["Input"])["Instances"]
    assert {(one["InstanceType"], one["InstanceCount"]) for one in groups["InstanceGroups"]} == {
        ("m5.xlarge", 1), ("m5.xlarge", 2),
    }  # fmt: skip
    ran = run_cli(shlex.split(migrated.result["command"])[1:], env=env)
    assert (ran.code, {one["table"] for one in ran.result["tables"]}) == (0, set(TABLES[:2])), ran.text
    assert all(f"s3://{BUCKET}/exports/old/" in one["export_uri"] for one in ran.result["tables"])
