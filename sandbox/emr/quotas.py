"""Service Quotas for what a launch asks: how many vCPUs of running on-demand instances. moto has no quotas of EC2."""

from __future__ import annotations

import json

from sandbox.emr.protocol import Request

VCPU_QUOTA = ("ec2", "L-1216C47A")  # Service Quotas: Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
JSON_1_1 = "application/x-amz-json-1.1"


def answer(request: Request, *, vcpu_quota: float) -> tuple[str, bytes] | None:
    """Return the reply's content type and body, None for a quota that is moto's to know."""
    asked = request.json()
    if (asked.get("ServiceCode"), asked.get("QuotaCode")) != VCPU_QUOTA:
        return None
    quota = {
        "ServiceCode": VCPU_QUOTA[0],
        "QuotaCode": VCPU_QUOTA[1],
        "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        "Value": vcpu_quota,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
    return JSON_1_1, json.dumps({"Quota": quota}).encode()
