"""The bundle zip: reproducible, whole, nothing in it that a node must not have, and usable without boto3 around it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest
import tomllib
from moto import mock_aws

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.node_boto3 import DIGEST_ENTRY, VENDOR_PREFIX, unpack_vendor
from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.emr.request.bundle import (
    BOOTSTRAP_NAME,
    NODE_PARTS,
    Bundle,
    CodeFile,
    ShippedCode,
    build_bundle,
    shipped_code,
    upload_code,
)
from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from tests.unit.import_graph import Library, jobs, library

PROJECT = Path(__file__).parents[4]
LIBRARY_PREFIX = "dynamodb_pipeline/"
NODE_PYTHON = (3, 9)
IMPORT_TIMEOUT_S = 900  # a bound for what hangs, not for a slow machine
NOT_ON_NODES = ("cli", "emr", "folders", "report")
RELAY_PROCESS = "dynamodb_pipeline.connector.relay_process"  # started by its name with `python -m`, imported by no job
# Tests of the library that do not lie in a folder named as one of NODE_PARTS.
TESTS_BESIDE_THE_FOLDERS = ("test_job_main.py", "test_public_samples.py")
# Property tests that were long already beside the code.
LONG_TESTS = (
    *("formats/blocks/test_retag.py", "formats/files/test_dialects.py", "formats/blocks/test_puts.py"),
    "rate/test_budget_promise.py",
)
SHARE_FROM_THE_ZIP = 5  # all of them are imported, one of so many is run
TESTS_FROM_THE_ZIP = 2083  # as many as ran from the zip while the library was still in three drawers; never fewer

# An interpreter without site-packages (-S) and without the environment (-I): what a node without our set-up has.
# `sys.dont_write_bytecode` keeps the unpacked copy as it is.
ON_A_NODE = """
import importlib.util, json, sys
sys.dont_write_bytecode = True
bundle, modules = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, bundle)
sys.path += sys.argv[3:]
own = {name: importlib.util.find_spec(name) for name in ("boto3", "botocore")}
assert bool(own["boto3"]) is bool(sys.argv[3:]), "this interpreter has a boto3 of its own"
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
ensure_boto3()
import importlib
for name in modules:
    module = importlib.import_module(name)
    assert module.__file__.startswith(bundle), (name, module.__file__)
