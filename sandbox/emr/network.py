"""
What EMR's nodes need of their network to come up: names in the VPC, and ways to S3 and DynamoDB that let packages pass.

EMR Management Guide, "Create a VPC to host clusters" and "Minimum Amazon S3 policy for private subnet". moto keeps the
network; AWS finds out when a node does not come up, after up to an hour, and the sandbox at once.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.emr.policy_judge import ALLOWED, decision

SERVICES = ("s3", "dynamodb")


def problem(ec2: Any, subnet: Any) -> str | None:
    """Return what keeps nodes of a subnet of moto's `ec2` from coming up, None for nothing."""
    vpc = ec2.vpcs[subnet.vpc_id]
    if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        return "names of the VPC"
    table = _route_table(ec2, subnet)
    endpoints = [one for one in ec2.vpc_end_points.values() if table.id in (one.route_table_ids or [])]
    leads_out = any(route.destination_cidr_block == "0.0.0.0/0" for route in table.routes)
    missing = {*SERVICES} - {_service(one) for one in endpoints}
    if missing and not leads_out:
        return f"a way to {', '.join(sorted(missing))}"
    blind = [one for one in endpoints if _service(one) == "s3" and not _gives_packages(one, ec2.region_name)]
    return "packages through the endpoint of S3" if blind else None


def _route_table(ec2: Any, subnet: Any) -> Any:
    own = ec2.describe_route_tables(filters={"association.subnet-id": subnet.id})
    main = {"vpc-id": subnet.vpc_id, "association.main": "true"}
    return (own or ec2.describe_route_tables(filters=main))[0]


def _service(endpoint: Any) -> str:
    return str(endpoint.service_name).rpartition(".")[2]


def _gives_packages(endpoint: Any, region: str) -> bool:
    policy = json.loads(endpoint.policy_document)
    wanted = f"arn:aws:s3:::al2023-repos-{region}-de612dc2/example"
    return decision([policy], "s3:GetObject", resource=wanted, context={}) == ALLOWED
