"""Links and files that documents name exist; no tracked file names a machine or a registry."""

from __future__ import annotations

import re
import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.documents import DECISIONS, DOCS, PROJECT, name_of, text_of

MODULE = r"(?<![\w/.*<>}-])(?:[a-z]\w*/)*[a-z]\w*\.py\b"


def _headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if re.match(r"https://", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), target
        assert not anchor or anchor in _headings(place), target


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_files_named_exist(path: Path) -> None:
    """Paths in back quotes and plain ones in brackets that begin with a folder of this project."""
    folders = {entry.name for entry in PROJECT.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    named = re.findall(r"(?<![\w/.-])([a-z_]+(?:/[\w.-]+)+)", re.sub(r"\]\([^)]*\)", "]", text_of(path)))
    ours = {name.rstrip(".") for name in named if name.partition("/")[0] in folders - {"dist"}}
    assert {name for name in ours if not (PROJECT / name).exists() and not _built(name)} == set()


def _built(name: str) -> bool:
    """Folders that `make setup` fills."""
    return name.startswith("jars/")


def test_modules_named_exist() -> None:
    """`rate/budget.py` and `budget.py`, in the documents and in the library's own docstrings and comments."""
    sources = {
        path.relative_to(PROJECT).as_posix()
        for folder in ("dynamodb_pipeline", "jobs", "sandbox", "benchmarks", "tests", "examples")
        for path in (PROJECT / folder).rglob("*.py")
    }
    endings = {name.split("/", cut)[-1] for name in sources for cut in range(name.count("/") + 1)} | {"setup.py"}
    texts = [*DOCS, *sorted((PROJECT / "dynamodb_pipeline").rglob("*.py"))]
    named = {(name_of(path), name) for path in texts for name in re.findall(MODULE, text_of(path))}
    assert len(named) > 100
    assert {(where, name) for where, name in named if name not in endings} == set()


def test_tests_named_exist() -> None:
    """`tests/unit/test_x.py::test_y`, as CONTRIBUTING.md says what catches a forgotten place."""
    named = {pair for path in DOCS for pair in re.findall(r"(tests/[\w/]+\.py)::(\w+)", text_of(path))}
    assert len(named) > 20
    sources = {file: (PROJECT / file).read_text(encoding="utf-8") for file, _ in named}
    assert {(file, name) for file, name in named if f"\ndef {name}(" not in sources[file]} == set()


def test_every_page_is_in_the_sites_navigation() -> None:
    """`make docs` is strict about it; here it is known without the generator."""
    text = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- (?:\w+: )?([\w/-]+\.md)$", text.partition("\nnav:\n")[2], re.MULTILINE)
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in DOCS if path.is_relative_to(PROJECT / "docs")}
    outside = set(runpy.run_path(str(PROJECT / ".ci" / "site_files.py"))["OUTSIDE"].values())
    unlisted = {name for name in pages | outside if name.startswith(("decisions/0", "benchmarks/"))}
    assert len(listed) == len(set(listed)) > 25
    assert set(listed) == (pages | outside) - unlisted


def test_the_sites_packages_are_pinned_and_named_for_it_alone() -> None:
    """They are no part of the development environment: `make setup` stays quick."""
    site, dev = ((PROJECT / "requirements" / f"{name}.in").read_text() for name in ("docs", "dev"))
    assert "mkdocs-material" in site
    assert "mkdocs" not in dev


def test_decisions_are_numbered_and_short() -> None:
    names = [path.name for path in DECISIONS]
    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    lengths = {path.name: len(text_of(path).splitlines()) for path in DECISIONS}
    assert {name: length for name, length in lengths.items() if not 15 <= length <= 30} == {}


def tracked_texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=PROJECT, check=True).stdout
    for name in listed.decode().split("\0"):
        path = PROJECT / name
        if name and path.is_file():
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


# Each pattern is written so that it does not match itself.
NOT_FOR_OTHERS = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|home/[a-z]+|tmp/[w])/"),
    "the host of a registry": re.compile(
        r"(?:registry\.npm[j]s|pyp[i]\.org|pythonhoste[d]|rep[o]1?\.maven|maven\.org[/]|artifactor[y]|nexu[s]\.)"
    ),
}


@pytest.mark.parametrize("what", NOT_FOR_OTHERS)
def test_no_machine_and_no_registry_is_named_in_any_tracked_file(what: str) -> None:
    found = {name: sorted(set(NOT_FOR_OTHERS[what].findall(text))) for name, text in tracked_texts()}
    assert len(found) > 100
    assert {name: words for name, words in found.items() if words} == {}
