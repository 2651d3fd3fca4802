"""
What mkdocs is told about this repository: pages outside docs/, links that lead there, and a mend of the search.

README.md is the front page; the other documents of people that stand beside what they describe are pages as well. A
link to any other file of the repository is no address of the site: its text stays, with the file's path behind it.
"""

from __future__ import annotations

import posixpath
import re
import runpy
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).parents[1]
OUTSIDE = runpy.run_path(str(Path(__file__).with_name("site_files.py")))["OUTSIDE"]
SOURCES = {page: source for source, page in OUTSIDE.items()}
# What explains or counts what was built comes after what says how to use it.
BEHIND = ("architecture", "aws-rules", "benchmarks/", "changelog", "contributing", "decisions/", "formats")
BOOST_BEHIND = 0.3
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
FENCED = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


# The search (lunr 2.3.9) tells nodes of its word graph apart by letters and numbers written without anything between
# them: where words have digits two nodes look alike, words come up that no page holds, and the query finds nothing.
ALIKE, APART = "o=this.edges[s];e=e+s+o.id}return e}", "o=this.edges[s];e=e+s+o.id+';'}return e}"


def on_post_build(config: MkDocsConfig) -> None:
    """
    Raises:
        RuntimeError: the theme's search is another one by now; look whether it still needs the mend.
    """
    for worker in Path(config.site_dir, "assets/javascripts/workers").glob("search.*.min.js"):
        text = worker.read_text(encoding="utf-8")
        if text.count(ALIKE) != 1:
            msg = f"{worker.name} is not the search that is mended here"
            raise RuntimeError(msg)
        worker.write_text(text.replace(ALIKE, APART), encoding="utf-8")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(PROJECT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    here = page.file.src_uri
    if here.startswith(BEHIND):
        page.meta.setdefault("search", {"boost": BOOST_BEHIND})
    source = SOURCES.get(here, f"docs/{here}")
    parts = FENCED.split(markdown)
    return "".join(part if number % 2 else _relinked(part, source, here) for number, part in enumerate(parts))


def _relinked(text: str, source: str, here: str) -> str:
    text = re.sub(r"!\[([^\]]*)\]\(docs/", r"![\1](", text) if source == "README.md" else text
    return LINK.sub(lambda link: _link(link[1], link[2], source, here), text)


def _link(text: str, target: str, source: str, here: str) -> str:
    file, hash_sign, anchor = target.partition("#")
    if not file or "://" in target:
        return f"[{text}]({target})"
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), file))
    page = OUTSIDE.get(wanted) or _page_of_docs(wanted)
    if page is None:
        return text if wanted in text else f"{text} (`{wanted}`)"
    return f"[{text}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{hash_sign}{anchor})"


def _page_of_docs(wanted: str) -> str | None:
    if wanted == "docs":
        return "index.md"
    inside = wanted.removeprefix("docs/")
    return inside if inside != wanted and (PROJECT / wanted).is_file() else None
