"""
Looks at any folder or single file of items: what is it, what is in it, what is wrong with it.

Needs no table and no cluster. Nothing is believed and nothing ends the look but an empty place: what does not fit is
listed as a problem, and the rest is looked at all the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.folders.inspect_schema import SchemaTally, redacted
from dynamodb_pipeline.formats.files.compression import codec_of
from dynamodb_pipeline.formats.files.text import Text
from dynamodb_pipeline.reading.file_puts import BadLine, DataFile, ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader, check_stored, form_of, text_of
from dynamodb_pipeline.reading.finished_runs import Backup, backups_below, is_finished
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.reading.source import files_of_folder, load_source
from dynamodb_pipeline.store.objects import ObjectStore

PROBLEMS_KEPT = 100


@dataclass(frozen=True)
class InspectOptions:
    """How much to look at: lines to show redacted, and at most how many files (None: all)."""

    samples: int = 0
    max_files: int | None = None
    allow_buckets: tuple[str, ...] = ()


@dataclass
class FileFacts:
    """One file: None where it could not be found out."""

    name: str
    bytes: int
    compression: str | None = None
    dialect: str | None = None
    layout: str | None = None
    plain_bytes: int | None = None
    items: int | None = None
    problem_count: int = 0


@dataclass
class Inspection:
    """What was found so far."""

    path: str
    source: ImportSource | None = None
    exports: tuple[Backup, ...] = ()
    files: list[FileFacts] = field(default_factory=list)
    schema: SchemaTally = field(default_factory=SchemaTally)
    samples: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    def problem(self, text: str) -> None:
        """Note what is wrong; the first hundred by name."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(text)

    @property
    def item_count(self) -> int:
        """Items of all files that could be read."""
        return sum(facts.items or 0 for facts in self.files)

    @property
    def plain_bytes(self) -> int:
        """Text of all files that could be read."""
        return sum(facts.plain_bytes or 0 for facts in self.files)

    @property
    def dialects(self) -> dict[str, int]:
        """How many files have each dialect."""
        return dict(Counter(facts.dialect or "unknown" for facts in self.files))

    @property
    def layouts(self) -> dict[str, int]:
        """How many files have each layout."""
        return dict(Counter(facts.layout or "unknown" for facts in self.files))

    @property
    def compressions(self) -> dict[str, int]:
        """How many files have each compression."""
        return dict(Counter(facts.compression or "unknown" for facts in self.files))


def inspect_path(
    store: ObjectStore, path: str, options: InspectOptions, *, progress: Callable[[Inspection], None]
) -> Inspection:
    """
    Look at what lies at `path`; `progress` is called at first and after every file.

    Raises:
        PreconditionError: nothing is there that could hold items.
        DeniedError: it may not be read.
    """
    inspection = Inspection(path)
    progress(inspection)
    if not is_finished(store, path):
        inspection.exports = tuple(backup for backup in backups_below(store, path) if backup.has_manifest)
        if len(inspection.exports) > 1:
            return inspection
    inspection.source = _source(store, inspection, options)
    reader = FileReader(store, inspection.source.key_schema)
    for file in inspection.source.files[: options.max_files]:
        _Look(file, reader, inspection, samples=options.samples).take()
        progress(inspection)
    return inspection


def _source(store: ObjectStore, inspection: Inspection, options: InspectOptions) -> ImportSource:
    """The only export at or below the path, else every file that could hold items."""
    folder = inspection.exports[0].folder if inspection.exports else inspection.path
    try:
        source = load_source(store, folder, without_manifest=True, allow_buckets=options.allow_buckets)
        single = source.kind == "folder" and [file.uri for file in source.files] == [folder]
        return replace(source, kind="file") if single else source
    except IntegrityError as err:
        inspection.problem(str(err))
    try:
        return files_of_folder(store, folder)
    except PreconditionError:
        return ImportSource(folder, "folder", ())  # what is wrong with it is told, and nothing can be looked into


class _Look:
    """The look at one file."""

    def __init__(self, file: InputFile, reader: FileReader, inspection: Inspection, *, samples: int):
        self._file, self._reader, self._inspection, self._samples = file, reader, inspection, samples
        self._facts = FileFacts(file.name, file.bytes)
        inspection.files.append(self._facts)

    def take(self) -> None:
        try:
            data = self._opened()
            self._facts.items = 0
            for judged in self._reader.items(data):
                self._facts.items += 1
                self._judge(judged)
        except IntegrityError as err:
            self._problem(str(err))

    def _opened(self) -> DataFile:
        file, facts = self._file, self._facts
        stored = self._reader.store.fetch(file.uri, etag=file.etag)
        self._check(stored)
        facts.compression = codec_of(stored, name=file.uri).value
        plain = text_of(file, stored)
        facts.plain_bytes = len(plain)
        form = form_of(plain, name=file.uri)
        facts.dialect, facts.layout = form.dialect.value, form.layout.value
        return DataFile(file, plain, form)

    def _check(self, stored: Text) -> None:
        """Other bytes than the export's are a problem, but may still be looked at."""
        try:
            check_stored(self._file, stored)
        except IntegrityError as err:
            self._problem(str(err))

    def _judge(self, judged: ParsedItem | BadLine) -> None:
        if isinstance(judged, BadLine):
            self._problem(str(judged.error))
            return
        self._inspection.schema.add(judged.item)
        if len(self._inspection.samples) < self._samples:
            sample = {"file": self._file.name, "line": judged.line, "item": redacted(judged.item)}
            self._inspection.samples.append(sample)

    def _problem(self, text: str) -> None:
        self._facts.problem_count += 1
        self._inspection.problem(text)
