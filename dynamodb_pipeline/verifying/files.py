"""
The pass of a verification over an export's files: every byte and every item, nothing believed.

Unlike the check before an import it does not stop at the first problem: it counts them all and names some.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from dynamodb_pipeline.documents import Document, Facts, member, natural, optional, string, strings
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.files.file_forms import WantedTable
from dynamodb_pipeline.formats.items.digest import BucketDigest
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.reading.file_puts import BadLine, ParsedItem
from dynamodb_pipeline.reading.file_reader import FileReader
from dynamodb_pipeline.reading.input_files import FileWork
from dynamodb_pipeline.reading.key_spill import BLOCK_BYTES, place_bytes
from dynamodb_pipeline.workers.contract import CoordinatorClient
from dynamodb_pipeline.workers.worker import Tools, Unit

PROBLEMS_OF_A_FILE = 5
PROBLEMS_KEPT = 10_000  # files with problems, and keys that stand twice; the rest is only counted


def start_verify_files(
    tools: Tools, *, keys: KeySchema | None, wanted: WantedTable | None = None
) -> Callable[[Unit], None]:
    """Return what reads one file; without `keys` everything but keys is checked."""
    return partial(verify_file, reader=FileReader(tools.store(), keys, wanted=wanted), grants=tools.grants)


def verify_file(unit: Unit, *, reader: FileReader, grants: CoordinatorClient) -> None:
    """Read one file and report what it holds and what is wrong with it."""
    work = FileWork.from_json(unit)
    tally = _Tally(lambda block: grants.keep(work.work_id, block), work.number)
    try:
        data = reader.open(work.file)
        tally.plain_bytes, tally.dialect, tally.noun = len(data.plain), data.form.dialect.value, data.form.noun
        tally.read(reader.items(data))
    except IntegrityError as err:
        tally.problem(str(err))
    grants.progress(items=tally.items)
    grants.finished(work.work_id, tally.record().to_json())


@dataclass(frozen=True)
class VerifiedFile(Document):
    """
    What a file holds and what is wrong with it, as it is reported.

    Attributes:
        dialect: None for a file that could not be opened.
        noun: what its places are counted in, `line` or `item`.
        problems: the first of them.
    """

    number: int = member(natural)
    items: int = member(natural)
    plain_bytes: int = member(natural)
    dialect: str | None = member(optional(string))
    noun: str = member(string)
    problems: tuple[str, ...] = member(strings)
    problem_count: int = member(natural)
    digest: BucketDigest = member(BucketDigest.from_json)


class _Tally:
    """Counts and digests one file's items, and hands the hashes of their keys on in blocks."""

    def __init__(self, keep: Callable[[str], None], number: int):
        self._keep, self._number = keep, number
        self._places = bytearray()
        self._digest = BucketDigest()
        self._problems: list[str] = []
        self._problem_count = 0
        self.plain_bytes, self.items, self.noun = 0, 0, "line"
        self.dialect: str | None = None

    def read(self, items: Iterable[ParsedItem | BadLine]) -> None:
        for judged in items:
            self.items += 1
            if isinstance(judged, BadLine):
                self.problem(str(judged.error))
            elif judged.key is not None:
                self._digest.add(judged.item, judged.key, size_bytes=judged.size_bytes)
                self._places += place_bytes(judged.key, file=self._number, line=judged.line)
                if len(self._places) >= BLOCK_BYTES:
                    self._send()
        self._send()

    def problem(self, text: str) -> None:
        self._problem_count += 1
        if len(self._problems) < PROBLEMS_OF_A_FILE:
            self._problems.append(text)

    def record(self) -> VerifiedFile:
        return VerifiedFile(
            self._number,
            self.items,
            self.plain_bytes,
            self.dialect,
            self.noun,
            tuple(self._problems),
            self._problem_count,
            self._digest,
        )

    def _send(self) -> None:
        if self._places:
            self._keep(base64.b64encode(self._places).decode("ascii"))
            self._places.clear()


@dataclass
class FileFindings:
    """What the pass over all files found; filled on the driver."""

    items: int = 0
    plain_bytes: int = 0
    dialects: Counter[str] = field(default_factory=Counter)
    documents: set[int] = field(default_factory=set)
    digest: BucketDigest = field(default_factory=BucketDigest)
    problem_count: int = 0
    _problems: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _of_no_file: list[str] = field(default_factory=list)

    def add(self, record: Facts) -> None:
        """Take one file's record."""
        file = VerifiedFile.from_json(record)
        self.items += file.items
        self.plain_bytes += file.plain_bytes
        if file.dialect:
            self.dialects[file.dialect] += 1
        if file.noun == "item":
            self.documents.add(file.number)
        self.digest.merge(file.digest)
        self.problem_count += file.problem_count
        if file.problems and len(self._problems) < PROBLEMS_KEPT:
            self._problems[file.number] = file.problems

    def add_problem(self, text: str) -> None:
        """Take a problem that is not of one file alone; it is named after those of files."""
        self.problem_count += 1
        if len(self._of_no_file) < PROBLEMS_KEPT:
            self._of_no_file.append(text)

    def problems(self, limit: int) -> list[str]:
        """The first few problems, in the manifest's order."""
        of_files = [text for _, texts in sorted(self._problems.items()) for text in texts]
        return [*of_files, *self._of_no_file][:limit]
