"""
Finds what comes with the package: job scripts, cluster configs, the bootstrap action, and the JSON tables (`emr/data`),
facts of AWS with source and date. Also reads the JSON files of a user.

In a checkout the folders are top-level ones; a wheel carries them as `dynamodb_pipeline/bundle/<folder>`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError

PACKAGE = Path(__file__).resolve().parents[2]
ROOTS = (PACKAGE.parent, PACKAGE / "bundle")


def project_folder(name: str, *, roots: tuple[Path, ...] = ROOTS) -> Path:
    """
    Return the folder `name` (`jobs`, `cluster_configs`, `bootstrap`) of this installation.

    Raises:
        UsageError: it is in none of `roots`; the installation is incomplete.
    """
    for root in roots:
        if (root / name).is_dir():
            return root / name
    searched = ", ".join(str(root / name) for root in roots)
    msg = f"folder {name!r} not found (looked for {searched}); run from a checkout or reinstall the package"
    raise UsageError(msg)


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
