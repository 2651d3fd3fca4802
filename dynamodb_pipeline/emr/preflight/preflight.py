"""
Looks at everything a run needs before anything is started. Read-only, except for `--probe-write`.

Each check stands for itself: one that may not look is `unknown` and does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.preflight import buckets, cluster, permissions, tables
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, CheckVerdict, ExportSource, run_check
from dynamodb_pipeline.emr.request.launch_settings import LaunchSettings
from dynamodb_pipeline.settings.run_commands import with_commands

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient


@dataclass(frozen=True)
class PreflightScope:
    """
    What is checked: the settings, and for a new cluster its config and request.

    Attributes:
        source: finds what an import will read, as its job does, and raises what the job would; None for other jobs.
    """

    settings: LaunchSettings
    config: ClusterConfig | None
    request: dict[str, Any] | None
    source: Callable[[], ExportSource] | None = None


def preflight(scope: PreflightScope, clients: Clients) -> list[CheckResult]:
    """Run every check and return the results in the order of a run; only missing credentials end it early."""
    places = scope.settings.places
    return [replace(result, remedy=with_commands(result.remedy, places)) for result in _results(scope, clients)]


def _results(scope: PreflightScope, clients: Clients) -> list[CheckResult]:
    credentials, caller = permissions.check_credentials(clients.client("sts"))
    if caller is None:
        return [credentials]
    return [
        credentials,
        *_table_checks(scope, clients),
        *_bucket_checks(scope, clients),
        *(_cluster_checks(scope, clients, caller) if scope.config and scope.request else ()),
    ]


def _table_checks(scope: PreflightScope, clients: Clients) -> Iterator[CheckResult]:
    settings, dynamodb = scope.settings, clients.client("dynamodb")
    for table_name in settings.table_names:
        yield run_check(
            f"table {table_name}",
            lambda name=table_name: tables.check_table(  # type: ignore[misc]
                dynamodb, name, verb=settings.verb, region=settings.region
            ),
        )
    if scope.source is not None:
        find, table_name = scope.source, settings.jobs[0].table_name
        yield run_check("manifest", lambda: buckets.check_manifest(find))
        yield run_check("key-schema", lambda: tables.check_key_schema(dynamodb, table_name, find))


def _bucket_checks(scope: PreflightScope, clients: Clients) -> Iterator[CheckResult]:
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
    for folder in _written_folders(settings) if settings.probe_write else ():
        yield buckets.check_probe_write(s3, folder, owner=owner)


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
    emr, iam, ec2 = clients.client("emr"), clients.client("iam"), clients.client("ec2")
    service, nodes = request["ServiceRole"], request["JobFlowRole"]
    security = request.get("SecurityConfiguration")
    yield cluster.check_tag(request)
    yield run_check("service-role", lambda: permissions.check_service_role(iam, service))
    yield run_check("node-role", lambda: permissions.check_node_role(iam, nodes))
    yield from _permission_checks(scope.settings, iam, caller, service=service, profile=nodes)
    yield run_check("security-config", lambda: cluster.check_security_configuration(emr, security))
    yield run_check("instance-type", lambda: cluster.check_label_offers_types(emr, config))
    yield from _place_checks(ec2, config, request, region=scope.settings.region)
    yield run_check("quota", lambda: cluster.check_quota(clients.client("service-quotas"), config))


def _permission_checks(
    settings: LaunchSettings, iam: IAMClient, caller: permissions.Caller, *, service: str, profile: str
) -> Iterator[CheckResult]:
    def launcher() -> CheckResult:
        passed = {
            "elasticmapreduce.amazonaws.com": permissions.role_arn(iam, service),
            "ec2.amazonaws.com": permissions.role_of_profile(iam, profile),
        }
        return permissions.check_launch_permissions(iam, caller, region=settings.region, passed=passed)

    def nodes() -> CheckResult:
        return permissions.check_node_permissions(
            iam,
            caller,
            role_arn=permissions.role_of_profile(iam, profile),
            verb=settings.verb,
            region=settings.region,
            tables=settings.table_names,
        )

    yield run_check("permissions", launcher)
    yield run_check("node-permissions", nodes)


def _place_checks(
    ec2: EC2Client, config: ClusterConfig, request: dict[str, Any], *, region: str
) -> Iterator[CheckResult]:
    subnet_id = request["Instances"].get("Ec2SubnetId")
    if subnet_id:
        yield run_check("subnet", lambda: cluster.check_subnet(ec2, subnet_id, config=config))
        yield run_check("routes", lambda: cluster.check_routes(ec2, subnet_id, region=region))
    yield run_check(
        "instance-offering",
        lambda: cluster.check_zone_offers_types(ec2, config, zone=cluster.zone_of(ec2, subnet_id)),
    )


def failures(results: list[CheckResult]) -> list[CheckResult]:
    """The checks that refuse the run."""
    return [result for result in results if result.verdict is CheckVerdict.FAILED]
