"""What a policy is limited to: account, tables, folders, keys, roles; and the ARNs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_pipeline.addresses import S3Uri

# The example of the AWS page that this tool replaces.
EXAMPLE_TABLES = ("Forum", "Thread", "Reply")


@dataclass(frozen=True)
class PolicyScope:
    """
    Names and places a policy allows; nothing outside them.

    Attributes:
        data: folder of the exports (written by an export, read by an import).
        logs: folder of logs and run records; `code` of the uploaded code.
        kms_key_arns: keys of the buckets, when they use their own.
        skip_existing, mirror, set_aside: options of an import that need more rights.
    """

    account: str
    region: str
    tables: tuple[str, ...]
    data: S3Uri
    logs: S3Uri
    code: S3Uri
    partition: str = "aws"
    kms_key_arns: tuple[str, ...] = ()
    service_role: str = "dynamodb-pipeline-service"
    export_role: str = "dynamodb-pipeline-export"
    import_role: str = "dynamodb-pipeline-import"
    skip_existing: bool = False
    mirror: bool = False
    set_aside: S3Uri | None = None

    @property
    def table_arns(self) -> list[str]:
        place = f"arn:{self.partition}:dynamodb:{self.region}:{self.account}"
        return [f"{place}:table/{name}" for name in self.tables]

    @property
    def cluster_arn(self) -> str:
        return f"arn:{self.partition}:elasticmapreduce:{self.region}:{self.account}:cluster/*"

    def role_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def bucket_arn(self, place: S3Uri) -> str:
        return f"arn:{self.partition}:s3:::{place.bucket}"

    def objects_arn(self, place: S3Uri) -> str:
        return f"{self.bucket_arn(place)}/{place.folder.key}*"
