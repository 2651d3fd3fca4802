"""Records of runs as jobs write them, and pages read back by a parser."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from dynamodb_pipeline.report.figures import RunFigures, resume_of, run_figures
from dynamodb_pipeline.report.page import page
from dynamodb_pipeline.report.read import Record

RUN = "20261123T030000Z-7f3a91c2"
WITHOUT_END = {"meta", "br", "link", "img"}


def record(**changes: Any) -> Record:
    """A finished run without figures; None takes a key away."""
    facts = {
        "kind": "export",
        "run_id": RUN,
        "tool_version": "0.1.0",
        "region": "eu-west-1",
        "pid": 4711,
        "table_names": ["Orders"],
        "first_started": "2026-11-23T03:00:00Z",
        "started": "2026-11-23T03:00:00Z",
        "ended": "2026-11-23T03:10:00Z",
        "state": "done",
        "exit_code": 0,
        **changes,
    }
    kept = {key: value for key, value in facts.items() if value is not None}
    return Record(f"s3://my-bucket/logs/runs/{kept['run_id']}/run.json", kept)


def exported(table: str, **changes: Any) -> dict[str, Any]:
    """One table's part of an export's record: half of what was allowed."""
    return {
        "table": table,
        "export_uri": f"s3://my-bucket/exports/{table}/2026-11-23-03-00-00/",
        "items": 12_400,
        "files": 4,
        "bytes": 531_390,
        "plain_bytes": 531_390,
        "read_units_consumed": 5_000.0,
        "read_units_estimated": False,
        "read_units_per_s_allowed": 100.0,
        "rate": "25% of 400 read units (provisioned) = 100/s",
        "reader": "direct",
        "seconds": 100.0,
        "throttles": 3,
        **changes,
    }


IMPORTED = {
    "kind": "import",
    "table": "Orders",
    "input": "s3://my-bucket/exports/2026-11-23-03-00-00/",
    "items": 1_000,
    "items_written": 993,
    "items_set_aside": 7,
    "files": 4,
    "bytes": 531_390,
    "write_units_consumed": 60_000.0,
    "index_units_consumed": {"index:ByDate": 12.0},
    "write_units_per_s_allowed": 200.0,
    "rate": "50% of 400 write units (provisioned) = 200/s",
    "throttles": 0,
    "exit_code": 8,
}
STOPPED = {"state": "failed", "exit_code": 5, "error": "8 units of work were not finished; resume the run"}


def figures(*records: Record, run: str | None = None) -> RunFigures:
    return run_figures(records, run=run)


def page_of(*records: Record, run: str | None = None, logs: str | None = None) -> str:
    found = figures(*records, run=run)
    return page(found, resume=resume_of(found, logs=logs))


class PageParser(HTMLParser):
    """Collects elements and text; an element that is closed out of turn fails."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in WITHOUT_END:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == []


def parsed_page(text: str) -> PageParser:
    parser = PageParser()
    parser.feed(text)
    parser.close()
    return parser


def pairs(text: str) -> dict[str, str]:
    """Label and text of every row of every list on the page; the last of a label wins."""
    found: dict[str, str] = {}
    for row in text.split("<dt>")[1:]:
        label, _, rest = row.partition("</dt><dd>")
        found[label] = "".join(parsed_page(rest.partition("</dd>")[0]).texts)
    return found
