"""
`doctor` and `init`: what this machine needs before the first run, and a first pipeline.toml.

Both only look; `init` writes one file, and never over another.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dynamodb_pipeline.addresses import S3Uri, table_name
from dynamodb_pipeline.aws.clients import AwsClients, Clients, NoRegionError, regionless_clients
from dynamodb_pipeline.cli.launcher_options import SETTINGS, SETTINGS_FILE
from dynamodb_pipeline.dynamodb.table import table_names
from dynamodb_pipeline.emr.preflight.buckets import check_bucket
from dynamodb_pipeline.emr.preflight.check_result import (
    CheckResult,
    CheckVerdict,
    failed,
    ok,
    overall,
    run_check,
    table_lines,
    warning,
)
from dynamodb_pipeline.errors import DeniedError, ExitCode, PreconditionError, UsageError
from dynamodb_pipeline.output import Lines, Result
from dynamodb_pipeline.settings.job_options import LOGS, OUTPUT, TABLE
from dynamodb_pipeline.settings.run_commands import PolicyPlaces, with_commands
from dynamodb_pipeline.workers.spark_session import find_jar, java_version

WITHOUT_JAVA = "--local --engine process needs none, nor does a cluster; for --local with Spark install Java 17"
LISTING = "only patterns in --table need it; `dynamodb-pipeline policy launcher --help` says how it is allowed"
REPORT_LIBRARIES = ("jinja2", "matplotlib")
DISK_GIB_WANTED = 2  # data files wait on the local disk, up to 128 MiB for each of a few tasks
JAVA_TIMEOUT_S = 20
REGION_REMEDY = "give --region, or set AWS_REGION"
# botocore's names of where it has keys from, of those that say little by themselves.
KEYS_FROM = {
    "env": "AWS_ACCESS_KEY_ID",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "iam-role": "the role of this instance",
    "container-role": "the role of this container",
    "assume-role": "an assumed role",
    "sso": "single sign-on",
}


def examine(region: str | None) -> Result:
    """Look at this machine and say what is there and what is not."""
    results = [check() for check in (_python, _java, _jar, _disk, _report_libraries)]
    results += _aws(region)
    document = {"kind": "doctor", "exit_code": int(overall(results)), "checks": [one.to_json() for one in results]}
    return Result(document, tuple(table_lines(results)))


def _python() -> CheckResult:
    version = ".".join(map(str, sys.version_info[:3]))
    return ok("python", f"{version} at {sys.executable}")


def _java() -> CheckResult:
    try:
        return ok("java", java_version(timeout_s=JAVA_TIMEOUT_S))
    except (PreconditionError, OSError, subprocess.SubprocessError) as err:
        return warning("java", str(err).partition(";")[0], remedy=WITHOUT_JAVA)


def _jar() -> CheckResult:
    try:
        return ok("connector jar", find_jar(None))
    except PreconditionError as err:
        remedy = "only --local with Spark needs it: `make setup` in a checkout, or --connector-jar"
        return warning("connector jar", str(err).partition(";")[0], remedy=remedy)


def _disk() -> CheckResult:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 2**30
    if free >= DISK_GIB_WANTED:
        return ok("disk", f"{free:.1f} GiB free in {folder}")
    remedy = "free some, or set TMPDIR to another disk: data files wait there while they are written"
    return warning("disk", f"{free:.1f} GiB free in {folder}, {DISK_GIB_WANTED} wanted", remedy=remedy)


def _report_libraries() -> CheckResult:
    missing = [name for name in REPORT_LIBRARIES if find_spec(name) is None]
    if not missing:
        return ok("report page", f"{' and '.join(REPORT_LIBRARIES)} are there")
    detail = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    return warning("report page", detail, remedy=f"only `report` needs it: pip install {' '.join(missing)}")


def _aws(region: str | None) -> Iterable[CheckResult]:
    try:
        clients = AwsClients(region)
    except NoRegionError:
        yield failed("region", "none is given or configured", remedy=REGION_REMEDY, exit_code=ExitCode.USAGE)
        yield _credentials(regionless_clients(None))
        return
    except UsageError as err:
        yield failed("region", str(err), remedy=REGION_REMEDY, exit_code=ExitCode.USAGE)
        return
    except DeniedError as err:
        yield failed("credentials", str(err), remedy="set a profile, environment or role", exit_code=ExitCode.DENIED)
        return
    yield ok("region", clients.region)
    known = _credentials(clients)
    yield known
    if known.verdict is CheckVerdict.OK:
        yield run_check("tables", lambda: _tables_of(clients), remedy=LISTING)


def _tables_of(clients: Clients) -> CheckResult:
    return ok("tables", f"{len(table_names(clients))} in {clients.region}")


def _credentials(clients: AwsClients) -> CheckResult:
    """Whose they are and where they come from; nothing at all can be asked without them."""
    known = run_check("credentials", lambda: _caller(clients))
    if known.verdict is not CheckVerdict.UNKNOWN:
        return known
    remedy = "aws configure, AWS_PROFILE, or a role of this machine; then doctor again"
    return failed("credentials", known.detail, remedy=remedy, exit_code=ExitCode.DENIED)


def _caller(clients: AwsClients) -> CheckResult:
    said, source = clients.client("sts").get_caller_identity(), clients.credentials().method
    where = KEYS_FROM.get(source, source)
    return ok("credentials", f"{said['Arn']} (keys from {where}; asked of STS in {clients.region})")


@dataclass(frozen=True)
class FirstSettings:
    """What `init` writes; None and () where nobody said it yet."""

    region: str
    tables: tuple[str, ...] = ()
    output: str | None = None
    logs: str | None = None
    percent: str = "25"


def write_settings(
    path: Path, given: FirstSettings, clients: Clients, lines: Lines, *, ask: Callable[[str], str] | None
) -> Result:
    """
    Write a commented settings file of what was given, and of the answers of who is asked for the rest.

    Args:
        ask: puts a question and returns the answer; None where nobody is there.

    Raises:
        UsageError: something is missing and nobody can be asked.
        PreconditionError: the file is there, a table is not, or the bucket cannot be used.
    """
    if path.exists():
        msg = f"{path} is there already; give --to another file, or edit it"
        raise PreconditionError(msg)
    names = _tables_there(clients)
    given = _answered(given, names, ask)
    own = {name for name in given.tables if name == table_name(name)}  # another account's are not in the list
    missing = sorted(own - {*names}) if names else []
    if missing:
        msg = f"no table {', '.join(missing)} in {given.region}; there are: {', '.join(names)}"
        raise PreconditionError(msg)
    place = S3Uri.of_folder(str(given.output), option=str(OUTPUT))
    bucket = run_check(
        f"bucket {place.bucket}", lambda: check_bucket(clients.client("s3"), place, region=given.region, owner=None)
    )
    if bucket.verdict is CheckVerdict.FAILED:
        logs = S3Uri.of_folder(str(given.logs), option=str(LOGS))
        remedy = with_commands(bucket.remedy, PolicyPlaces(given.tables, place, logs, given.region))
        msg = f"{bucket.detail}; {remedy}"
        raise PreconditionError(msg)
    lines.say_all(table_lines([bucket]))
    path.write_text(settings_text(given), encoding="utf-8")
    document = {"kind": "init", "exit_code": 0, "path": str(path), "tables": list(given.tables)}
    more = "" if str(path) == SETTINGS_FILE else f" {SETTINGS} {shlex.quote(str(path))}"
    words = (f"next: dynamodb-pipeline preflight export{more}", f"then: dynamodb-pipeline plan export{more}")
    return Result(document, (f"wrote {path}", *words))


def _tables_there(clients: Clients) -> list[str]:
    """The region's tables; none where they may not be listed, which is no reason to write nothing."""
    names: list[str] = []

    def look() -> CheckResult:
        names.extend(table_names(clients))
        return ok("tables", "")

    run_check("tables", look)
    return names


