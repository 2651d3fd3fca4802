"""The tests have teeth: known bugs, put back into a copy of the package one at a time, make named tests fail."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.known_bugs import BUGS, Bug

ROOT = Path(__file__).parents[2]
PRELOADED = ("pytest", "hypothesis", "boto3", "botocore.session")  # nothing of ours: that comes from the copy
PRELOADED_IS_NOT_REWRITTEN = "ignore::pytest.PytestAssertRewriteWarning"
AT_ONCE = 2
TIMEOUT_S = 120.0
FAILED, PASSED, CRASHED = 1, 0, 70  # exit codes of pytest, and ours; others mean that it could not run the tests


# A process forked off one that has all that others wrote starts in a third of the time.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([*PRELOADED])


def copy_of_the_package(folder: Path) -> Path:
    """The library, its unit tests and the shapes of clusters that the launcher reads."""
    for name in ("dynamodb_pipeline", "tests/unit", "cluster_configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def put_back(bug: Bug, root: Path) -> None:
    path = root / "dynamodb_pipeline" / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.right) == 1, f"{bug.file} no longer holds exactly once:\n{bug.right}"
    path.write_text(text.replace(bug.right, bug.wrong), encoding="utf-8")


def run_tests(root: Path, names: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and last lines of pytest over `names` in the copy at `root`."""
    said = root / "said.txt"
    process = FORKS.Process(target=pytest_in, args=(str(root), names, str(said)))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    return CRASHED if process.exitcode is None else process.exitcode, said.read_text(encoding="utf-8")[-3000:]


def pytest_in(root: str, names: tuple[str, ...], said: str) -> None:
    """In a process of its own: pytest over `names` in the copy, what it says into a file."""
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.chdir(root)
    sys.dont_write_bytecode = True
    words = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", f"--rootdir={root}"]
    code: int = CRASHED
    try:
        code = pytest.main([*words, "-W", PRELOADED_IS_NOT_REWRITTEN, *(f"tests/unit/{name}" for name in names)])
    finally:
        sys.stdout.flush()
        os._exit(code)


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
