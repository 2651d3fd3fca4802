"""Commands that only print: `policy`, `schedule` (which also stores the code it names), `migrate-config`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.commands.launch import on_subnet, with_tag
from dynamodb_pipeline.emr.documents.migrate_config import LauncherRows, migration, read_definition
from dynamodb_pipeline.emr.documents.policies import (
    INLINE_CHARACTERS,
    MANAGED_CHARACTERS,
    POLICIES,
    ROLES_TEMPLATE,
    TABLE_POLICY_BYTES,
    TABLE_RESOURCE,
    TRUSTED_SERVICES,
    policy_characters,
    policy_notes,
    table_policy_notes,
    trust_document,
)
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope, scope_of_launch
from dynamodb_pipeline.emr.documents.roles_template import roles_template
from dynamodb_pipeline.emr.documents.schedules import (
    Schedule,
    ScheduledCode,
    code_folder,
    deploy_options,
    deployed_request,
    schedule_template,
    scheduled_request,
    with_code,
)
from dynamodb_pipeline.emr.plan.cost import Prices, node_hour_usd
from dynamodb_pipeline.emr.request.bundle import code_files, shipped_code, upload_code
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.emr.request.steps import verb_of_step
from dynamodb_pipeline.emr.watch.spent import PLAN_TAG
from dynamodb_pipeline.errors import ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.settings.run_commands import policy_command, refresh_command
from dynamodb_pipeline.settings.spark_conf import PlannedCost
from dynamodb_pipeline.settings.values import is_pattern


@dataclass(frozen=True)
class PolicyQuery:
    """Which document: the policy of `kind`, its trust document, or the template with all roles."""

    kind: str
    scope: PolicyScope
    trust: bool = False


def run_policy(query: PolicyQuery, console: Console) -> CommandResult:
    """
    Print a policy, ready for `aws iam ... --policy-document file://`.

    Raises:
        UsageError: the kind has no trust document.
    """
    document = _policy_document(query)
    console.say_all(f"note: {text}" for text in policy_notes(query.kind, query.scope))
    if query.kind == TABLE_RESOURCE:
        console.say_all(table_policy_notes(query.scope))
    for prefix in query.scope.table_prefixes:
        console.say(f"note: every table whose name begins with {prefix} is allowed, also those that are made later")
    if query.kind == ROLES_TEMPLATE:
        more = deploy_options(document, bucket=query.scope.data.bucket)
        console.say_all([f"note: a template of this size is deployed with{more}"] if more else [])
    elif query.kind == TABLE_RESOURCE:
        _refuse_too_large(document)
    elif not query.trust:
        _refuse_too_long(query.kind, document)
    return CommandResult(ExitCode.DONE, document, bare=True)


def _refuse_too_large(policy: dict[str, Any]) -> None:
    """
    Raises:
        UsageError: DynamoDB would not take it as a table's own policy.
    """
    size = len(json.dumps(policy, indent=2).encode())
    if size > TABLE_POLICY_BYTES:
        msg = (
            f"the table's own policy would have {size:,} bytes, DynamoDB takes {TABLE_POLICY_BYTES:,}: fewer "
            "--for-principal, or none, which opens it to all whom their own account allows it"
        )
        raise UsageError(msg)


def _refuse_too_long(kind: str, policy: dict[str, Any]) -> None:
    """
    Raises:
        UsageError: IAM would take the policy neither as a managed nor, of a role, as an inline one.
    """
    most, size = MANAGED_CHARACTERS if kind == "launcher" else INLINE_CHARACTERS, policy_characters(policy)
    if size > most:
        msg = (
            f"policy {kind} would have {size:,} characters, IAM takes {most:,}: `policy {ROLES_TEMPLATE}` splits it, "
            "or name tables by how they begin, --table-prefix"
        )
        raise UsageError(msg)


def _policy_document(query: PolicyQuery) -> dict[str, Any]:
    if query.kind == ROLES_TEMPLATE:
        return roles_template(query.scope)
    if not query.trust:
        return POLICIES[query.kind](query.scope)
    if query.kind not in TRUSTED_SERVICES:
        msg = f"policy {query.kind} belongs to people, not to a role; --trust is for {', '.join(TRUSTED_SERVICES)}"
        raise UsageError(msg)
    return trust_document(query.kind, scope=query.scope)


@dataclass(frozen=True)
class ScheduleQuery:
    """
    A schedule to render: when, what each firing launches, the zip to ship (`upload` False only renders), and what the
    nodes cost.
    """

    schedule: Schedule
    settings: LaunchSettings
    bundle_zip: Path
    prices: Prices
    upload: bool = True


def run_schedule(query: ScheduleQuery, clients: Clients, console: Console) -> CommandResult:
    """
    Store the code the schedule names and print its CloudFormation template.

    Raises:
        UsageError: as for a launch.
    """
    settings = _with_price(on_subnet(query.settings, clients), query.prices, console)
    files = code_files(query.bundle_zip)
    shipped = shipped_code(files, folder=settings.code)
    if query.upload:
        upload_code(clients.client("s3"), files, folder=settings.code, bucket_owner=settings.bucket_owner)
        console.say(f"code stored in {shipped.folder.uri}; keep it as long as the schedule lives")
    else:
        console.say(
            f"WARNING: the schedule's code {shipped.folder.uri} is not stored by this command (--no-upload): unless it "
            "lies there already every firing fails; the same command without it stores it"
        )
    code = ScheduledCode(shipped.job_code(settings.connector_jar), shipped.bootstrap())
    request = scheduled_request(settings, name=query.schedule.name, shipped=code)
    scope = scope_of_launch(settings, request)
    template = schedule_template(query.schedule, request=request, scope=scope, name_prefix=settings.name_prefix)
    if any(map(is_pattern, settings.table_names)):
        command = policy_command("nodes-export", settings.places)
        console.say(
            f"note: the nodes look for the tables each time, for which their role needs what this prints: {command}"
        )
    if query.schedule.email is None:
        console.say("WARNING: without --email nobody hears when a night's run fails; its topic has no subscriber")
    console.say(_deploy_line(query.schedule.name, template, region=settings.region, bucket=settings.logs.bucket))
    return CommandResult(ExitCode.DONE, template, bare=True)


def _with_price(settings: LaunchSettings, prices: Prices, console: Console) -> LaunchSettings:
    """The settings with what an hour of the cluster costs, for whoever looks at its runs; nothing else is known yet."""
    chosen = settings.cluster
    config = load_cluster_config(chosen.config, region=settings.region, overrides=chosen.overrides)
    try:
        planned = PlannedCost.of_hour(node_hour_usd(config.groups, prices)).tag()
    except UsageError as err:
        console.say(f"note: the schedule's runs are listed without what their clusters cost: {err}")
        return settings
    return replace(with_tag(settings, PLAN_TAG, planned), planned=planned)


@dataclass(frozen=True)
class RefreshQuery:
    """A deployed schedule whose code is to be that of this version: its stack's name, and the zip."""

    name: str
    verb: str
    bundle_zip: Path
    bucket_owner: str | None = None


