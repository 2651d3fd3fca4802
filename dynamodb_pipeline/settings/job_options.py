"""
Every option of the jobs, one row each, in the order of their help; rows.py says how to add one.

`jobs/*.py` take exactly these; `dynamodb-pipeline` adds those of cli/. An option that differs from verb to verb has its
name in the first of its rows only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.formats.items.tags import NULL_TAG_OPTIONS
from dynamodb_pipeline.rate.capacity import PERCENT_DEFAULT
from dynamodb_pipeline.settings.rows import Row
from dynamodb_pipeline.settings.values import (
    ACCOUNT_ID,
    BUCKET_NAME,
    DURATION,
    EXPRESSION,
    EXPRESSION_NAMES,
    EXPRESSION_VALUES,
    EXTERNAL_ID,
    FILE,
    INDEX_NAMES,
    ITEM_LIMIT,
    LOG_FOLDER,
    MOMENT,
    OWN_TABLE_NAMES,
    PAIR,
    PERCENT,
    PLACE,
    REGION_NAME,
    ROLE_ARN,
    RUN_IDS,
    S3_ADDRESS,
    TABLE_NAMES,
    TABLE_PATTERNS,
    UNITS,
    ItemLimit,
    matching,
    whole,
)

JOBS = ("export", "import", "verify")
EXPORT, IMPORT, VERIFY = (JOBS[:1], JOBS[1:2], JOBS[2:])

EXPORTED: Row[str] = Row("EXPORT", "folder of a finished export", VERIFY, "EXPORT", PLACE, required=True)
TABLE: Row[str] = Row(
    "--table", "existing table to import into; of another account its ARN", IMPORT, "TABLE", TABLE_NAMES, required=True
)
TABLES: Row[tuple[str, ...]] = TABLE.also(
    verbs=EXPORT, help="table to export, of another account its ARN, or a pattern such as 'prod-*'; repeat for several",
    many=True,
    value=TABLE_PATTERNS,
)  # fmt: skip
EXCLUDE: Row[tuple[str, ...]] = Row(
    "--exclude", "leave out these tables of a pattern; repeatable", EXPORT, "PATTERN", TABLE_PATTERNS, many=True
)
TABLE_TAG: Row[tuple[tuple[str, str], ...]] = Row(
    "--table-tag", "of a pattern's tables take those with this tag; several must all be there", EXPORT, "KEY=VALUE",
    PAIR, many=True,
)  # fmt: skip
COMPARED: Row[str | None] = TABLE.also(
    verbs=VERIFY, help="also compare with this table (of another account its ARN), item by item", required=False
)  # fmt: skip
OUTPUT: Row[S3Uri] = Row(
    "--output", "s3://bucket/folder; a folder named by table and time is made in it", EXPORT, "S3_FOLDER", S3_ADDRESS,
    required=True,
)  # fmt: skip
EXACT_OUTPUT: Row[bool] = Row(
    "--exact-output", "write into --output itself (one table, folder must be empty)", EXPORT
)  # fmt: skip
FILTER: Row[str | None] = Row(
    "--filter", "export only items that meet this FilterExpression of DynamoDB; it saves no read units", EXPORT,
    "EXPRESSION", EXPRESSION,
)  # fmt: skip
PROJECTION: Row[str | None] = Row(
    "--projection", "export only these attributes, a ProjectionExpression; the table's keys are always with them",
    EXPORT, "EXPRESSION", EXPRESSION,
)  # fmt: skip
INDEX: Row[str | None] = Row(
    "--index", "read this secondary index in place of the table, at the index's own capacity", EXPORT, "NAME",
    INDEX_NAMES,
)  # fmt: skip
ATTRIBUTE_NAMES: Row[Mapping[str, str]] = Row(
    "--expression-attribute-names", "what #names of --filter and --projection stand for, as JSON", EXPORT, "JSON",
    EXPRESSION_NAMES, default="{}",
)  # fmt: skip
ATTRIBUTE_VALUES: Row[Mapping[str, Any]] = Row(
    "--expression-attribute-values", "what :values of --filter stand for, as DynamoDB JSON", EXPORT, "JSON",
    EXPRESSION_VALUES, default="{}",
)  # fmt: skip
SKIP_EXPIRED: Row[bool] = Row(
    "--skip-expired", "leave out items that have expired by the table's TTL attribute", (*EXPORT, *IMPORT)
)
INPUT: Row[str] = Row(
    "--input", "folder of an export, or a parent of exactly one finished export", IMPORT, "FOLDER", PLACE
)  # fmt: skip
CHAIN: Row[str | None] = Row(
    "--chain", "in place of --input: below it a full native export and the incremental ones after it, imported as one",
    IMPORT, "PREFIX", PLACE,
)  # fmt: skip
CHAIN_VERIFIED: Row[bool] = Row(
    CHAIN.name, "EXPORT holds a full native export and the incremental ones after it: verify their end", VERIFY
)
UNTIL: Row[datetime | None] = Row(
    "--until", "with --chain: the moment to restore, the end of one of the exports (default: of the last)",
    (*IMPORT, *VERIFY), "TIME", MOMENT,
)  # fmt: skip
LATEST: Row[bool] = Row("--latest", "of the table's finished exports below --input take the newest", IMPORT)
LATEST_VERIFIED: Row[bool] = LATEST.also(
    verbs=VERIFY, help="of the table's finished exports below EXPORT take the newest"
)  # fmt: skip
FROM_TABLE: Row[str | None] = Row(
    "--from-table", "the exported table, where it is not --table; unknown: of an export that names none",
    (*IMPORT, *VERIFY), "NAME", OWN_TABLE_NAMES,
)  # fmt: skip
WITHOUT_MANIFEST: Row[bool] = Row(
    "--without-manifest", "read every data file of a folder that has no manifest", (*IMPORT, *VERIFY)
)
ALLOW_BUCKET: Row[tuple[str, ...]] = Row(
    "--allow-bucket",
    "a manifest may name files in this other bucket",
    (*IMPORT, *VERIFY),
    "BUCKET",
    BUCKET_NAME,
    many=True,
)
ACCEPT_MEMBER: Row[tuple[str, ...]] = Row(
    "--accept-member",
    "take a native export whose summary has this unknown member, which may make it a part of a table",
    IMPORT,
    "NAME",
    many=True,
)
SET_ASIDE: Row[S3Uri | None] = Row(
    "--set-aside", "put bad items there and go on (default: stop at the first)", IMPORT, "S3_FOLDER", S3_ADDRESS
)
MAX_SET_ASIDE: Row[ItemLimit] = Row(
    "--max-set-aside", "stop when more items than this are bad (default 1000)", IMPORT, "N|P%", ITEM_LIMIT,
    default="1000",
)  # fmt: skip
DUPLICATES: Row[str] = Row(
    "--duplicates", "what to do when a key stands twice in the input (default refuse)", IMPORT,
    choices=("refuse", "last-wins"), default="refuse",
)  # fmt: skip
SKIP_EXISTING: Row[bool] = Row("--skip-existing", "write only items whose key is not in the table", IMPORT)
MIRROR: Row[bool] = Row("--mirror", "afterwards delete items the export does not have (needs --yes)", IMPORT)
MAX_DELETIONS: Row[ItemLimit] = Row(
    "--max-deletions", "stop before deleting more than this (default 10% of the table)", IMPORT, "N|P%", ITEM_LIMIT,
    default="10%",
)  # fmt: skip
ONLY_CHANGES: Row[bool] = Row(
    "--only-changes", "read the table first and write only items that differ from it or are not in it", IMPORT
)
KEYS: Row[str | None] = Row(
    "--keys", "write only items of these keys: JSON lines, or the result of verify --table", IMPORT, "FILE", PLACE
)
KEY_PREFIX: Row[str | None] = Row("--key-prefix", "write only items whose partition key begins so", IMPORT, "TEXT")
SORT_KEY_PREFIX: Row[str | None] = Row("--sort-key-prefix", "write only items whose sort key begins so", IMPORT, "TEXT")
DRY_RUN: Row[bool] = Row("--dry-run", "check everything, write nothing", IMPORT)
READER: Row[str] = Row(
    "--reader", "connector: AWS's emr-dynamodb-connector (default); direct: own parallel Scan", EXPORT,
    choices=("connector", "direct"), default="connector",
)  # fmt: skip
RATE_CONTROL: Row[str] = Row(
    "--rate-control",
    "who meters the connector's reads: our relay, exact (default), or the connector's own limiter, estimated",
    EXPORT, choices=("relay", "connector"), default="relay",
)  # fmt: skip
COMPRESSION: Row[str] = Row(
    "--compression", "of the data files (default none, as the old template wrote)", EXPORT,
    choices=("none", "gzip"), default="none",
)  # fmt: skip
NULL_TAG: Row[str] = Row(
    "--null-tag", "how NULL is written: {} (connector 5, default) or {} (connector 4)".format(*NULL_TAG_OPTIONS),
    EXPORT, choices=NULL_TAG_OPTIONS, default=NULL_TAG_OPTIONS[0],
)  # fmt: skip
LIMIT: Row[int] = Row(
    "--limit", "differing keys to list (default 20)", VERIFY, "N", whole(0, 1_000_000_000), default="20"
)
CONSISTENT_READ: Row[bool] = Row(
    "--consistent-read", "strongly consistent reads at twice the units (direct reader)", EXPORT
)
CONSISTENT_VERIFY: Row[bool] = CONSISTENT_READ.also(
    verbs=VERIFY, help="read the table with strong consistency, at twice the units"
)
SEGMENTS: Row[int | None] = Row(
    "--segments", "segments of the parallel scan (default: from the table's size)", EXPORT, "N", whole(1, 1_000_000)
)
SCHEDULED_TIME: Row[datetime | None] = Row(
    "--scheduled-time", "moment that names the run folder, ISO 8601 (default: now)", EXPORT, "TIME", MOMENT
)
SCHEDULED_IMPORT: Row[datetime | None] = SCHEDULED_TIME.also(
    verbs=IMPORT,
    help="the schedule's moment, ISO 8601: a second run of the same import for it is refused (needs --logs)",
)
SSE_KMS_KEY_ID: Row[str | None] = Row(
    "--sse-kms-key-id", "encrypt the files with this KMS key (default: the bucket's setting)", EXPORT, "KEY"
)
YES: Row[bool] = Row("--yes", "do not ask on a terminal", IMPORT)
READ_PERCENT: Row[Decimal | None] = Row(
    "--throughput-percent", f"percent of the table's read capacity to use, 1 to 150 (default {PERCENT_DEFAULT})",
    (*EXPORT, *VERIFY), "PERCENT", PERCENT, group="rate", exclusive=True,
)  # fmt: skip
WRITE_PERCENT: Row[Decimal | None] = READ_PERCENT.also(
    verbs=IMPORT, help=f"percent of the table's write capacity to use, 1 to 150 (default {PERCENT_DEFAULT})"
)
READ_UNITS: Row[float | None] = Row(
    "--read-units", "read units per second instead of a percent", (*EXPORT, *VERIFY), "UNITS", UNITS,
    group="rate", exclusive=True,
)  # fmt: skip
WRITE_UNITS: Row[float | None] = Row(
    "--write-units", "write units per second instead of a percent", IMPORT, "UNITS", UNITS,
    group="rate", exclusive=True,
)  # fmt: skip
RESUME: Row[str | None] = Row(
    "--resume", "go on with the newest unfinished run of these tables below --logs", (*EXPORT, *IMPORT),
    choices=("latest",),
)  # fmt: skip
REGION: Row[str | None] = Row(
    "--region", "the table's (and cluster's) region", JOBS, "REGION", REGION_NAME, group="run"
)
LOGS: Row[S3Uri | None] = Row(
    "--logs",
    "folder for the run record, ledger and logs (never a bucket's top); without it a run cannot be resumed",
    JOBS, "S3_FOLDER", LOG_FOLDER, group="run",
)  # fmt: skip
RUN_ID: Row[str | None] = Row(
    "--run-id", "name of the run; give a stopped run's id to resume it", JOBS, "ID", RUN_IDS, group="run"
)
TIMEOUT: Row[float] = Row(
    "--timeout", "the run's own deadline, such as 90m or 12h (default 12h)", JOBS, "DURATION", DURATION,
    default="12h", group="run",
)  # fmt: skip
TASKS: Row[int | None] = Row(
    "--tasks", "tasks that run at once (default: all of the cluster's cores)", JOBS, "N", whole(1, 4096), group="run"
)
BUCKET_OWNER: Row[str | None] = Row(
    "--bucket-owner", "12-digit account that must own every bucket used", JOBS, "ACCOUNT", ACCOUNT_ID, group="run"
)
TABLE_ROLE_ARN: Row[str | None] = Row(
    "--table-role-arn", "role in whose name the table is read or written; buckets stay with the caller", JOBS, "ARN",
    matching(ROLE_ARN, "arn:aws:iam::ACCOUNT:role/NAME"), group="run",
)  # fmt: skip
TABLE_EXTERNAL_ID: Row[str | None] = Row(
    "--table-external-id", "external id that the trust document of --table-role-arn demands", JOBS, "ID",
    matching(EXTERNAL_ID, "2 to 1224 of A-Z a-z 0-9 + = , . @ : / _ -"), group="run",
)  # fmt: skip
ATTEMPTS: Row[int] = Row(
    "--attempts", "attempts inside the job after exit 1 or 5 (default 2; needs --logs)", JOBS, "N", whole(1, 10),
    default="2", group="run",
)  # fmt: skip
CONNECTOR_JAR: Row[str | None] = Row(
    "--connector-jar",
    "connector jar of a --local run (default: the one make setup brought)",
    JOBS,
    "JAR",
    FILE,
    group="run",
)

JOB_ROWS: tuple[Row[Any], ...] = tuple(row for row in dict(globals()).values() if isinstance(row, Row))


def rows_of_job(kind: str) -> tuple[Row[Any], ...]:
    """The options of `export`, `import` or `verify` as a job takes them."""
    return tuple(row for row in JOB_ROWS if kind in row.verbs)
