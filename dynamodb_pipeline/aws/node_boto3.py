"""
Makes boto3 importable on a node that has none, from the copy inside the bundle zip.

botocore reads its service models as plain files, which does not work from inside a zip; so the copy is unpacked once
a node into a private, content-named folder and put at the end of `sys.path`: a boto3 that the node has wins. Driver,
Spark workers and relay processes all call `ensure_boto3` first; it needs nothing but the standard library.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

from dynamodb_pipeline.errors import PreconditionError

SPARK_GATEWAY = "PYSPARK_GATEWAY_PORT"  # set by spark-submit for its Python child
VENDOR_PREFIX = "vendor/"
DIGEST_ENTRY = "vendor.sha256"


def ensure_boto3() -> None:
    """
    Raises:
        PreconditionError: neither the interpreter nor the bundle has boto3.
    """
    if importlib.util.find_spec("boto3") is not None:
        return
    bundle = bundle_path()
    if bundle is None:
        remedy = "pass --py-files dynamodb_pipeline.zip (make bundle)"
        msg = f"{sys.executable} has no boto3 and this is not the bundle zip; {remedy}"
        raise PreconditionError(msg)
    sys.path.append(str(unpack_vendor(bundle)))
    importlib.invalidate_caches()


def bundle_path() -> Path | None:
    """The zip this module was loaded from, None when it was loaded from a folder."""
    root = Path(__file__).parents[2]
    return root if zipfile.is_zipfile(root) else None


def unpack_vendor(bundle: Path, *, base: Path | None = None) -> Path:
    """
    Unpack the bundle's `vendor/` by atomic rename and return its folder; quick when it is there already.

    The temporary folder is everybody's, and the name can be guessed: what stands there under it but is not private to
    this user (another's folder, a link) is passed over, for a name that nobody can guess.

    Raises:
        PreconditionError: the bundle has no copy.
    """
    base = base or Path(tempfile.gettempdir())
    with zipfile.ZipFile(bundle) as archive:
        digest = _digest(archive, bundle)
        target = base / f"dynamodb-pipeline-{os.getuid()}-{digest[:16]}"
        for known in (target, *base.glob(f"{target.name}-*")):
            if _is_private(known):
                return known
        return _in_place(_unpack(archive, target), target)


def _digest(archive: zipfile.ZipFile, bundle: Path) -> str:
    try:
        return archive.read(DIGEST_ENTRY).decode("ascii").strip()
    except KeyError as err:
        msg = f"{bundle} holds no copy of boto3; build it with `make bundle`"
        raise PreconditionError(msg) from err


def _unpack(archive: zipfile.ZipFile, target: Path) -> Path:
    part = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    for entry in archive.infolist():
        if entry.filename.startswith(VENDOR_PREFIX) and not entry.is_dir():
            path = part / entry.filename[len(VENDOR_PREFIX) :]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))
    return part


def _in_place(part: Path, target: Path) -> Path:
    try:
        return part.rename(target)
    except OSError:
        if _is_private(target):
            shutil.rmtree(part)  # another process on this node was first
            return target
        return part.rename(target.with_name(f"{target.name}-{secrets.token_hex(16)}"))


def _is_private(folder: Path) -> bool:
    """Whether it is a folder of this user, no link, that nobody else can write to."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return mine and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
