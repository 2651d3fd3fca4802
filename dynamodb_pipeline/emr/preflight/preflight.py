"""
Looks at everything a run needs before anything is started. Read-only, except for `--probe-write`.

Each check stands for itself: one that may not look is `unknown` and does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import DENIED, error_code
from dynamodb_pipeline.aws.clients import Clients, TableRole
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.documents.policy_scope import scope_of_launch
from dynamodb_pipeline.emr.preflight import buckets, cluster, permissions, tables
from dynamodb_pipeline.emr.preflight.check_result import (
    CheckResult,
    CheckVerdict,
    ImportInput,
    failed,
    run_check,
    skipped,
    unknown,
)
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.settings.job_options import TABLE_EXTERNAL_ID, TABLE_ROLE_ARN
from dynamodb_pipeline.settings.run_commands import table_policy_command, trust_command, with_commands

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef


@dataclass(frozen=True)
class PreflightScope:
    """
    What is checked: the settings, and for a new cluster its config and request.

    Attributes:
        source: what an import will read; None for other jobs.
        other_config: the command that runs on another type; a remedy.
    """

    settings: LaunchSettings
    config: ClusterConfig | None
    request: dict[str, Any] | None
    source: ImportInput | None = None
    other_config: str = "the same command with --config m5"


def preflight(scope: PreflightScope, clients: Clients) -> list[CheckResult]:
    """Run every check and return the results in the order of a run; only missing credentials end it early."""
    places = scope.settings.places
    return [replace(result, remedy=with_commands(result.remedy, places)) for result in _results(scope, clients)]


def _results(scope: PreflightScope, clients: Clients) -> list[CheckResult]:
    credentials, caller = permissions.check_credentials(clients.client("sts"), clients.client("iam"))
    if caller is None:
        return [credentials]
    cluster_checks = _cluster_checks if scope.config and scope.request else _standing_checks
    return [
        credentials,
        *_table_checks(scope, clients, caller),
        *_bucket_checks(scope, clients, caller),
        *cluster_checks(scope, clients, caller),
    ]


def _table_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    settings, dynamodb = scope.settings, clients.client("dynamodb")
    role, refused = _table_role_check(scope, clients, caller), False
    if role is not None:
        yield role
        refused = role.verdict is CheckVerdict.FAILED
    for table_name in settings.table_names:
        name = f"table {table_name}"
        if refused:
            yield skipped(name, "the role cannot be taken", see="table-role")
        else:
            yield run_check(name, lambda at=table_name: _table_check(scope, clients, caller, at))  # type: ignore[misc]
    if scope.source is not None:
        target = tables.ImportTarget(dynamodb, settings.table_names[0], scope.source, settings.region)
        yield run_check("manifest", lambda: buckets.check_manifest(target.source.find))
        yield run_check("key-schema", lambda: tables.check_key_schema(target))
        yield run_check("definition", lambda: tables.check_definition(target, clients.client("s3")))


def _table_role_check(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> CheckResult | None:
    """None where the tables are asked in the caller's own name."""
    given, settings = scope.settings.jobs[0].given, scope.settings
    arn = given.text(TABLE_ROLE_ARN)
    if arn is None:
        return None
    role = TableRole(arn, given.text(TABLE_EXTERNAL_ID))
    command = trust_command(caller.account, verb=settings.verb, region=settings.region)
    own = "what this prints allows it: {policy launcher}"
    access = permissions.TableAccess(clients.client("iam"), caller, command, own=own)
    return run_check("table-role", lambda: permissions.check_table_role(clients.client("sts"), access, role=role))


