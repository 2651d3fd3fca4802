"""
A node's disk, and boto3 on a node that has none or an old one, from the copy inside the bundle zip.

botocore reads its service models as plain files, which does not work from inside a zip; so the copy is unpacked once
a node into a private, content-named folder. A boto3 that the node has wins unless it is older than `OLDEST_BOTO3`.
Driver, Spark workers and relay processes all call `ensure_boto3` first; it needs nothing but the standard library.
"""

from __future__ import annotations

import importlib.util
import os
import re
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
CHOSEN_BY_USER = ("TMPDIR", "TEMP", "TMP")
GIVEN_TO_WORKERS = ("LOCAL_DIRS", "SPARK_LOCAL_DIRS")  # by YARN's NodeManager; by spark-env.sh and standalone workers
NODE_DISK = "/mnt/tmp"  # EMR mounts its first data disk at /mnt and keeps temporary files there
# All that is used is in it: If-None-Match of PutObject came in 2024-08, WarmThroughput of DescribeTable in 2024-11.
OLDEST_BOTO3 = (1, 36)
_VERSION = re.compile(r"""^__version__ = ['"](\d+\.\d+(?:\.\d+)?)""", re.MULTILINE)


def local_disk_folder() -> str:
    """
    Where this process may write what is too large for memory: a folder on a disk of the node.

    The default temporary folder is none: Amazon Linux 2023 has /tmp in memory, and PySpark on YARN sets no TMPDIR
    (SPARK-53174). So, first of all that exist: what the user set, the folders that YARN or Spark gave this worker, the
    data disk of an EMR node, /var/tmp (kept on disk by file-hierarchy(7)).
    """
    if any(map(os.environ.get, CHOSEN_BY_USER)):
        return tempfile.gettempdir()
    given = (path for name in GIVEN_TO_WORKERS for path in os.environ.get(name, "").split(","))
    disks = (*given, NODE_DISK, *filter(os.path.ismount, [str(Path(NODE_DISK).parent)]), "/var/tmp")
    usable = (path for path in disks if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK))
    return next(usable, None) or tempfile.gettempdir()


def ensure_boto3() -> None:
    """
    Raises:
        PreconditionError: neither the interpreter nor the bundle has a boto3 that is new enough.
    """
    versions = {name: _version_in(name) for name in ("boto3", "botocore")}
    if min(versions.values()) >= OLDEST_BOTO3:
        return
    bundle = bundle_path()
    if bundle is None:
        had = ", ".join(f"{name} {'.'.join(map(str, version))}" for name, version in versions.items() if version)
        floor = ".".join(map(str, OLDEST_BOTO3))
        remedy = "pass --py-files dynamodb_pipeline.zip (make bundle)"
        msg = f"{sys.executable} has {had or 'no boto3'} (at least {floor}) and this is not the bundle zip; {remedy}"
        raise PreconditionError(msg)
    folder = unpack_vendor(bundle)
    if any(versions.values()):
        _put_first(folder)
    else:
        sys.path.append(str(folder))
    importlib.invalidate_caches()


def _put_first(folder: Path) -> None:
    """Import from the folder from now on, whatever of it was imported from elsewhere before."""
    sys.path.insert(0, str(folder))
    vendored = {entry.name.partition(".")[0] for entry in folder.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in vendored]:
        del sys.modules[name]


def _version_in(package: str) -> tuple[int, ...]:
    """The version that the package's source states, () without one; the package is not imported for it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ()
    stated = _VERSION.search(Path(spec.origin).read_text(encoding="utf-8", errors="replace"))
    return tuple(map(int, stated[1].split("."))) if stated else ()


def bundle_path() -> Path | None:
    """The zip this module was loaded from, None when it was loaded from a folder."""
    root = Path(__file__).parents[2]
    return root if zipfile.is_zipfile(root) else None


def unpack_vendor(bundle: Path, *, base: Path | None = None) -> Path:
    """
    Unpack the bundle's `vendor/` by atomic rename and return its folder; quick when it is there already.

    A temporary folder is everybody's, and the name can be guessed: what stands there under it but is not private to
    this user (another's folder, a link) is passed over, for a name that nobody can guess.

    Raises:
        PreconditionError: the bundle has no copy.
    """
    base = base or Path(local_disk_folder())
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
