"""What a policy is limited to: account, tables, folders, keys, roles; and the ARNs that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dynamodb_pipeline.addresses import BUCKET, TABLE_NAME, S3Uri, table_name
from dynamodb_pipeline.emr.request.launch_settings import LOG_GROUP_OPTION, LOG_KEY_OPTION, LaunchSettings
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.job_options import (
    INDEX,
    MIRROR,
    ONLY_CHANGES,
    SET_ASIDE,
    SKIP_EXISTING,
    SSE_KMS_KEY_ID,
    TABLE_ROLE_ARN,
)
from dynamodb_pipeline.settings.rows import Row
from dynamodb_pipeline.settings.values import (
    ACCOUNT,
    EXTERNAL_ID,
    ROLE_ARN,
    is_pattern,
    literal_prefixes,
)

KEY_OPTION = "--kms-key"  # of `policy`, as the command line has it
# The example of the AWS page that this tool replaces.
EXAMPLE_TABLES = ("Forum", "Thread", "Reply")

# CloudFormation's own, in the place of values that it knows itself.
CLOUDFORMATION_ACCOUNT = "${AWS::AccountId}"
CLOUDFORMATION_REGION = "${AWS::Region}"
CLOUDFORMATION_PARTITION = "${AWS::Partition}"

# What AWS's host names and service principals end in, by partition; botocore's partitions.json, `dnsSuffix`.
SUFFIXES = {
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    CLOUDFORMATION_PARTITION: "${AWS::URLSuffix}",
}

# Names as their services take them, beside those of settings/values.py; none may hold a wildcard or a variable of IAM.
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}")
PARTITION = re.compile(r"aws(-[a-z]+)*")
TABLE_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,255}")
PRINCIPAL_ARN = re.compile(ROLE_ARN.pattern.replace(":role/", ":(?:role|user)/"))
ROLE = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
KMS_KEY = re.compile(r"arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}")


def iam_literal(text: str) -> str:
    """
    The text as IAM matches it to the letter: in resources and conditions `*`, `?` and `$` mean more than themselves.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return re.sub(r"[*?$]", lambda char: f"${{{char[0]}}}", text)


@dataclass(frozen=True)
class PolicyScope:
    """
    Names and places a policy allows; nothing outside them.

    Attributes:
        tables: names of tables of the account, ARNs of those of others.
        table_prefixes: beginnings of names; every table whose name begins so is allowed.
        data: folder of the exports (written by an export, read by an import).
        logs: folder of logs and run records; `code` of the uploaded code.
        kms_key_arns: keys of the buckets and tables, when they use their own.
        log_key_arns: keys of EMR's logs.
        log_group: of CloudWatch Logs that steps' logs go to as well.
        skip_existing, mirror, only_changes, set_aside: options of an import that need more rights.
        index: of an export that reads it.
        table_role_arn: role in whose name the tables are asked; then nobody else needs a right on them.
        for_account: the other account, to which a role, a table, a bucket or a key is opened; `external_id` with it.
        principals: ARNs of its roles and users, where it is opened to those alone.
        for_import: a table is opened to imports, not to exports and verifications.
    """

    account: str
    region: str
    tables: tuple[str, ...]
    data: S3Uri
    logs: S3Uri
    code: S3Uri
    partition: str = "aws"
    table_prefixes: tuple[str, ...] = ()
    kms_key_arns: tuple[str, ...] = ()
    log_key_arns: tuple[str, ...] = ()
    log_group: str | None = None
    service_role: str = "dynamodb-pipeline-service"
    export_role: str = "dynamodb-pipeline-export"
    import_role: str = "dynamodb-pipeline-import"
    skip_existing: bool = False
    mirror: bool = False
    only_changes: bool = False
    set_aside: S3Uri | None = None
    index: str | None = None
    table_role_arn: str | None = None
    for_account: str | None = None
    external_id: str | None = None
    principals: tuple[str, ...] = ()
    for_import: bool = False

    def __post_init__(self) -> None:
        """
        Raises:
            UsageError: names that are none; every one, with what is taken.
        """
        problems = list(self._problems())
        if problems:
            raise UsageError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        roles = [self.service_role, self.export_role, self.import_role]
        places = [place for place in (self.data, self.logs, self.code, self.set_aside) if place]
        named = (
            ("account", [self.account], ACCOUNT, "12 digits", {"", CLOUDFORMATION_ACCOUNT}),
            ("region", [self.region], REGION, "such as eu-west-1", {CLOUDFORMATION_REGION}),
            ("partition", [self.partition], PARTITION, "such as aws-cn", {CLOUDFORMATION_PARTITION}),
            ("table", map(table_name, self.tables), TABLE_NAME, "3 to 255 of a-z A-Z 0-9 _ - .", set[str]()),
            ("index", [self.index] if self.index else [], TABLE_NAME, "3 to 255 of a-z A-Z 0-9 _ - .", set[str]()),
            ("table prefix", self.table_prefixes, TABLE_PREFIX, "1 to 255 of a-z A-Z 0-9 _ - .", set[str]()),
            ("role", roles, ROLE, "1 to 64 of A-Z a-z 0-9 + = , . @ _ -", set[str]()),
            (
                "KMS key",
                (*self.kms_key_arns, *self.log_key_arns),
                KMS_KEY,
                "arn:aws:kms:REGION:ACCOUNT:key/ID",
                set[str](),
            ),
            ("other account", [self.for_account or ""], ACCOUNT, "12 digits", {""}),
            ("table role", [self.table_role_arn or ""], ROLE_ARN, "arn:aws:iam::ACCOUNT:role/NAME", {""}),
            ("principal", self.principals, PRINCIPAL_ARN, "arn:aws:iam::ACCOUNT:role/NAME or user/NAME", set[str]()),
            ("external id", [self.external_id or ""], EXTERNAL_ID, "2 to 1224 characters without blanks", {""}),
            ("bucket", [place.bucket for place in places], BUCKET, "a bucket's name", set[str]()),
        )
        elsewhere = [arn for arn in self.other_table_arns if arn.split(":")[3] != self.region != CLOUDFORMATION_REGION]
        yield from (f"table {arn} is not in {self.region}, the one region that a policy is of" for arn in elsewhere)
        for kind, names, form, meant, besides in named:
            for name in names:
                if name not in besides and not form.fullmatch(name):
                    yield f"{kind} {name[:100]!r} is none: it is {meant}"

    @property
    def suffix(self) -> str:
        """What AWS's host names and service principals end in here."""
        return SUFFIXES.get(self.partition, "amazonaws.com")

    @property
    def table_arns(self) -> list[str]:
        """Of the account's own tables."""
        place = f"arn:{self.partition}:dynamodb:{self.region}:{self.account}"
        names = [table for table in self.tables if table == table_name(table)]
        return [f"{place}:table/{name}" for name in (*names, *(f"{prefix}*" for prefix in self.table_prefixes))]

    @property
    def other_table_arns(self) -> list[str]:
        """Of the tables of other accounts."""
        return [table for table in self.tables if table != table_name(table)]

    @property
    def index_arns(self) -> list[str]:
        """The index of every table, where one is read: IAM takes it for a resource of its own."""
        return [f"{arn}/index/{self.index}" for arn in self.table_arns + self.other_table_arns] if self.index else []

    def seen_from_another_account(self) -> PolicyScope:
        """The same with every table named by its ARN."""
        own = replace(self, table_prefixes=()).table_arns
        return replace(self, tables=(*own, *self.other_table_arns), table_prefixes=())

    @property
    def cluster_arn(self) -> str:
        return f"arn:{self.partition}:elasticmapreduce:{self.region}:{self.account}:cluster/*"

    @property
    def stacks_arn(self) -> str:
        """Every stack: the one of a schedule has the name that whoever deployed it chose."""
        return f"arn:{self.partition}:cloudformation:{self.region}:{self.account}:stack/*"

    @property
    def log_group_arns(self) -> list[str]:
        """The log group itself, and all in it; none where logs go to S3 alone."""
        place = f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{self.log_group}"
        return [place, f"{place}:*"] if self.log_group else []

    def role_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def bucket_arn(self, place: S3Uri) -> str:
        return f"arn:{self.partition}:s3:::{place.bucket}"

    def objects_arn(self, place: S3Uri) -> str:
        return f"{self.bucket_arn(place)}/{iam_literal(place.folder.key)}*"