def _table_check(scope: PreflightScope, clients: Clients, caller: permissions.Caller, table: str) -> CheckResult:
    """The table itself; of one of another account that may not be described, whose policy does not allow it."""
    from botocore.exceptions import ClientError

    settings, given = scope.settings, scope.settings.jobs[0].given
    name, role = f"table {table}", given.text(TABLE_ROLE_ARN)
    try:
        return tables.check_table(clients.client("dynamodb"), table, verb=settings.verb, region=settings.region)
    except ClientError as err:
        if role is not None and error_code(err) in DENIED:
            detail, kind = (
                f"{role} may not describe it",
                "table-import" if settings.verb == "import" else "table-export",
            )
            remedy = f"the role needs, in its own account, what this prints: {{policy {kind}}}"
            return failed(name, detail, remedy=remedy, exit_code=ExitCode.DENIED)
        if not tables.may_not_look(err, table):
            raise
        command = table_policy_command(table, given, account=caller.account, verb=settings.verb)
        access, other = (
            permissions.TableAccess(clients.client("iam"), caller, command),
            "the table's own policy lacks it",
        )
        return access.refused(name, "dynamodb:DescribeTable", table, message=str(err), other_half=other)


def _bucket_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    settings, s3 = scope.settings, clients.client("s3")
    yield buckets.check_logs_uri(settings.logs_uri, data_uris=settings.data_uris)
    owner = settings.bucket_owner
    for place in _places(settings):
        yield run_check(
            f"bucket {place.bucket}",
            lambda at=place: buckets.check_bucket(  # type: ignore[misc]
                s3, at, region=settings.region, owner=owner
            ),
        )
        yield run_check(
            f"public access {place.bucket}",
            lambda at=place: buckets.check_public_access(s3, at, owner=owner),  # type: ignore[misc]
        )
    iam, code, logs = clients.client("iam"), settings.code, settings.logs
    yield run_check("launcher-files", lambda: buckets.check_launcher_objects(iam, caller, code=code, logs=logs))
    for folder in _written_folders(settings) if settings.probe_write else ():
        yield run_check(
            f"write {folder.uri}",
            lambda at=folder: buckets.check_probe_write(s3, at, owner=owner),  # type: ignore[misc]
        )


def _places(settings: LaunchSettings) -> list[S3Uri]:
    """One place in each bucket the run uses."""
    uris = [*settings.data_uris, settings.logs_uri, settings.code.uri]
    places = [S3Uri.of_folder(uri, option="folder") for uri in uris if uri.startswith("s3")]
    return list({place.bucket: place for place in places}.values())


def _written_folders(settings: LaunchSettings) -> list[S3Uri]:
    data = settings.data_uris if settings.verb == "export" else ()
    return [S3Uri.of_folder(uri, option="folder") for uri in (*data, settings.logs_uri, settings.code.uri)]


def _cluster_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    config, request = scope.config, scope.request
    assert config is not None
    assert request is not None
    emr, iam = clients.client("emr"), clients.client("iam")
    service, nodes = request["ServiceRole"], request["JobFlowRole"]
    security = request.get("SecurityConfiguration")
    yield cluster.check_tag(request)
    yield run_check("service-role", lambda: permissions.check_service_role(iam, service))
    yield run_check("cleanup-role", lambda: permissions.check_cleanup_role(iam, caller))
    yield run_check("node-role", lambda: permissions.check_node_role(iam, nodes))
    yield from _permission_checks(scope, clients, caller)
    yield run_check("security-config", lambda: cluster.check_security_configuration(emr, security))
    yield run_check("instance-type", lambda: cluster.check_label_offers_types(emr, config, region=clients.region))
    yield from _network_checks(scope, clients, caller)
    yield run_check("quota", lambda: cluster.check_quota(clients.client("service-quotas"), config))


def _standing_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    """Of a cluster that is there: the caller's rights on it, and those of its nodes."""
    cluster_id, region, iam = scope.settings.cluster_id or "", scope.settings.region, clients.client("iam")

    @cache
    def described() -> Any:
        return clients.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]

    def launcher() -> CheckResult:
        tags = cluster.tags_of(described())
        return permissions.check_standing_permissions(iam, caller, region=region, cluster_id=cluster_id, tags=tags)

    def nodes() -> CheckResult:
        profile = described().get("Ec2InstanceAttributes", {}).get("IamInstanceProfile", "").rpartition("/")[2]
        service = described().get("ServiceRole", "").rpartition("/")[2]
        if not profile or not service:
            remedy = f"look at its roles: aws emr describe-cluster --cluster-id {cluster_id} --region {region}"
            return unknown("node-permissions", f"DescribeCluster names no roles of {cluster_id}", remedy=remedy)
        role = permissions.check_node_role(iam, profile)
        if role.verdict is CheckVerdict.FAILED:
            return replace(role, name="node-permissions")
        return _node_permissions(scope, clients, caller, roles={"ServiceRole": service, "JobFlowRole": profile})

    yield run_check("permissions", launcher)
    yield run_check("node-permissions", nodes)


