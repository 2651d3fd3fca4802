"""The tests have teeth: known bugs, put back into a copy of the package one at a time, make named tests fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.known_bugs import BUGS, Bug

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("cli", "emr", "folders", "report")  # no bug of these is in the list
AT_ONCE = 2
FAILED, PASSED = 1, 0  # exit codes of pytest; others mean that it could not run the tests


def copy_of_the_package(folder: Path) -> Path:
    """The library and its pure tests, without what needs a sandbox."""
    for name in ("dynamodb_pipeline", "tests/unit"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", *LEFT_OUT))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def put_back(bug: Bug, root: Path) -> None:
    path = root / "dynamodb_pipeline" / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.right) == 1, f"{bug.file} no longer holds exactly once:\n{bug.right}"
    path.write_text(text.replace(bug.right, bug.wrong), encoding="utf-8")


def run_tests(root: Path, names: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and last lines of pytest over `names` in the copy at `root`."""
    words = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    tests = [f"tests/unit/{name}" for name in names]
    done = subprocess.run([*words, *tests], cwd=root, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout[-1500:] + done.stderr[-1500:]


def with_bug(bug: Bug, test: str, root: Path) -> tuple[int, str]:
    put_back(bug, copy_of_the_package(root))
    return run_tests(root, (test,))


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[tuple[int, str]]]]:
    """What each test said of each bug that this run of pytest asks for; two at a time, since each starts a Python."""
    asked = {item.callspec.params["case"] for item in request.session.items if "outcomes" in item.fixturenames}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (name, test): pool.submit(with_bug, BUGS[name], test, tmp_path_factory.mktemp("copy"))
            for name, test in CASES
            if (name, test) in asked
        }


CASES = [(name, test) for name, bug in BUGS.items() for test in bug.caught_by]


@pytest.mark.parametrize("case", CASES, ids=[f"{name}-{test}" for name, test in CASES])
def test_a_known_bug_is_caught(case: tuple[str, str], outcomes: dict[tuple[str, str], Future[tuple[int, str]]]) -> None:
    name, test = case
    code, text = outcomes[case].result()
    assert code == FAILED, f"{name} ({BUGS[name].harm}) passes {test}:\n{text}"


def test_the_copy_without_a_bug_passes(tmp_path: Path) -> None:
    """Otherwise every test above could fail for one other reason."""
    code, text = run_tests(copy_of_the_package(tmp_path), tuple(test for _, test in CASES))
    assert code == PASSED, text


def test_a_bug_whose_text_is_gone_is_no_test(tmp_path: Path) -> None:
    root = copy_of_the_package(tmp_path)
    bug = next(iter(BUGS.values()))._replace(right="text that nobody wrote")
    with pytest.raises(AssertionError, match="no longer holds exactly once"):
        put_back(bug, root)
