"""
Finds what comes with the package: job scripts, cluster configs, the bootstrap action, and the JSON tables (`emr/data`),
facts of AWS with source and date. Also reads the JSON files of a user.

In a checkout, also one that is installed as editable, the folders are top-level ones; a wheel carries them, and the
finished bundle zip, as `dynamodb_pipeline/bundle/<name>` (setup.py puts them there).
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError

PACKAGE = Path(__file__).resolve().parents[2]
CARRIED = PACKAGE / "bundle"  # in a wheel only: a checkout, installed as editable or not, has no such folder
ROOT = CARRIED if CARRIED.is_dir() else PACKAGE.parent


def project_folder(name: str, *, root: Path = ROOT) -> Path:
    """
    Return the folder or file `name` (`jobs`, `cluster_configs`, `requirements/node.sha256`) of this installation.

    Raises:
        UsageError: it is not there; the installation is incomplete.
    """
    if not (root / name).exists():
        msg = f"{name!r} of the installation not found (looked for {root / name}); run from a checkout or reinstall"
        raise UsageError(msg)
    return root / name


def finished_bundle(*, root: Path = ROOT) -> Path | None:
    """The bundle zip that a wheel carries; None in a checkout, where it is built of what `make setup` installed."""
    path = root / "dynamodb_pipeline.zip"
    return path if path.is_file() else None


@cache
def packaged_json(name: str) -> dict[str, Any]:
    """Return the table `emr/data/<name>`; the caller must not change it (it is kept)."""
    text = (resources.files("dynamodb_pipeline.emr") / "data" / name).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def json_file(path: Path, *, what: str) -> Any:
    """
    Return the JSON value in a file of the user's; `what` names the kind of file in messages.

    Raises:
        UsageError: unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        msg = f"{what} {path} cannot be read: {err.strerror}"
        raise UsageError(msg) from err
    except (ValueError, RecursionError) as err:
        msg = f"{what} {path} is not JSON: {err}"
        raise UsageError(msg) from err
