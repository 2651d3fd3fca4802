"""The product as a user has it who never saw the checkout: its wheel in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamodb_pipeline import __version__
from sandbox.processes import PROJECT
from tests.sandbox.cli import TIMEOUT_S, Outcome, outcome_of

SOURCES = ("dynamodb_pipeline", "jobs", "bootstrap", "cluster_configs", "policies", "schedules", "requirements", ".ci")
FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", ".gitignore")
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")
# What the wheel depends on, by the names below site-packages: of the tests' environment, not of an index.
DEPENDENCIES = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "rich", "pygments", "markdown_it")
DEPENDENCY_MODULES = ("six.py", "mdurl")


@dataclass(frozen=True)
class Installed:
    """
    An installed wheel.

    Attributes:
        wheel: the file it was installed from.
        folder: where its commands are run.
        program: its `dynamodb-pipeline`.
        package: its package below site-packages.
    """

    wheel: Path
    folder: Path
    program: Path
    package: Path

    def run(self, *words: str, env: Mapping[str, str]) -> Outcome:
        """Run the installed command in a folder that is not the checkout, and demand one JSON document."""
        clean = {name: value for name, value in env.items() if name != "PYTHONPATH"}
        command = [str(self.program), *words]
        return outcome_of(
            subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, timeout=TIMEOUT_S, check=False)
        )


def released(source: Path) -> Path:
    """Release a committed copy of the checkout, its changelog dated; return the folder with wheel, zip and sums."""
    for name in SOURCES:
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, source / name)
    (source / "CHANGELOG.md").write_text(f"# Changelog\n\n## {__version__} (2026-01-31)\n\n- First.\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "release")):
        subprocess.run([*GIT, *words], cwd=source, check=True, capture_output=True)
    command = [sys.executable, str(source / ".ci" / "release.py")]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return source / "dist"


def installed_wheel(folder: Path) -> Installed:
    """Build the wheel and install it into a fresh environment below `folder`."""
    (wheel,), environment = released(folder / "source").glob("*.whl"), folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    _pip("--python", str(environment / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = environment.glob("lib/python*/site-packages")
    _link_dependencies(site)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel, elsewhere, environment / "bin" / "dynamodb-pipeline", site / "dynamodb_pipeline")


def _link_dependencies(site: Path) -> None:
    ours = Path(sysconfig.get_path("purelib"))
    for name in (*DEPENDENCIES, *DEPENDENCY_MODULES):
        (site / name).symlink_to(ours / name)


def _pip(*words: str) -> None:
    command: Sequence[str] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
