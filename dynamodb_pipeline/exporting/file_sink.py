"""The pages of a scan as data files of an export."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, Callable

from dynamodb_pipeline.dynamodb.requests import ScanPage
from dynamodb_pipeline.exporting.data_files import DataFileWriter
from dynamodb_pipeline.formats.blocks.retag import scan_page_lines
from dynamodb_pipeline.formats.exports.export_record import FileRecord
from dynamodb_pipeline.formats.items.json_text import parse_json
from dynamodb_pipeline.formats.items.tags import item_to_connector_line
from dynamodb_pipeline.passes.pages import check_page_count, page_items
from dynamodb_pipeline.passes.segments import Sink
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.worker import Tools


def page_lines(page: ScanPage, *, null_tag: str) -> bytes:
    """
    The page's items as connector lines, each ended by LF: on bytes where that is certain, else parsed.

    Raises:
        IntegrityError: the page does not hold as many items as its Count says.
    """
    fast = scan_page_lines(page.body, null_tag=null_tag)
    if fast is None:
        items = page_items(page, parse=parse_json)
        return b"".join(item_to_connector_line(item, null_tag=null_tag) for item in items)
    lines, count = fast
    check_page_count(page, count)
    return lines


class FileSink:
    """Pages become one data file per unit of work."""

    def __init__(self, writer_for: Callable[[Callable[[FileRecord], None]], DataFileWriter], *, null_tag: str):
        self._files: list[FileRecord] = []
        self._writer = writer_for(self._files.append)
        self._null_tag = null_tag

    def add(self, page: ScanPage) -> bool:
        if page.count:
            self._writer.add(page_lines(page, null_tag=self._null_tag), page.count)
        return not self._files

    def record(self) -> dict[str, Any]:
        self._writer.flush()
        files, self._files[:] = [asdict(f) for f in self._files], []
        return {"files": files}

    def abandon(self) -> None:
        self._writer.abandon()
        self._files.clear()


def file_sink(tools: Tools, *, folder: str, compression: str, null_tag: str) -> Sink:
    """A worker's `FileSink`, which stores into `folder`."""
    return FileSink(partial(_writer, tools.store(), folder, compression), null_tag=null_tag)


def _writer(store: ObjectStore, folder: str, compression: str, on_file: Callable[[FileRecord], None]) -> DataFileWriter:
    return DataFileWriter(store, folder, compression=compression, on_file=on_file)