def run_refresh(query: RefreshQuery, clients: Clients, console: Console) -> CommandResult:
    """
    Store this version's code beside that of a deployed schedule, and print the schedule's template with it.

    Raises:
        PreconditionError: no such stack, or it is no schedule of such runs.
    """
    template = _deployed_template(clients, query.name)
    request = deployed_request(template, name=query.name, region=clients.region)
    verb = verb_of_step(request["Steps"][0]["HadoopJarStep"]["Args"])
    if verb != query.verb:
        command = refresh_command(verb, query.name, region=clients.region)
        msg = f"stack {query.name} schedules an {verb}, not an {query.verb}: {command}"
        raise PreconditionError(msg)
    old = code_folder(request)
    place = S3Uri(old.bucket, old.key.rpartition("/")[0])
    files = code_files(query.bundle_zip)
    shipped = upload_code(clients.client("s3"), files, folder=place, bucket_owner=query.bucket_owner)
    renewed = with_code(template, request, bootstrap=shipped.bootstrap())
    if shipped.folder == old:
        console.say(f"schedule {query.name} runs the code of this version already: {old.uri}")
    else:
        console.say(f"code stored in {shipped.folder.uri}; {old.uri} may go once the template is deployed")
    console.say(_deploy_line(query.name, renewed, region=clients.region, bucket=old.bucket))
    return CommandResult(ExitCode.DONE, renewed, bare=True)


def _deployed_template(clients: Clients, name: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    cloudformation: Any = clients.client("cloudformation")
    try:
        return dict(cloudformation.get_template(StackName=name)["TemplateBody"])
    except ClientError as err:
        if error_code(err) not in ("ValidationError", "ChangeSetNotFound"):
            raise
        msg = f"there is no stack {name} in {clients.region}: --schedule-name takes the name it was deployed under"
        raise PreconditionError(msg) from err


def _deploy_line(name: str, template: dict[str, Any], *, region: str, bucket: str) -> str:
    return (
        f"deploy what this prints, kept as {name}.json: "
        f"aws cloudformation deploy --stack-name {name} --template-file {name}.json "
        f"--capabilities CAPABILITY_IAM --region {region}{deploy_options(template, bucket=bucket)}"
    )


def run_migrate_config(path: Path, console: Console, *, rows: LauncherRows) -> CommandResult:
    """
    Print our command for an exported Data Pipeline definition, and that of its schedule.

    Raises:
        UsageError: not such a definition.
    """
    migrated = migration(read_definition(path), rows)
    scheduled = migrated.schedule_command()
    console.say_all(f"note: {note}" for note in migrated.notes)
    words = (migrated.command(), *([scheduled] if scheduled else []))
    return CommandResult(ExitCode.DONE, {"kind": "migrate-config", **migrated.to_json()}, words=words)
