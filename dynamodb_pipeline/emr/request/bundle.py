"""
The code of a run: the bundle, one reproducible zip with the library and, for nodes that lack it, a copy of boto3; and
its way to S3.

A wheel carries the finished zip. In a checkout it is built: the copy is taken from the packages installed beside us,
pure Python only, with botocore's service models cut down to what the jobs call, and taken only when its SHA-256 is the
one in requirements/node.sha256, whatever pip happened to install. Same inputs give the same bytes, so the zip can be
stored under its own SHA-256, so that two versions never mix and nothing is uploaded twice.

Layout: `<code folder>/<first 16 hex of the files' SHA-256>/{dynamodb_pipeline.zip,export_table.py,...}`. What
lies there already is compared by the SHA-256 that S3 keeps with it, never trusted by name.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.clients import ExpectedOwner, expected_owner
from dynamodb_pipeline.aws.node_boto3 import DIGEST_ENTRY, VENDOR_PREFIX
from dynamodb_pipeline.emr.cluster.packaged_files import ROOT, finished_bundle, project_folder
from dynamodb_pipeline.emr.request.run_job_flow_request import BootstrapFile
from dynamodb_pipeline.emr.request.steps import CONNECTOR_JAR, JOB_SCRIPTS, JobCode
from dynamodb_pipeline.errors import IntegrityError, PreconditionError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VENDORED = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
# Services whose models the jobs need; credentials may come from an assumed role or single sign-on.
SERVICES = frozenset({"dynamodb", "s3", "sts", "sso", "sso-oidc"})
# Whole packages; nothing below cli/, emr/, folders/ and report/ runs on nodes.
NODE_PARTS = (
    "__init__.py",
    "addresses.py",
    "background.py",
    "durations.py",
    "errors.py",
    "finished.py",
    "documents.py",
    "job_main.py",
    "output.py",
    "result_words.py",
    "secret_patterns.py",
    "aws",
    "chain",
    "connector",
    "dynamodb",
    "exporting",
    "formats",
    "importing",
    "passes",
    "rate",
    "reading",
    "run",
    "selection",
    "settings",
    "store",
    "verifying",
    "workers",
)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first moment: no build time inside
ZIP_NAME = "dynamodb_pipeline.zip"
PINNED = "requirements/node.sha256"  # of the copied packages; recorded by `make bundle-pins`
BOOTSTRAP_NAME = "check_code.sh"


@dataclass(frozen=True)
class Bundle:
    """The built zip and its SHA-256 (hex)."""

    path: Path
    sha256: str


def build_bundle(target: Path, *, root: Path = ROOT) -> Bundle:
    """
    Write the bundle zip to `target`: the finished one of a wheel, else built of the pinned packages.

    Args:
        root: where the installation's folders are.

    Raises:
        PreconditionError: a package to copy is not installed, or is not the pinned one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    finished = finished_bundle(root=root)
    if finished is None:
        _write_zip(target, vendor_sha256=project_folder(PINNED, root=root).read_text(encoding="ascii").strip())
    else:
        shutil.copyfile(finished, target)
    return Bundle(target, hashlib.sha256(target.read_bytes()).hexdigest())


def _write_zip(target: Path, *, vendor_sha256: str) -> None:
    vendor = sorted(vendor_files())
    if digest_of(vendor) != vendor_sha256:
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VENDORED)
        remedy = "run `make setup`, or install the wheel, which carries the finished bundle"
        msg = f"what is installed here is not what the bundle must carry ({versions}; {PINNED}); {remedy}"
        raise PreconditionError(msg)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(_library_files(Path(__file__).parents[2])):
            _add(archive, name, path.read_bytes())
        for name, path in vendor:
            _add(archive, VENDOR_PREFIX + name, path.read_bytes())
        _add(archive, DIGEST_ENTRY, vendor_sha256.encode("ascii"))


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """One SHA-256 (hex) over names and bytes, in the order given."""
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _library_files(package: Path) -> Iterator[tuple[str, Path]]:
    for part in NODE_PARTS:
        root = package / part
        for path in [root] if root.is_file() else root.rglob("*.py"):
            yield f"{package.name}/{path.relative_to(package).as_posix()}", path


def vendor_files() -> Iterator[tuple[str, Path]]:
    """
    Name in the copy, and path, of each installed file that the bundle takes.

    Raises:
        PreconditionError: a package is not installed.
    """
    for distribution in VENDORED:
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError as err:
            msg = f"{distribution} is not installed beside dynamodb-pipeline; run `make setup`"
            raise PreconditionError(msg) from err
        for file in files:
            if _wanted(file.parts):
                yield file.as_posix(), Path(str(file.locate()))