def scope_of_launch(
    settings: LaunchSettings,
    request: Mapping[str, Any],
    *,
    account: str = "",
    partition: str = "aws",
    keys: tuple[str, ...] = (),
) -> PolicyScope:
    """
    What one launch uses, no more: its tables and folders, the roles of its request, the options of its jobs.

    Args:
        keys: KMS keys of its tables.
    """
    given, nodes = settings.jobs[0].given, request["JobFlowRole"]
    aside, bucket_key = given.text(SET_ASIDE), given.text(SSE_KMS_KEY_ID)
    log_key = settings.cluster.log_kms_key_arn
    data = settings.data_uris[0] if settings.data_uris else settings.logs.uri
    return PolicyScope(
        account=account,
        region=settings.region,
        tables=tuple(name for name in settings.table_names if not is_pattern(name)),
        table_prefixes=literal_prefixes(settings.table_names),
        data=S3Uri.of_folder(data, option="data folder"),
        logs=settings.logs,
        code=settings.code,
        partition=partition,
        kms_key_arns=(*keys, *([bucket_key] if bucket_key and KMS_KEY.fullmatch(bucket_key) else ())),
        log_key_arns=(log_key,) if log_key and KMS_KEY.fullmatch(log_key) else (),
        log_group=settings.cluster.log_group,
        service_role=request["ServiceRole"],
        export_role=nodes,
        import_role=nodes,
        skip_existing=SKIP_EXISTING in given,
        mirror=MIRROR in given,
        only_changes=ONLY_CHANGES in given,
        index=given.text(INDEX),
        set_aside=S3Uri.of_folder(aside, option=SET_ASIDE.name) if aside else None,
        table_role_arn=given.text(TABLE_ROLE_ARN),
    )


def import_flags(scope: PolicyScope) -> dict[Row[bool], bool]:
    """The options of an import that need more rights, and whether they are given."""
    return {SKIP_EXISTING: scope.skip_existing, MIRROR: scope.mirror, ONLY_CHANGES: scope.only_changes}


def scope_options(scope: PolicyScope) -> list[str]:
    """The options of `policy` that a scope asks for beyond tables and folders."""
    flags = import_flags(scope)
    keys = [
        *((KEY_OPTION, key) for key in scope.kms_key_arns),
        *((LOG_KEY_OPTION, key) for key in scope.log_key_arns),
        *([(LOG_GROUP_OPTION, scope.log_group)] if scope.log_group else []),
    ]
    aside = [(SET_ASIDE.name, scope.set_aside.uri)] if scope.set_aside else []
    aside += [(INDEX.name, scope.index)] if scope.index else []
    aside += [(TABLE_ROLE_ARN.name, scope.table_role_arn)] if scope.table_role_arn else []
    return [
        *(row.name for row, is_set in flags.items() if is_set),
        *(text for pair in (*aside, *keys) for text in pair),
    ]