def _answered(given: FirstSettings, names: list[str], ask: Callable[[str], str] | None) -> FirstSettings:
    said = f" (there are: {', '.join(names)})" if names else ""
    tables = given.tables or tuple(_answer(ask, f"tables to export{said}", str(TABLE), "").replace(",", " ").split())
    output = given.output or _answer(ask, "S3 folder for exports, s3://bucket/folder", str(OUTPUT), "")
    if not tables or not output:
        msg = "an export needs at least one table and an S3 folder: give --table and --output"
        raise UsageError(msg)
    bucket = S3Uri.of_folder(output, option=str(OUTPUT)).bucket
    beside = f"s3://{bucket}/logs"
    logs = given.logs or (beside if ask is None else _answer(ask, "S3 folder for logs", str(LOGS), beside))
    return FirstSettings(given.region, tables, output, logs, given.percent)


def _answer(ask: Callable[[str], str] | None, question: str, option: str, default: str) -> str:
    if ask is None:
        msg = f"{option} is missing, and nobody is there to be asked: {question}"
        raise UsageError(msg)
    return ask(f"{question}{f' [{default}]' if default else ''}:").strip() or default


def settings_text(given: FirstSettings) -> str:
    """The file, with a comment for each line that one may want to change."""
    tables = ", ".join(f'"{name}"' for name in given.tables)
    return f"""\
# Settings of dynamodb-pipeline: any option of the command line, without its dashes. Flags win.
region = "{given.region}"

# Run records, ledgers and EMR's logs. Without it nothing can be resumed.
logs = "{given.logs}"

# Percent of each table's capacity, 1 to 150; what is left is for your application.
throughput-percent = "{given.percent}"

# m3 (what AWS Data Pipeline started), m5 for regions without m3, large for a TiB and more.
# config = "m5"

# Refuse a run whose estimate is above this many US dollars.
# max-cost = "5.00"

[export]
table = [{tables}]
output = "{given.output}"

# [import]
# table = "{given.tables[0]}"
# input = "{given.output}"
"""
