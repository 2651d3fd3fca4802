"""
Puts into a wheel what lies beside the package in a checkout, and the finished bundle; all else is in pyproject.toml.

The bundle is what cluster nodes get, a pinned boto3 in it: whoever installs the wheel sends nodes what was tested, not
what their pip happened to find.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PROJECT = Path(__file__).resolve().parent
BESIDE = ("jobs", "bootstrap", "cluster_configs", "policies", "schedules")


class BuildWithFolders(build_py):
    """Fills `dynamodb_pipeline/bundle/` (emr/cluster/packaged_files.py looks there)."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        carried = Path(self.build_lib) / "dynamodb_pipeline" / "bundle"
        for name in BESIDE:
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, carried / name, dirs_exist_ok=True, ignore=skipped)
        sys.path.insert(0, str(PROJECT))  # a build's own interpreter does not look into the checkout
        from dynamodb_pipeline.emr.request.bundle import ZIP_NAME, build_bundle

        build_bundle(carried / ZIP_NAME, root=PROJECT)


setup(cmdclass={"build_py": BuildWithFolders})
