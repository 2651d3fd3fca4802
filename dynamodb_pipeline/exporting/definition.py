"""
Reads how a table is set up, for the `_table.json` of its export.

Only DescribeTable is needed by the export itself. All else is a courtesy: a reply that is denied, or that does not
come, is noted in the file, and the export goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar, cast

from dynamodb_pipeline.addresses import ACROSS_ACCOUNTS
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.dynamodb.table import TableDescription, Tables
from dynamodb_pipeline.errors import PipelineError
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition
from dynamodb_pipeline.run.context import RunContext

# Of botocore: seconds in all, also where a private subnet leads to no such service. Nothing waits for a courtesy.
ATTEMPTS = 2
PAGES = 20  # of tags or of autoscaling: a table has at most 50 tags, and 42 scalable dimensions
NAMESPACE = "dynamodb"
ONLY_ITS_OWN_ACCOUNT = "answered in the table's own account only"  # by autoscaling with that of another of this name

Answer = TypeVar("Answer")
Reply = Mapping[str, object]


class Autoscaling(Protocol):
    """What is asked of Application Auto Scaling, for which the project has no stubs."""

    def describe_scalable_targets(self, **request: object) -> Reply:
        """What of a table is scaled, between which bounds."""

    def describe_scaling_policies(self, **request: object) -> Reply:
        """By what it is scaled."""


def definition_of(
    ctx: RunContext, table: TableDescription, *, time_to_live: Mapping[str, object] | None = None
) -> TableDefinition:
    """
    How the table is set up now.

    Args:
        time_to_live: its TimeToLiveDescription, where that is known already.

    Raises:
        PipelineError: DescribeTable is refused.
    """
    described = Tables.of_run(ctx).definition(table.address)
    not_read: dict[str, str] = {}

    def read(call: str, ask: Callable[[], Answer]) -> Answer | None:
        ctx.lifetime.check()
        if table.arn_asked and call not in ACROSS_ACCOUNTS:
            not_read[call] = ONLY_ITS_OWN_ACCOUNT
            return None
        try:
            return ask()
        except Exception as err:  # whatever it is, the export does not depend on it
            not_read[call] = _reason(err)
            return None

    def ttl() -> Reply:
        client = ctx.clients.client("dynamodb", attempts=ATTEMPTS)
        return cast("Reply", client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"])

    def backups() -> Reply:
        client = ctx.clients.client("dynamodb", attempts=ATTEMPTS)
        return cast("Reply", client.describe_continuous_backups(TableName=table.name)["ContinuousBackupsDescription"])

    targets = read("DescribeScalableTargets", lambda: list(_targets(ctx, table)))
    policies = read("DescribeScalingPolicies", lambda: list(_policies(ctx, table, targets or ())))
    return TableDefinition(
        described,
        time_to_live=time_to_live or read("DescribeTimeToLive", ttl),
        continuous_backups=read("DescribeContinuousBackups", backups),
        tags=read("ListTagsOfResource", lambda: list(_tags(ctx, table))),
        scalable_targets=targets,
        scaling_policies=policies,
        not_read=not_read,
    )


def _tags(ctx: RunContext, table: TableDescription) -> Iterator[dict[str, object]]:
    ask = ctx.clients.client("dynamodb", attempts=ATTEMPTS).list_tags_of_resource
    return _listed(cast("Callable[..., Reply]", ask), "Tags", {"ResourceArn": table.arn})


def _autoscaling(ctx: RunContext) -> Autoscaling:
    return cast("Autoscaling", ctx.clients.client("application-autoscaling", attempts=ATTEMPTS))


def _targets(ctx: RunContext, table: TableDescription) -> Iterator[dict[str, object]]:
    indexes = (f"table/{table.name}/index/{index.name}" for index in table.global_indexes)
    request = {"ServiceNamespace": NAMESPACE, "ResourceIds": [f"table/{table.name}", *indexes]}
    return _listed(_autoscaling(ctx).describe_scalable_targets, "ScalableTargets", request)


def _policies(ctx: RunContext, table: TableDescription, targets: Iterable[Reply]) -> Iterator[dict[str, object]]:
    """Of everything that is scaled, and of the table."""
    ask = _autoscaling(ctx).describe_scaling_policies
    for resource in dict.fromkeys([f"table/{table.name}", *(str(target["ResourceId"]) for target in targets)]):
        yield from _listed(ask, "ScalingPolicies", {"ServiceNamespace": NAMESPACE, "ResourceId": resource})


def _listed(ask: Callable[..., Reply], member: str, request: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """What every page of a listing holds."""
    token: dict[str, object] = {}
    for _ in range(PAGES):
        reply = ask(**request, **token)
        yield from cast("list[dict[str, object]]", reply.get(member) or [])
        if not reply.get("NextToken"):
            return
        token = {"NextToken": reply["NextToken"]}


def _reason(err: Exception) -> str:
    """An error's code; nothing of its text, which may be anything."""
    if isinstance(err, PipelineError):
        return without_secrets(str(err))
    return error_code(err) or type(err).__name__
