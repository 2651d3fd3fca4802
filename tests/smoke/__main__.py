"""
`make test-aws`: the product on a real account, with one tiny table; says what it will make and what that costs.

    make test-aws REGION=eu-west-1 BUCKET=my-bucket                 prints, and makes nothing
    make test-aws REGION=eu-west-1 BUCKET=my-bucket CONFIRM=yes     does it, and removes all of it
    make test-aws ... CONFIG=m5 SUBNET=subnet-1 ROLES=service,export,import

Exit code 0: everything worked and is gone; 1: something did not, or is left; 3: nothing was made; 130: interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3

from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig, load_cluster_config
from dynamodb_pipeline.emr.plan.cost import load_prices, node_hour_usd
from dynamodb_pipeline.errors import PipelineError
from tests.smoke.account import Made, Names
from tests.smoke.report import Report
from tests.smoke.smoke import ITEMS, LAUNCH_S, LAUNCHES, Smoke
from tests.smoke.verbs import run_verb

FOLDER = Path(".build/test-aws")
NOTHING_MADE, FAILED, INTERRUPTED = 3, 1, 130


def variable(name: str) -> str:
    """A variable of `make`, as its user wrote it (see the Makefile); empty when not given."""
    return os.environ.get(f"PIPELINE_{name}", "").strip()


def main() -> int:
    region, bucket, config_name = variable("REGION"), variable("BUCKET"), variable("CONFIG") or "m3"
    roles = tuple(variable("ROLES").split(",")) if variable("ROLES") else None
    if not region or not bucket or (roles is not None and len(roles) != 3):
        return refused("give REGION and BUCKET (one of yours in it); ROLES, if any, are service,export,import")
    mark = f"dynamodb-pipeline-smoke-{datetime.now(timezone.utc):%Y%m%d%H%M%S}"
    names = Names(mark, region, bucket, roles, variable("SUBNET") or None)  # type: ignore[arg-type]
    try:
        config, prices = load_cluster_config(config_name, region=region, overrides=()), load_prices(region=region)
        hour_usd = node_hour_usd(config.groups, prices)
    except PipelineError as err:
        return refused(str(err))
    priced = f"list prices of {prices.date}, {prices.region}"
    for line in outline(names, config=config, hour_usd=hour_usd, prices=priced):
        print(line)
    if variable("CONFIRM") != "yes":
        return refused("with CONFIRM=yes all of this is made, used and removed again")
    problem = bucket_problem(names)
    if problem:
        return refused(problem)
    report = Report(region, config_name, config.release_label, priced)
    session: Any = boto3.session.Session(region_name=region)
    words = ("--config", config_name)
    made = Made(session.client, names)
    return done(Smoke(made, run_verb, report, config, prices, words, before_removal=hold_signals))


def outline(names: Names, *, config: ClusterConfig, hour_usd: float, prices: str) -> Iterator[str]:
    """What will be made, and its price."""
    nodes = ", ".join(f"{group.count} x {group.type_name}" for group in config.groups)
    each_usd = LAUNCH_S / 3600 * hour_usd
    yield f"In account of your credentials, region {names.region}, this makes, and removes when it is over:"
    yield f"- tables {' and '.join(names.tables)}: on demand, {len(ITEMS)} items, a few cents at the very most"
    if names.roles is None:
        service, export, imported = names.own_roles
        yield f"- stack {names.mark}: roles {service}, {export}, {imported}, a security configuration"
    yield f"- folder {names.folder}: code, exports, logs"
    where = names.subnet or "the default subnets"
    yield f"- the tag for-use-with-amazon-emr-managed-policies=true on {where} and the VPC, where it is missing"
    yield f"- {len(LAUNCHES)} clusters ({nodes}, {config.release_label}), one after another: {', '.join(LAUNCHES)}"
    yield (
        f"Price: about ${len(LAUNCHES) * each_usd:.2f}, {len(LAUNCHES)} clusters of {LAUNCH_S / 60:.0f} minutes at "
        f"${hour_usd:.3f} an hour ({prices}); takes about {len(LAUNCHES) * LAUNCH_S / 60:.0f} minutes"
    )
    yield (
        "What EMR itself makes once for an account or VPC stays, and is free: the role AWSServiceRoleForEMRCleanup and "
        "the security groups ElasticMapReduce-*"
    )


def bucket_problem(names: Names) -> str:
    """Why the bucket cannot be used; asked before anything is made."""
    from botocore.exceptions import BotoCoreError, ClientError

    session: Any = boto3.session.Session(region_name=names.region)
    try:
        reply = session.client("s3").head_bucket(Bucket=names.bucket)
    except (BotoCoreError, ClientError) as err:
        return f"bucket {names.bucket}: {err}; give BUCKET, which is there and yours"
    where = reply.get("BucketRegion") or reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return f"bucket {names.bucket} lies in {where}: give one in {names.region}" if where != names.region else ""


def done(smoke: Smoke) -> int:
    """Run it and write the report, whatever comes; Ctrl-C and SIGTERM end the steps, never the removal."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job would not hear the first
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # the report says so
        smoke.run()
    report = smoke.report
    path = report.write(FOLDER)
    print(f"{report.verdict}; report: {path}")
    if report.interrupted:
        return INTERRUPTED
    return 0 if report.is_good else FAILED


def hold_signals() -> None:
    """From here on nothing stops it but its end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: print("what was made is being removed; let it end", file=sys.stderr))


def refused(why: str) -> int:
    print(f"nothing was made: {why}", file=sys.stderr)
    return NOTHING_MADE


if __name__ == "__main__":
    sys.exit(main())
