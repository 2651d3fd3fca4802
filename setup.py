"""Puts the folders that lie beside the package in a checkout inside it in a wheel; all else is in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = ("jobs", "bootstrap", "cluster_configs", "policies", "schedules")


class BuildWithFolders(build_py):
    """Copies the folders to `dynamodb_pipeline/bundle/` (emr/cluster/packaged_files.py looks there)."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in BESIDE:
                target = Path(self.build_lib) / "dynamodb_pipeline" / "bundle" / name
                shutil.copytree(name, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithFolders})
