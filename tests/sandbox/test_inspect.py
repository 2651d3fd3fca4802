"""The `inspect` command as a user runs it: on S3, on a local copy, on real files, without Java and at once."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.public_samples import SAMPLES, sample_params
from tests.sandbox.backups import connector_lines, get_objects, put_backup, put_objects
from tests.sandbox.in_process import LOCAL, Pipeline
from tests.sandbox.tables import make_bucket, make_table, numbered

pytestmark = pytest.mark.sandbox

START_CPU_S = 2.0


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture(scope="module")
def exported(sandbox: Sandbox, bucket: str) -> str:
    table, folder = make_table(sandbox), f"s3://{bucket}/exported"
    table.put(numbered(20))
    assert Pipeline(sandbox).export(table, folder).code == ExitCode.DONE
    return folder


def test_an_export_in_s3_is_described_without_asking_any_table(sandbox: Sandbox, exported: str) -> None:
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).run("inspect", exported, "--sample", "2")
        assert proxy.calls == []
    assert (done.code, done.result["items"], done.result["hashes"]) == (ExitCode.DONE, 20, "SHA-256")
    assert len(done.result["samples"]) == 2
    assert 'key: "id" (S, HASH)' in done.text
    assert "item-0000" not in done.text + json.dumps(done.result)


def test_every_backup_of_a_bucket_is_listed_with_its_verification(sandbox: Sandbox, exported: str) -> None:
    logs, pipeline = f"{exported.rpartition('/')[0]}/logs", Pipeline(sandbox)
    assert pipeline.run("verify", exported, "--logs", logs, *LOCAL).code == ExitCode.DONE
    done = pipeline.run("list", exported.rpartition("/")[0], "--logs", logs)
    rows = [row for row in done.result["backups"] if row["folder"].startswith(f"{exported}/")]
    assert [(row["kind"], row["items"], row["dialect"]) for row in rows] == [("full", 20, "connector-json")]
    assert rows[0]["verified"] is not None
    assert "connector-json, verified 20" in done.text


def test_an_export_carries_its_tables_definition(sandbox: Sandbox, exported: str) -> None:
    """The emulator does not know every call; what it does not answer is named, and the export went on."""
    (folder,) = (row["folder"] for row in Pipeline(sandbox).run("list", exported).result["backups"])
    stored = json.loads(get_objects(sandbox, folder)["_table.json"])
    assert stored["table"]["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    read = {
        name for name in ("time_to_live", "continuous_backups", "tags", "scalable_targets") if stored[name] is not None
    }
    assert "scalable_targets" in read
    assert len(read) + len(stored["not_read"]) == 4
    done = Pipeline(sandbox).run("definition", folder)
    assert (done.code, done.result["Resources"]["Table"]["Type"]) == (ExitCode.DONE, "AWS::DynamoDB::Table")
    assert "create-table" in Pipeline(sandbox).run("definition", folder, "--as", "cli").result["commands"][0]


@pytest.mark.parametrize("form", ["native", "export"])
def test_a_converted_backup_is_verified_and_imported(sandbox: Sandbox, bucket: str, form: str) -> None:
    """Without a manifest to something whole: the items of a folder of loose files are those of the table again."""
    pipeline, table, target = Pipeline(sandbox), make_table(sandbox), make_table(sandbox)
    table.put(numbered(20))
    loose = put_objects(sandbox, f"s3://{bucket}/loose-{form}", {"a": connector_lines(numbered(20))})
    words = ("--as", form, "--without-manifest", "--key", "id:S")
    done = pipeline.run("convert", loose, f"s3://{bucket}/converted-{form}", *words)
    assert (done.code, done.result["items"]) == (ExitCode.DONE, 20), done.text
    assert pipeline.run("verify", done.result["folder"], "--table", table.name, *LOCAL).code == ExitCode.DONE
    assert pipeline.import_into(target, done.result["folder"]).result["items_written"] == 20
    assert target.by_key() == table.by_key()


def test_a_local_copy_is_described_the_same(sandbox: Sandbox, exported: str, tmp_path: Path) -> None:
    for name, data in get_objects(sandbox, exported).items():
        (tmp_path / name).write_bytes(data)
    pipeline = Pipeline(sandbox)
    far, near = (pipeline.run("inspect", path, "--quiet") for path in (exported, str(tmp_path)))
    assert near.text == ""
    differing = {name for name in far.result if far.result[name] != near.result[name]}
    assert differing <= {"path", "folder", "notes"}, differing


def test_a_broken_file_ends_with_4_and_the_whole_description(sandbox: Sandbox, bucket: str) -> None:
    folder = put_backup(sandbox, f"s3://{bucket}/broken", {"a": connector_lines(numbered(3)) + b"{\n"})
    done = Pipeline(sandbox).run("inspect", folder)
    assert (done.code, done.result["items"]) == (ExitCode.INTEGRITY, 4)
    assert f"{folder}/a: line 4" in done.result["error"]


@pytest.mark.parametrize(
    ("words", "code"),
    [(("no/such/folder",), 3), (("x", "--sample", "-1"), 2), (("x", "--files", "0"), 2), ((), 2)],
    ids=["nothing there", "sample", "files", "no path"],
)
def test_what_cannot_be_looked_at_is_refused(sandbox: Sandbox, words: tuple[str, ...], code: int) -> None:
    assert Pipeline(sandbox).run("inspect", *words).code == code


@pytest.mark.parametrize("path", sample_params(sorted(SAMPLES.glob("*/data"))))
def test_every_real_sample_is_recognised_or_named(sandbox: Sandbox, path: Path) -> None:
    case = json.loads((path.parent / "case.json").read_text(encoding="utf-8"))
    done = Pipeline(sandbox).run("inspect", str(path))
    if case["expect"] == "ok":
        assert (done.code, done.result["items"]) == (ExitCode.DONE, case["count"])
    assert done.result["problem_count"] == 0 or done.result["error"]


def cpu_s(command: list[str], env: dict[str, str]) -> tuple[float, subprocess.CompletedProcess[bytes]]:
    """The CPU time of a command: wall time says more about this machine's other work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, capture_output=True, timeout=120, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


LOADED = "import sys; from dynamodb_pipeline.cli.main import main; main(); print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize("verb", ["inspect", "verify", "import"])
def test_without_java_a_command_starts_at_once(sandbox: Sandbox, exported: str, verb: str) -> None:
    """Start, look at a small export and end: two seconds of CPU at most, and nothing of Spark is even imported."""
    target = ("--table", make_table(sandbox).name, "--input") if verb == "import" else ()
    where = () if verb == "inspect" else LOCAL
    words = [verb, *target, exported, *where]
    taken, done = cpu_s([sys.executable, "-c", LOADED, *words], sandbox.process_env())
    modules = done.stderr.decode().split()
    assert json.loads(done.stdout)["exit_code"] == 0, done.stderr.decode()[-2000:]
    assert "dynamodb_pipeline.cli" in modules
    assert [name for name in modules if name.startswith(("pyspark", "py4j"))] == []
    assert taken < START_CPU_S


def test_a_local_look_loads_no_client_of_aws(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(connector_lines(numbered(2)))
    _, done = cpu_s([sys.executable, "-c", LOADED, "inspect", str(tmp_path)], sandbox.process_env())
    assert json.loads(done.stdout)["items"] == 2
    assert {"boto3", "botocore"} & set(done.stderr.decode().split()) == set()
