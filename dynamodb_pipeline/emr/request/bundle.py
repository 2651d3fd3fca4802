"""
Builds the bundle: one reproducible zip with the library and, for nodes that lack it, a copy of boto3.

The copy is taken from the packages installed beside us (pinned and hash-checked by requirements/), pure Python only,
with botocore's service models cut down to what the jobs call. Same inputs give the same bytes, so the zip can be
stored under its own SHA-256.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dynamodb_pipeline.aws.node_boto3 import DIGEST_ENTRY, VENDOR_PREFIX
from dynamodb_pipeline.errors import PreconditionError

VENDORED = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
# Services whose models the jobs need; credentials may come from an assumed role or single sign-on.
SERVICES = frozenset({"dynamodb", "s3", "sts", "sso", "sso-oidc"})
# Whole packages; nothing below cli/, emr/, folders/ and report/ runs on nodes.
NODE_PARTS = (
    "__init__.py",
    "addresses.py",
    "durations.py",
    "errors.py",
    "documents.py",
    "job_main.py",
    "output.py",
    "secret_patterns.py",
    "aws",
    "connector",
    "dynamodb",
    "exporting",
    "formats",
    "importing",
    "passes",
    "rate",
    "reading",
    "run",
    "settings",
    "store",
    "verifying",
    "workers",
)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first moment: no build time inside


@dataclass(frozen=True)
class Bundle:
    """The built zip and its SHA-256 (hex)."""

    path: Path
    sha256: str


def build_bundle(target: Path) -> Bundle:
    """
    Write the bundle zip to `target`.

    Raises:
        PreconditionError: a package to copy is not installed.
    """
    library = list(_library_files(Path(__file__).parents[2]))
    vendor = sorted(_vendor_files())
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(library):
            _add(archive, name, path.read_bytes())
        for name, path in vendor:
            _add(archive, VENDOR_PREFIX + name, path.read_bytes())
        _add(archive, DIGEST_ENTRY, _digest_of(vendor).encode("ascii"))
    return Bundle(target, hashlib.sha256(target.read_bytes()).hexdigest())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _digest_of(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _library_files(package: Path) -> Iterator[tuple[str, Path]]:
    for part in NODE_PARTS:
        root = package / part
        for path in [root] if root.is_file() else root.rglob("*.py"):
            yield f"{package.name}/{path.relative_to(package).as_posix()}", path


def _vendor_files() -> Iterator[tuple[str, Path]]:
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
