"""Turns the parsed options of `policy` and `schedule` into what those commands take."""

from __future__ import annotations

import argparse
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.commands.documents import PolicyQuery
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, PolicyScope
from dynamodb_pipeline.emr.documents.schedules import Schedule, schedule_expression
from dynamodb_pipeline.errors import UsageError


def schedule_of(args: argparse.Namespace, *, kind: str, table: str) -> Schedule:
    """
    Raises:
        UsageError: no or an unusable `--cron`.
    """
    if not args.cron:
        msg = "schedule needs --cron, e.g. --cron 'cron(0 3 * * ? *)'"
        raise UsageError(msg)
    name = args.schedule_name or f"{kind}-{table}".replace(".", "-")[:41]
    return Schedule(name, schedule_expression(args.cron), timezone=args.timezone, email=args.email)


def policy_query(args: argparse.Namespace, *, account: str, region: str) -> PolicyQuery:
    """
    What to print; `account` and `region` are those of the credentials, used unless options say otherwise.

    Raises:
        UsageError: no bucket.
    """
    if not args.bucket:
        msg = "policy needs --bucket (and --prefix) of the exports"
        raise UsageError(msg)
    logs = S3Uri.of_folder(args.logs or f"s3://{args.bucket}/logs", option="--logs")
    scope = PolicyScope(
        account=args.account or account,
        region=args.region or region,
        partition=_partition(args.region or region),
        tables=tuple(args.table) or EXAMPLE_TABLES,
        data=S3Uri(args.bucket, args.prefix.strip("/")),
        logs=logs,
        code=S3Uri.of_folder(args.code, option="--code") if args.code else logs.child("code"),
        **_policy_details(args),
    )
    return PolicyQuery(kind=args.policy_kind, scope=scope, trust=args.trust)


def _policy_details(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "kms_key_arns": tuple(args.kms_key),
        "service_role": args.service_role,
        "export_role": args.export_role,
        "import_role": args.import_role,
        "skip_existing": args.skip_existing,
        "mirror": args.mirror,
        "set_aside": S3Uri.of_folder(args.set_aside, option="--set-aside") if args.set_aside else None,
    }


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