def _permission_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    settings, request, iam = scope.settings, scope.request or {}, clients.client("iam")
    service, profile = request["ServiceRole"], request["JobFlowRole"]

    def launcher() -> CheckResult:
        passed = {
            "elasticmapreduce.amazonaws.com": permissions.role_arn(iam, service),
            "ec2.amazonaws.com": permissions.role_of_profile(iam, profile),
        }
        group = settings.cluster.log_group
        return permissions.check_launch_permissions(iam, caller, region=settings.region, passed=passed, log_group=group)

    yield run_check("permissions", launcher)
    yield run_check("node-permissions", lambda: _node_permissions(scope, clients, caller, roles=request))


def _node_permissions(
    scope: PreflightScope, clients: Clients, caller: permissions.Caller, *, roles: dict[str, Any]
) -> CheckResult:
    """`roles` has ServiceRole and JobFlowRole, as a request names them."""
    settings, iam = scope.settings, clients.client("iam")
    keys = tables.key_arns(clients.client("dynamodb"), settings.table_names)
    granted = scope_of_launch(settings, roles, account=caller.account, partition=caller.partition, keys=keys)
    role_arn = permissions.role_of_profile(iam, roles["JobFlowRole"])
    return permissions.check_node_permissions(
        iam, role_arn=role_arn, scope=granted, verb=settings.verb, region=settings.region
    )


def _network_checks(scope: PreflightScope, clients: Clients, caller: permissions.Caller) -> Iterator[CheckResult]:
    config, request, region = scope.config, scope.request or {}, scope.settings.region
    assert config is not None
    ec2, iam, subnet_id = clients.client("ec2"), clients.client("iam"), request["Instances"].get("Ec2SubnetId")
    zone = {"region": region, "other_config": scope.other_config}
    if not subnet_id:
        yield run_check("subnet", lambda: cluster.check_default_vpc(ec2, region=region))
        yield run_check("instance-offering", lambda: cluster.check_zone(ec2, config, subnet=None, **zone))
        return
    described = cache(lambda: cluster.subnet_of(ec2, subnet_id))

    def checked(name: str, check: Callable[[SubnetTypeDef], CheckResult]) -> CheckResult:
        """A check of the subnet, skipped where there is none."""
        gone = skipped(name, f"subnet {subnet_id} does not exist", see="subnet")
        return run_check(name, lambda: check(subnet) if (subnet := described()) else gone)

    def rights(subnet: SubnetTypeDef) -> CheckResult:
        role_arn = permissions.role_arn(iam, request["ServiceRole"])
        parts = cluster.network_parts(ec2, subnet, caller=caller, region=region)
        return cluster.check_network_rights(iam, role_arn, parts, region=region)

    def endpoints(subnet: SubnetTypeDef) -> CheckResult:
        granted = scope_of_launch(scope.settings, request, account=caller.account, partition=caller.partition)
        wanted = permissions.node_actions(granted, verb=scope.settings.verb, region=region)
        needs = cluster.node_needs(region, partition=caller.partition, wanted=wanted)
        return cluster.check_endpoint_policies(ec2, subnet, needs)

    yield run_check("subnet", lambda: cluster.check_subnet(described(), subnet_id, config=config))
    yield checked("network-rights", rights)
    yield checked("vpc", lambda subnet: cluster.check_vpc(ec2, subnet, region=region))
    yield checked("routes", lambda subnet: cluster.check_routes(ec2, subnet, region=region))
    yield checked("endpoint-policies", endpoints)
    yield checked("instance-offering", lambda subnet: cluster.check_zone(ec2, config, subnet=subnet, **zone))


def failures(results: list[CheckResult]) -> list[CheckResult]:
    """The checks that refuse the run."""
    return [result for result in results if result.verdict is CheckVerdict.FAILED]