from dynamodb_pipeline.aws.clients import AwsClients, AwsSettings
endpoints = tuple((service, "http://127.0.0.1:9") for service in ("dynamodb", "s3"))
clients = AwsClients(settings=AwsSettings("eu-west-1", endpoints, ("key", "secret", None)))
import boto3
services = [clients.client(name).meta.service_model.service_name for name in ("dynamodb", "s3", "sts")]
print(json.dumps({"services": services, "boto3": boto3.__file__, "version": boto3.__version__}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return build_bundle(tmp_path_factory.mktemp("bundle") / "dynamodb_pipeline.zip")


@pytest.fixture(scope="module")
def names(built: Bundle) -> list[str]:
    with zipfile.ZipFile(built.path) as archive:
        return archive.namelist()


def on_a_node(
    bundle: Path, modules: list[str], *, folder: Path, packages: tuple[Path, ...] = (), before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Import `modules` out of the zip as a node does, its temporary files in `folder`, with `packages` of its own."""
    script = ON_A_NODE.replace("from dynamodb_pipeline", f"{before}\nfrom dynamodb_pipeline", 1)
    command = [sys.executable, "-I", "-S", "-c", script, str(bundle), json.dumps(modules), *map(str, packages)]
    env = {"TMPDIR": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False)


def module_names(names: list[str]) -> list[str]:
    own = [name for name in names if name.startswith(LIBRARY_PREFIX)]
    return [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in own]


def test_two_builds_give_the_same_bytes(built: Bundle, tmp_path: Path) -> None:
    again = build_bundle(tmp_path / "deeper" / "other.zip")
    assert again.path.read_bytes() == built.path.read_bytes()
    assert again.sha256 == built.sha256 == hashlib.sha256(built.path.read_bytes()).hexdigest()


def test_it_holds_every_module_that_nodes_run(names: list[str]) -> None:
    package = PROJECT / "dynamodb_pipeline"
    wanted = [package / part for part in NODE_PARTS]
    files = [path for root in wanted for path in ([root] if root.is_file() else root.rglob("*.py"))]
    assert {name for name in names if name.startswith(LIBRARY_PREFIX)} == {
        path.relative_to(PROJECT).as_posix() for path in files
    }


def test_it_holds_whatever_a_job_can_import(names: list[str]) -> None:
    """Read from the imports, lazy ones too: what the job scripts and the relay's own process can lead to."""
    reached = Library.of([*library().modules.values(), *jobs()]).closure([*(job.name for job in jobs()), RELAY_PROCESS])
    needed = {name for name in reached if name.startswith("dynamodb_pipeline")}
    assert len(jobs()) == 3
    assert len(needed) > 100
    assert needed - set(module_names(names)) == set()


def test_it_holds_nothing_of_the_laptop(names: list[str]) -> None:
    modules = module_names(names)
    assert len(modules) > 100
    assert [name for name in modules if name.split(".")[1:2] and name.split(".")[1] in NOT_ON_NODES] == []


def test_it_is_made_of_whole_packages() -> None:
    """A package is on nodes or it is not: nobody has to know which of its modules are."""
    package = PROJECT / "dynamodb_pipeline"
    parts = {path.name for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert set(NODE_PARTS) <= parts
    assert {part for part in parts - set(NODE_PARTS) if not part.endswith(".py")} == set(NOT_ON_NODES)


def test_it_holds_nothing_else(names: list[str]) -> None:
    """No tests, no launcher, no sandbox, no compiled code, no second pyspark, no service that jobs never call."""
    assert {name for name in names if not name.startswith((LIBRARY_PREFIX, VENDOR_PREFIX))} == {DIGEST_ENTRY}
    packages = {name.split("/")[1] for name in names if name.startswith(VENDOR_PREFIX)}
    kept = {name for name in packages if not name.endswith(".dist-info")}
    assert kept == {"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py"}
    assert [name for name in names if name.endswith((".so", ".pyc"))] == []
    services = {
        name.split("/")[3] for name in names if name.startswith("vendor/botocore/data/") and name.count("/") > 3
    }
    assert services == {"dynamodb", "s3", "sts", "sso", "sso-oidc"}


def test_every_copied_package_brings_its_licence(names: list[str]) -> None:
    infos = {name.split("/")[1] for name in names if ".dist-info/" in name}
    assert {info.partition("-")[0] for info in infos} >= {"boto3", "botocore", "jmespath", "s3transfer", "urllib3"}


def test_nothing_of_the_build_machine_is_inside(built: Bundle) -> None:
    with zipfile.ZipFile(built.path) as archive:
        entries = archive.infolist()
        own = b"".join(archive.read(entry) for entry in entries if entry.filename.startswith(LIBRARY_PREFIX))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    assert str(PROJECT).encode() not in own


def test_every_module_of_the_zip_is_python_3_9(built: Bundle) -> None:
    with zipfile.ZipFile(built.path) as archive:
        sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    assert len(sources) > 200
    for name, source in sources.items():
        ast.parse(source, filename=name, feature_version=NODE_PYTHON)


def test_every_module_imports_from_the_zip_on_a_node_without_boto3(
    built: Bundle, names: list[str], tmp_path: Path
) -> None:
    """The copy of boto3 is unpacked, and makes real clients: its service models lie there as files."""
    done = on_a_node(built.path, module_names(names), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["services"] == ["dynamodb", "s3", "sts"]
    (unpacked,) = tmp_path.glob("dynamodb-pipeline-*")
    assert Path(said["boto3"]).is_relative_to(unpacked)
    assert unpacked.stat().st_mode & 0o777 == 0o700


def test_unit_tests_pass_from_the_zip(built: Bundle, tmp_path: Path) -> None:
    """What was zipped is what was tested: no module missing, no file read that lies beside the code only."""
    check = f"import dynamodb_pipeline\nassert dynamodb_pipeline.__file__.startswith({str(built.path)!r})\n"
    check += f"def pytest_collection_modifyitems(items): items[:] = items[::{SHARE_FROM_THE_ZIP}]\n"
    (tmp_path / "from_the_zip.py").write_text(check)
    path = os.pathsep.join(map(str, (built.path, tmp_path, PROJECT)))
    tests = PROJECT / "tests" / "unit"
    left_out = [f"--ignore={tests / name}" for name in LONG_TESTS]
    folders = [tests / part for part in (*NODE_PARTS, *TESTS_BESIDE_THE_FOLDERS) if (tests / part).exists()]
    assert [name for name in (*LONG_TESTS, *TESTS_BESIDE_THE_FOLDERS) if not (tests / name).is_file()] == []
    # -P and an empty pythonpath: nothing puts the checkout before the zip
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-o", "pythonpath=", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "from_the_zip", "-m", "not slow and not hypothesis", *left_out, *folders],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=IMPORT_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert SHARE_FROM_THE_ZIP * int(re.findall(r"(\d+) passed", done.stdout)[-1]) >= TESTS_FROM_THE_ZIP


def test_the_copy_is_the_pinned_one(built: Bundle, tmp_path: Path) -> None:
    pinned = dict(
        line.split(" ")[0].split("==")
        for line in (PROJECT / "requirements" / "node.txt").read_text().splitlines()
        if "==" in line and not line.startswith(" ")
    )
    said = json.loads(on_a_node(built.path, [], folder=tmp_path).stdout)
    assert said["version"] == pinned["boto3"]


def test_other_packages_than_the_pinned_ones_are_never_bundled(tmp_path: Path) -> None:
    """A newer boto3 would not run on the nodes' Python."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "node.sha256").write_text("0" * 64)
    with pytest.raises(PreconditionError, match=r"boto3 1\.42\.97.*node\.sha256.*make setup") as caught:
        build_bundle(tmp_path / "out.zip", root=tmp_path)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out.zip").exists()


def test_the_finished_bundle_of_a_wheel_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "dynamodb_pipeline.zip").write_bytes(b"finished")
    assert build_bundle(tmp_path / "to" / "out.zip", root=tmp_path).path.read_bytes() == b"finished"


def test_a_wheel_is_built_with_the_pinned_packages() -> None:
    """pip builds in an environment of its own: what pyproject.toml demands of it is requirements/node.txt."""
    required = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    lines = (PROJECT / "requirements" / "node.txt").read_text().splitlines()
    assert {name for name in required if "==" in name} == {
        line.split(" ")[0] for line in lines if re.match(r"\S+==", line)
    }


def test_a_zip_without_the_copy_says_how_to_build_one(built: Bundle, tmp_path: Path) -> None:
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(built.path) as whole, zipfile.ZipFile(bare, "w") as archive:
        for name in whole.namelist():
            if name.startswith(LIBRARY_PREFIX):
                archive.writestr(name, whole.read(name))
    done = on_a_node(bare, [], folder=tmp_path)
    assert done.returncode != 0
    assert "holds no copy of boto3; build it with `make bundle`" in done.stderr


@pytest.mark.parametrize("imported", [False, True], ids=["installed", "imported"])
def test_an_old_boto3_of_the_node_gives_way(built: Bundle, tmp_path: Path, imported: bool) -> None:
    """As somebody's bootstrap action installs it: it knows neither conditional writes nor warm throughput."""
    old = tmp_path / "site-packages"
    for name in ("boto3", "botocore"):
        (old / name).mkdir(parents=True)
        (old / name / "__init__.py").write_text("__version__ = '1.20.54'\n" + "import botocore\n" * (name == "boto3"))
    done = on_a_node(built.path, [], folder=tmp_path, packages=(old,), before="import boto3" * imported)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["version"] == boto3.__version__
    assert facts["boto3"].startswith(str(tmp_path / "dynamodb-pipeline-"))


def _writable_folder(target: Path) -> None:
    target.mkdir()
    target.chmod(0o777)
    (target / "boto3.py").write_text("raise SystemExit('not ours')")


def _link_to_own_folder(target: Path) -> None:
    """Its owner could point it elsewhere after it was looked at."""
    folder = target.parent / "elsewhere"
    folder.mkdir(mode=0o700)
    (folder / "boto3.py").write_text("raise SystemExit('not ours')")
    target.symlink_to(folder)


def _link_to_nothing(target: Path) -> None:
    target.symlink_to(target.parent / "nothing")


def _file(target: Path) -> None:
    target.write_text("")


@pytest.mark.parametrize("squat", [_writable_folder, _link_to_own_folder, _link_to_nothing, _file])
def test_what_others_put_under_the_name_neither_stops_the_job_nor_is_loaded(
    built: Bundle, tmp_path: Path, squat: Callable[[Path], None]
) -> None:
    """The temporary folder is everybody's: a copy that others could change is not trusted."""
    with zipfile.ZipFile(built.path) as archive:
        digest = archive.read(DIGEST_ENTRY).decode().strip()
    squat(tmp_path / f"dynamodb-pipeline-{os.getuid()}-{digest[:16]}")
    first = unpack_vendor(built.path, base=tmp_path)
    assert (first / "boto3" / "__init__.py").is_file()
    assert first.lstat().st_mode & 0o777 == 0o700
    assert unpack_vendor(built.path, base=tmp_path) == first  # unpacked once a node all the same
    assert len(list(tmp_path.glob("dynamodb-pipeline-*"))) == 2
    assert on_a_node(built.path, [], folder=tmp_path).returncode == 0


FOLDER = S3Uri("pipeline-logs", "app/code")
FILES = [
    CodeFile("dynamodb_pipeline.zip", b"zip"),
    CodeFile("export_table.py", b"export"),
    CodeFile(BOOTSTRAP_NAME, b"#!/bin/bash"),
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pipeline-logs")
        yield client


def keys(s3: Any) -> list[str]:
    return sorted(found["Key"] for found in s3.list_objects_v2(Bucket="pipeline-logs").get("Contents", []))


def test_files_lie_under_their_common_hash(s3: Any) -> None:
    shipped = upload_code(s3, FILES, folder=FOLDER)
    assert keys(s3) == sorted(f"{shipped.folder.key}/{file.name}" for file in FILES)
    assert shipped == shipped_code(FILES, folder=FOLDER)


def test_changed_code_gets_another_folder() -> None:
    changed = [CodeFile(FILES[0].name, b"zip2"), *FILES[1:]]
    assert shipped_code(FILES, folder=FOLDER).folder != shipped_code(changed, folder=FOLDER).folder


def test_second_upload_puts_nothing(s3: Any) -> None:
    upload_code(s3, FILES, folder=FOLDER)
    puts: list[str] = []
    s3.meta.events.register("before-call.s3.PutObject", lambda **_: puts.append("put"))
    upload_code(s3, FILES, folder=FOLDER)
    assert puts == []


def test_other_bytes_under_our_hash_are_an_integrity_error(s3: Any) -> None:
    place = shipped_code(FILES, folder=FOLDER).folder.child("export_table.py")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"exp0rt", ChecksumAlgorithm="SHA256")
    with pytest.raises(IntegrityError, match="other bytes"):
        upload_code(s3, FILES, folder=FOLDER)


def test_every_call_names_the_expected_bucket_owner(s3: Any) -> None:
    sent: list[dict[str, Any]] = []
    s3.meta.events.register("provide-client-params.s3.*", lambda params, **_: sent.append(params))
    upload_code(s3, FILES, folder=FOLDER, bucket_owner="123456789012")
    assert {params["ExpectedBucketOwner"] for params in sent} == {"123456789012"}


def test_bootstrap_checks_every_other_file() -> None:
    action = shipped_code(FILES, folder=FOLDER).bootstrap()
    assert action.script_uri.endswith(BOOTSTRAP_NAME)
    assert {sha for _, sha in action.checked} == {file.sha256_hex for file in FILES[:2]}


def run_bootstrap(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real script with an `aws` that copies from a folder."""
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir(exist_ok=True)
    aws.write_text(f'#!/bin/bash\ncp "{tmp_path}/s3/${{4#s3://}}" "$5"\n')
    aws.chmod(0o755)
    path = f"{aws.parent}{os.pathsep}{os.environ['PATH']}"
    script = project_folder("bootstrap") / BOOTSTRAP_NAME
    return subprocess.run(
        ["bash", str(script), *arguments],
        env={"PATH": path, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def on_s3(tmp_path: Path) -> ShippedCode:
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    (tmp_path / "s3" / "bucket" / "lib.zip").write_bytes(b"zip")
    return ShippedCode(S3Uri("bucket", ""), {"lib.zip": hashlib.sha256(b"zip").hexdigest()})


def test_bootstrap_script_accepts_unchanged_code(tmp_path: Path, on_s3: ShippedCode) -> None:
    done = run_bootstrap(tmp_path, "s3://bucket/lib.zip", on_s3.sha256_by_name["lib.zip"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("s3://bucket/lib.zip", "00" * 32), 4, "changed after upload"),
        (("s3://bucket/none.zip", "00" * 32), 3, "s3:GetObject"),
        (("s3://bucket/lib.zip",), 2, "usage"),
        ((), 2, "usage"),
    ],
    ids=["tampered", "unreadable", "no hash", "nothing"],
)
def test_bootstrap_script_refuses(
    tmp_path: Path, on_s3: ShippedCode, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = run_bootstrap(tmp_path, *arguments)
    assert done.returncode == code
    assert text in done.stderr
