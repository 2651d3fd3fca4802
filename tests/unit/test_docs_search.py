"""What a newcomer asks the site's search leads to the page with the answer: asked of the search that a browser runs."""

from __future__ import annotations

import json
import shutil
import string
import subprocess
from pathlib import Path

import pytest

from tests.unit.documents import PROJECT

MKDOCS = PROJECT / ".build" / "docs" / "bin" / "mkdocs"
ASK = PROJECT / ".ci" / "ask_site.js"
SHOWN = 3  # what is read of the answers

pytestmark = [
    pytest.mark.skipif(not MKDOCS.exists(), reason="the site's generator is not installed here: make docs"),
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here to run the site's search"),
]
# The question, and the pages that answer it.
QUESTIONS = {
    "how do I resume a failed import": {"faq.html", "operations.html"},
    "why is the default reader the slower one": {"faq.html"},
    "how much does an export cost": {"costs.html"},
    "restore an old data pipeline backup": {"old-backup.html"},
    "copy to another account": {"copy.html"},
    "what does exit code 3 mean": {"exit-codes.html"},
    "how do I change the rate while it runs": {"rate.html"},
    "import only changed items": {"faq.html", "reset.html"},
    "stop a run": {"operations.html"},
    "schedule every night": {"nightly-export.html"},
    "Which rights does it need?": {"faq.html", "policies.html"},
    "how do I install it": {"faq.html", "getting-started.html"},
    "on-demand table how fast": {"faq.html", "rate.html"},
    "slow down a running export": {"faq.html", "rate.html"},
    "how do I know the backup is complete": {"faq.html", "restore.html"},
    "spot instances": {"faq.html", "costs.html"},
}
# whoever types sees answers from the first letter on; 3 and 378 are what a search without the mend broke on once
BEGINNINGS = [*string.ascii_lowercase, *string.digits, *map(str, range(10, 1000))]


def answers_of(site: Path, *questions: str) -> dict[str, list[str]]:
    done = subprocess.run(["node", ASK, site, *questions], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The site is built anew from the pages as they are; each question is asked of it."""
    site = tmp_path_factory.mktemp("site")
    words = [MKDOCS, "build", "--quiet", "--site-dir", site]
    env = {"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(words, cwd=PROJECT, env=env, capture_output=True, timeout=120, check=True)
    return answers_of(site, *QUESTIONS, *BEGINNINGS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_right_page_is_among_the_first(answers: dict[str, list[str]], question: str) -> None:
    assert QUESTIONS[question] & set(answers[question][:SHOWN]), answers[question][:SHOWN]


def test_every_beginning_of_a_word_can_be_asked(answers: dict[str, list[str]]) -> None:
    """Without its mend the search breaks on words with digits, and a query that meets one is answered with nothing."""
    assert [letter for letter in BEGINNINGS if letter not in answers] == []