def _wanted(parts: tuple[str, ...]) -> bool:
    if ".." in parts or "__pycache__" in parts or parts[-1].endswith((".so", ".pyc")):
        return False
    if parts[0].endswith(".dist-info"):
        return parts[-1].upper().startswith(("LICENSE", "NOTICE"))
    if parts[:2] == ("botocore", "data"):
        return len(parts) == 3 or parts[2] in SERVICES
    if parts[:2] == ("boto3", "data"):
        return False
    return parts[:2] != ("boto3", "examples")


@dataclass(frozen=True)
class CodeFile:
    """One file to ship: its name in S3, its bytes and their SHA-256 in hex."""

    name: str
    data: bytes

    @property
    def sha256_hex(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class ShippedCode:
    """The code of a run in S3: files by name, each with address and SHA-256."""

    folder: S3Uri
    sha256_by_name: dict[str, str]

    def uri(self, name: str) -> str:
        return self.folder.child(name).uri

    def job_code(self, connector_jar: str = CONNECTOR_JAR) -> JobCode:
        """Addresses for spark-submit."""
        scripts = {verb: self.uri(name) for verb, name in JOB_SCRIPTS.items()}
        return JobCode(zip_uri=self.uri(ZIP_NAME), script_uris=scripts, connector_jar=connector_jar)

    def bootstrap(self) -> BootstrapFile:
        """The bootstrap action, which checks every other file on each node before use."""
        checked = [(self.uri(n), sha) for n, sha in sorted(self.sha256_by_name.items()) if n != BOOTSTRAP_NAME]
        return BootstrapFile(script_uri=self.uri(BOOTSTRAP_NAME), checked=tuple(checked))


def code_files(zip_path: Path) -> list[CodeFile]:
    """The files of a run: the built zip, the job scripts and the bootstrap script of this installation."""
    jobs, bootstrap = project_folder("jobs"), project_folder("bootstrap")
    return [
        CodeFile(ZIP_NAME, zip_path.read_bytes()),
        CodeFile(BOOTSTRAP_NAME, (bootstrap / BOOTSTRAP_NAME).read_bytes()),
        *(CodeFile(name, (jobs / name).read_bytes()) for name in sorted(JOB_SCRIPTS.values())),
    ]


def shipped_code(files: list[CodeFile], *, folder: S3Uri) -> ShippedCode:
    """Where `files` belong below `folder`; pure, so a plan can show it without uploading."""
    together = hashlib.sha256("".join(f"{f.name}\0{f.sha256_hex}\n" for f in files).encode()).hexdigest()
    return ShippedCode(folder.child(together[:16]), {f.name: f.sha256_hex for f in files})


def upload_code(s3: S3Client, files: list[CodeFile], *, folder: S3Uri, bucket_owner: str | None = None) -> ShippedCode:
    """
    Put the files that are not there yet and return where all of them are.

    Args:
        s3: client of the bucket's region.
        bucket_owner: account that must own the bucket (`ExpectedBucketOwner`), None to accept any.

    Raises:
        IntegrityError: an object under our own hash holds other bytes.
        ClientError: S3's refusal, for the caller to explain.
    """
    shipped = shipped_code(files, folder=folder)
    owner = expected_owner(bucket_owner)
    for file in files:
        place = shipped.folder.child(file.name)
        if not _is_there(s3, file, place=place, owner=owner):
            s3.put_object(
                Bucket=place.bucket,
                Key=place.key,
                Body=file.data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_base64(file),
                **owner,
            )
    return shipped


def _is_there(s3: S3Client, file: CodeFile, *, place: S3Uri, owner: ExpectedOwner) -> bool:
    from botocore.exceptions import ClientError

    try:
        head = s3.head_object(Bucket=place.bucket, Key=place.key, ChecksumMode="ENABLED", **owner)
    except ClientError as err:
        # Without s3:ListBucket S3 answers 403 for a missing object; the PUT then tells which it was.
        if err.response["Error"]["Code"] in {"404", "NoSuchKey", "403"}:
            return False
        raise
    if head.get("ChecksumSHA256", _base64(file)) != _base64(file) or head["ContentLength"] != len(file.data):
        msg = f"{place.uri} holds other bytes than our {file.name}; remove that folder and launch again"
        raise IntegrityError(msg)
    return "ChecksumSHA256" in head


def _base64(file: CodeFile) -> str:
    return base64.b64encode(hashlib.sha256(file.data).digest()).decode("ascii")
