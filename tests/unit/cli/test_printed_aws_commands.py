"""
Every command of the AWS CLI that a message prints: met where it is made, and held against botocore's own model.

A place of the library that names such a command needs a situation here; what it prints must be complete (operation,
options, required members, values), whatever follows it in the message.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.model_check import request_problems
from dynamodb_pipeline.dynamodb import error_replies
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config, tag_command
from dynamodb_pipeline.emr.commands.documents import _deploy_line
from dynamodb_pipeline.emr.documents.migrate_config import read_definition
from dynamodb_pipeline.emr.documents.policies import table_policy_notes
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope
from dynamodb_pipeline.emr.documents.schedules import deployed_request
from dynamodb_pipeline.emr.preflight import cluster, permissions
from dynamodb_pipeline.emr.preflight.buckets import check_bucket, check_public_access
from dynamodb_pipeline.emr.preflight.preflight import PreflightScope, preflight
from dynamodb_pipeline.emr.watch.diagnosis import troubleshooting_rows
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.formats.exports.table_definition import cli_commands
from dynamodb_pipeline.formats.files.foreign import ARCHIVES, CODECS, OBJECTS, foreign_message
from dynamodb_pipeline.reading.source import other_manifest_notes
from dynamodb_pipeline.settings.run_commands import DEPLOY_ROLES
from dynamodb_pipeline.store.s3_errors import CREDENTIALS, missing_bucket, s3_error
from tests.unit.documents import PROJECT
from tests.unit.emr.aws import DATA, REGION, Account, account
from tests.unit.emr.fakes import client_error
from tests.unit.emr.preflight.test_preflight import launch, subnet
from tests.unit.folders.test_convert import converted, ours
from tests.unit.folders.test_definition import FULL
from tests.unit.reading.item_lines import lines
from tests.unit.reading.test_source import manifest
from tests.unit.source_places import LIBRARY, Source
from tests.unit.store.memory_store import MemoryStore

NAMED = re.compile(r"\baws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)")
# Up to what ends a command in a message: a pipe to or from it, a next command, a closing backtick, a sentence's end.
COMMAND = re.compile(r"\baws [a-z][a-z0-9-]+ [a-z].*?(?=`| \| | > | && |; |$)", re.MULTILINE)
# Commands of the CLI itself, which no service has: their options, the required ones first.
OF_THE_CLI = {
    ("s3", "cp"): (0, ("recursive",)),
    ("s3", "ls"): (0, ()),
    ("s3", "mv"): (0, ()),
    ("emr", "add-tags"): (2, ("resource-id", "tags")),  # `Key=Value`, which the service has not
    ("cloudformation", "deploy"): (3, ("stack-name", "template-file", "capabilities", "s3-bucket")),
}
GLOBAL = {"region", "profile", "output", "query", "endpoint-url"}
# Texts that name what such a command reads or prints, and are no command to paste.
NO_COMMANDS = {"formats.files.file_forms.(constants)", "cli.launcher_options.(constants)"}


def model_name(service: str) -> str:
    return "s3" if service == "s3api" else service


@cache
def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(model_name(service))


def problems_of(command: str) -> list[str]:
    """Every way in which a command is not one that the AWS CLI takes."""
    program, service, operation, *words = shlex.split(command)
    assert program == "aws"
    given = options_of(words)
    own = {name: values for name, values in given.items() if name not in GLOBAL}
    if (service, operation) in OF_THE_CLI:
        required, known = OF_THE_CLI[service, operation]
        missing = [f"--{name} is missing" for name in known[:required] if name not in own]
        return [*missing, *(f"there is no --{name}" for name in own if name not in known)]
    if operation == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service).waiter_names
        return (
            []
            if xform_name(words[0].title().replace("-", ""), "-") in {xform_name(w, "-") for w in waiters}
            else [words[0]]
        )
    named = {xform_name(name, "-"): name for name in model_of(service).operation_names}
    if operation not in named:
        return [f"{service} has no {operation}"]
    members = model_of(service).operation_model(named[operation]).input_shape
    shapes = {xform_name(name, "-"): (name, shape) for name, shape in (members.members if members else {}).items()}
    if "cli-input-json" in own:
        return request_problems(
            json.loads(own["cli-input-json"][0]), service=model_name(service), operation=named[operation]
        )
    unknown = [f"there is no --{name}" for name in own if name not in shapes]
    request = {shapes[name][0]: value_of(values, shapes[name][1]) for name, values in own.items() if name in shapes}
    if members is None:
        return unknown
    return [*unknown, *request_problems(request, service=model_name(service), operation=named[operation])]


def options_of(words: list[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            given[name] = [value] if equals else []
        elif name:
            given[name].append(word)
    return given


def value_of(values: list[str], shape: Any) -> Any:
    """A value as the CLI reads it: text, a number, JSON, or the shorthand `Key=a,Value=b`."""
    if shape.type_name == "list" and not values[0].startswith("["):
        return [value_of([value], shape.member) for value in values]
    (text,) = values
    if text.startswith(("{", "[")):
        return json.loads(text)
    if shape.type_name == "structure":
        pairs = (pair.partition("=") for pair in text.split(","))
        return {name: value_of([value], shape.members[name]) for name, _, value in pairs}
    if shape.type_name == "boolean":
        return text == "true"
    return int(text) if shape.type_name in ("integer", "long") else text


def places_of_commands() -> set[str]:
    """Module and function of every text of the library that names such a command, or the words of one."""
    return {place for path in LIBRARY.rglob("*.py") for place in _places_in(path)}


def _places_in(path: Path) -> Iterator[str]:
    source = Source.of(path)
    for node, text in source.nodes():
        words = [one.value for one in node.elts if isinstance(one, ast.Constant)] if isinstance(node, ast.Tuple) else []
        if words[:1] == ["aws"] or (text is not None and _names_a_service(text)):
            yield f"{source.module}.{source.function_around(node.lineno)}"  # type: ignore[attr-defined]


@cache
def services() -> frozenset[str]:
    return frozenset((*botocore.session.get_session().get_available_services(), "s3api"))


def _names_a_service(text: str) -> bool:
    return any(match[1] in services() for match in NAMED.finditer(text))


def without_cleanup_role(made: Account) -> str:
    made.denied_actions.add("iam:CreateServiceLinkedRole")
    iam, sts = made.clients.client("iam"), made.clients.client("sts")
    _, caller = permissions.check_credentials(sts, iam)
    assert caller is not None
    remedy = permissions.check_cleanup_role(iam, caller).remedy
    made.denied_actions.clear()
    return remedy


def hollow_profile(made: Account) -> str:
    iam = made.clients.client("iam")
    iam.create_instance_profile(InstanceProfileName="hollow")
    return permissions.check_node_role(iam, "hollow").remedy


def open_bucket(made: Account) -> str:
    made.s3.create_bucket(Bucket="open", CreateBucketConfiguration={"LocationConstraint": REGION})
    return check_public_access(made.s3, S3Uri("open", "x"), owner=None).remedy


def network(made: Account) -> Any:
    ec2 = made.clients.client("ec2")
    vpc_id, subnet_id = subnet(made)
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    return ec2, ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]


def routes(made: Account) -> str:
    return cluster.check_routes(*network(made), region=REGION).remedy


def names(made: Account) -> str:
    return cluster.check_vpc(*network(made), region=REGION).remedy


def no_default_vpc(made: Account) -> str:
    ec2 = made.clients.client("ec2", region="eu-west-2")
    for one in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=one["SubnetId"])
    return cluster.check_default_vpc(ec2, region="eu-west-2").remedy


def untagged_network(made: Account) -> str:
    made.denied_actions.add("ec2:CreateNetworkInterface")
    part = cluster.NetworkPart("subnet-1", "arn:aws:ec2:eu-west-1:1:subnet/subnet-1", "ec2:CreateNetworkInterface", {})
    role = "arn:aws:iam::123456789012:role/dynamodb-pipeline-service"
    remedy = cluster.check_network_rights(made.clients.client("iam"), role, [part], region=REGION).remedy
    made.denied_actions.clear()
    return remedy


def unknown_label(made: Account) -> str:
    config = load_cluster_config("m5", region=REGION, overrides=("ReleaseLabel=emr-7.99.0",))
    made.emr.fail_next("ListSupportedInstanceTypes", client_error("InvalidRequestException"))
    return cluster.check_label_offers_types(made.emr, config, region=REGION).remedy  # type: ignore[arg-type]


def copied(made: Account) -> str:
    return str(converted(MemoryStore(ours(a=lines("ab"))))["import_table"])


def made_again(made: Account) -> str:
    return "\n".join(cli_commands(FULL))


def table_policy(made: Account) -> str:
    scope = PolicyScope(
        "123456789012", REGION, tables=("Forum",), data=S3Uri(DATA, "x"), logs=S3Uri(DATA, "l"), code=S3Uri(DATA, "c")
    )
    return "\n".join(table_policy_notes(scope))


def no_schedule(made: Account) -> str:
    with pytest.raises(PreconditionError) as refused:
        deployed_request({}, name="nightly", region=REGION)
    return str(refused.value)


def large_schedule(made: Account) -> str:
    return _deploy_line("nightly", {"Description": "x" * 60_000}, region=REGION, bucket=DATA)


def archived(made: Account) -> str:
    error = client_error("InvalidObjectState", operation="GetObject", status=403)
    return str(s3_error(error, operation="get_object", where=S3Uri(DATA, "a b")))


def no_bucket(made: Account) -> str:
    return str(missing_bucket("nowhere"))


def no_bucket_of_a_launch(made: Account) -> str:
    reply = check_bucket(made.s3, S3Uri("nowhere-at-all", "x"), region=REGION, owner=None)
    return reply.remedy


def foreign_files(made: Account) -> str:
    kinds = [*CODECS, *ARCHIVES, *(found for _, found in OBJECTS)]
    return "\n".join(foreign_message(kind, f"s3://{DATA}/x/a b") for kind in kinds)


def renamed_manifest(made: Account) -> str:
    store = MemoryStore({f"s3://{DATA}/x/manifest.json": manifest("a", folder=f"s3://{DATA}/x")})
    return "\n".join(other_manifest_notes(store, store.list(f"s3://{DATA}/x")))


def roles_unknown(made: Account) -> str:
    results = preflight(PreflightScope(launch(cluster_id=made.emr.standing()), None, None, None), made.clients)
    return next(one.remedy for one in results if one.name == "node-permissions")


def no_definition(made: Account) -> str:
    del made
    with pytest.raises(UsageError) as refused:
        read_definition(PROJECT / "dynamodb_pipeline" / "emr" / "data" / "troubleshooting.json")
    return str(refused.value)


Drive = Callable[[Account], str]
SITUATIONS: dict[str, Drive] = {
    "emr.preflight.buckets.check_public_access": open_bucket,
    "emr.preflight.permissions.check_cleanup_role": without_cleanup_role,
    "emr.preflight.permissions.check_node_role": hollow_profile,
    "emr.preflight.cluster.check_routes": routes,
    "emr.preflight.cluster.check_vpc": names,
    "emr.preflight.cluster.check_default_vpc": no_default_vpc,
    "emr.preflight.cluster.check_network_rights": untagged_network,
    "emr.preflight.cluster.(constants)": unknown_label,
    "emr.preflight.preflight.nodes": roles_unknown,
    "emr.cluster.cluster_config.tag_command": lambda _: tag_command("j-ABC", region=REGION),
    "emr.commands.documents._deploy_line": large_schedule,
    "emr.documents.policies.table_policy_notes": table_policy,
    "emr.documents.schedules.deployed_request": no_schedule,
    "emr.documents.migrate_config.read_definition": no_definition,
    "settings.run_commands.(constants)": lambda _: DEPLOY_ROLES,
    "folders.convert.import_table_command": copied,
    "formats.exports.table_definition.cli_commands": made_again,
    "formats.files.foreign._command": foreign_files,
    "formats.files.foreign.(constants)": foreign_files,
    "reading.source.other_manifest_notes": renamed_manifest,
    "store.s3_errors._refused": archived,
    "store.s3_errors.(constants)": lambda _: "\n".join(CREDENTIALS.values()),
    "store.s3_errors.missing_bucket": no_bucket,
    "emr.preflight.buckets._bucket_failure": no_bucket_of_a_launch,
    "dynamodb.error_replies.(constants)": lambda _: "\n".join(
        row.remedy for row in error_replies.ERROR_CLASSES.values()
    ),
}


@pytest.fixture(scope="module")
def made() -> Iterator[Account]:
    with account() as one:
        yield one


def test_every_place_that_prints_such_a_command_has_a_situation() -> None:
    assert places_of_commands() - NO_COMMANDS == set(SITUATIONS)


@pytest.mark.parametrize("place", SITUATIONS)
def test_the_printed_command_is_one_that_aws_takes(made: Account, place: str) -> None:
    text = SITUATIONS[place](made)
    commands = [match[0].rstrip(".") for match in COMMAND.finditer(text) if _names_a_service(match[0])]
    assert commands, text
    assert {command: problems for command in commands if (problems := problems_of(command))} == {}


def test_commands_of_the_troubleshooting_table_are_such_too() -> None:
    commands = [match[0] for row in troubleshooting_rows() for match in COMMAND.finditer(row.remedy)]
    whole = [command for command in commands if command != "aws ec2 create-tags"]  # named, for preflight prints it
    assert len(whole) >= 2
    assert {command: problems for command in whole if (problems := problems_of(command))} == {}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("aws emr list-release-label --region x", "emr has no list-release-label"),
        ("aws ec2 create-tags --tags Key=a,Value=b", "Resources"),
        ("aws s3api put-public-access-block --bucket b", "PublicAccessBlockConfiguration"),
        ("aws iam add-role-to-instance-profile --profile-name p --role-name r", "there is no --profile-name"),
        ("aws cloudformation deploy --stack-name s --template-file f", "--capabilities is missing"),
        ("aws dynamodb import-table --input-format TEXT --s3-bucket-source '{\"S3Bucket\": \"b\"}' "
         "--table-creation-parameters '{}'", "TEXT"),
        ("aws dynamodb wait table-exist --table-name x", "table-exist"),
    ],
    ids=lambda value: value.split()[2] if value.startswith("aws ") else "",
)  # fmt: skip
def test_what_aws_does_not_take_is_seen(command: str, problem: str) -> None:
    assert any(problem in one for one in problems_of(command))
