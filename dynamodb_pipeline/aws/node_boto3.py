"""
Makes boto3 importable on a node that has none, from the copy inside the bundle zip.

botocore reads its service models as plain files, which does not work from inside a zip; so the copy is unpacked once
a node into a private, content-named folder and put at the end of `sys.path`: a boto3 that the node has wins. Driver,
Spark workers and relay processes all call `ensure_boto3` first; it needs nothing but the standard library.
"""

from __future__ import annotations

import importlib.util
import os
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

    Raises:
        PreconditionError: the bundle has no copy, or the folder belongs to somebody else.
    """
    base = base or Path(tempfile.gettempdir())
    with zipfile.ZipFile(bundle) as archive:
        digest = _digest(archive, bundle)
        target = base / f"dynamodb-pipeline-{os.getuid()}-{digest[:16]}"
        if not target.exists():
            _unpack(archive, target)
    _refuse_foreign(target)
    return target


def _digest(archive: zipfile.ZipFile, bundle: Path) -> str:
    try:
        return archive.read(DIGEST_ENTRY).decode("ascii").strip()
    except KeyError as err:
        msg = f"{bundle} holds no copy of boto3; build it with `make bundle`"
        raise PreconditionError(msg) from err


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    for entry in archive.infolist():
        if entry.filename.startswith(VENDOR_PREFIX) and not entry.is_dir():
            path = part / entry.filename[len(VENDOR_PREFIX) :]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(part)  # another process on this node was first


def _refuse_foreign(target: Path) -> None:
    status = target.stat()
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        msg = f"{target} is not private to this user; remove it"
        raise PreconditionError(msg)
