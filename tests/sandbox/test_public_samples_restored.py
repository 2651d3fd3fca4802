"""Files of real tools and real people, restored into a table or refused, as each sample's case.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.public_samples import CASES, MISSING, sample_params
from tests.sandbox.backups import put_objects
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, make_bucket, make_table

pytestmark = [
    pytest.mark.sandbox,
    MISSING,
]


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


def stored(sandbox: Sandbox, bucket: str, path: Path, case: dict[str, Any]) -> str:
    """Store the sample's objects and return the folder a user would name."""
    folder = f"s3://{bucket}/{path.parent.name}/{case['prefix']}"
    put_objects(sandbox, folder, {key: (path.parent / file).read_bytes() for key, file in case["objects"]})
    return folder + case.get("path_suffix", "")


def has_manifest(case: dict[str, Any]) -> bool:
    return any(key.endswith("manifest-summary.json") for key, _ in case["objects"])


@pytest.mark.parametrize("path", sample_params(CASES))
def test_a_real_backup_is_restored_exactly_or_refused_without_a_write(
    sandbox: Sandbox, bucket: str, path: Path
) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    expected = [json.loads(line) for line in (path.parent / "expected.jsonl").read_text("utf-8").splitlines()]
    table = make_table(sandbox, tuple(map(tuple, case["keys"])))
    folder = stored(sandbox, bucket, path, case)
    more = () if has_manifest(case) else ("--without-manifest",)

    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, folder, *more)
        writes = len(proxy.of("BatchWriteItem"))

    if done.code == ExitCode.DONE:
        assert case["expect"] in ("ok", "either")
        assert table.differences(expected) == NONE
        assert Pipeline(sandbox).verify(folder, *more, table=table).code == ExitCode.DONE
    else:
        assert case["expect"] in ("error", "either")
        assert (done.code, writes) == (ExitCode.INTEGRITY, 0)
        if case.get("prefer") == "ok":  # it would be restored if DynamoDB took it: one holds a number set with 5 twice
            with pytest.raises(ClientError, match="ValidationException"):
                table.put(expected)
