"""
Finds the files that lie beside the package: job scripts, cluster configs, the bootstrap action.

In a checkout they are top-level folders; a wheel carries them as `dynamodb_pipeline/bundle/<folder>`.
"""

from __future__ import annotations

from pathlib import Path

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
