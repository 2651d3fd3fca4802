"""
An option as one row, and a command line as values; knows no option and no parser.

From the rows come the parsers (parser.py), the keys of `pipeline.toml`, the words of EMR's steps and of printed
commands (`Given.words`), and the reference page docs/options.md.

To add an option: write its row, of a job in job_options.py, of the launcher or of a verb of this machine in cli/, where
it shall stand in the help. `make options-page` then writes the page anew. A job's option that the job reads also needs
a field of its name in the settings of job.py; it is filled from the row.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Generic, TypeVar, cast

from dynamodb_pipeline.errors import UsageError, shown
from dynamodb_pipeline.settings.values import TEXT, ValueKind, check_text

QUOTED_OR_BLANKS = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")|[\t\r\n][ \t\r\n]*')
V = TypeVar("V")


class Where(Enum):
    """Who acts on an option, as the reference page says it."""

    JOB = "job on nodes"
    LAUNCHER = "launcher only"
    LOCAL = "local only"


@dataclass(frozen=True, eq=False)
class Row(Generic[V]):
    """
    One option, or (a name without dashes) one argument.

    Attributes:
        name: as it is written, `--max-set-aside`; of an argument as the help calls it, `EXPORT`.
        help: one line; a job's option says its default in it.
        verbs: that have it. What `export`, `import` and `verify` hand to a job their plans and schedules have too.
        metavar: what the help calls its value; None makes it a flag, or a choice where `choices` are given.
        value: turns its text into a value, and says which texts are taken.
        default: the text that counts when it is not given.
        many: may be repeated; its value is a tuple.
        group: heading of the help it stands under.
        exclusive: at most one of the exclusive rows of a group may be given.
        short: another spelling, `-f`.
    """

    name: str
    help: str
    verbs: tuple[str, ...]
    metavar: str | None = None
    value: ValueKind = TEXT
    where: Where = Where.JOB
    default: str | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    required: bool = False
    group: str | None = None
    exclusive: bool = False
    short: str | None = None

    def __str__(self) -> str:
        return self.name

    def also(self, **changes: Any) -> Row[Any]:
        """The same option as other verbs have it."""
        return replace(self, **changes)

    @property
    def is_argument(self) -> bool:
        return not self.name.startswith("-")

    @property
    def is_flag(self) -> bool:
        return self.metavar is None and not self.choices and not self.is_argument

    @property
    def key(self) -> str:
        """Its key in `pipeline.toml`."""
        return self.name.removeprefix("--")

    @property
    def field(self) -> str:
        """The field of its value in the settings of a job."""
        return field_name(self.name)

    def in_one_line(self, text: str) -> str:
        """The text as it is kept: with a space for other white space, quoted texts apart, where that is the same."""
        if not self.value.may_have_lines:
            return text
        return QUOTED_OR_BLANKS.sub(lambda match: match["quoted"] or " ", text)

    def parse(self, text: str) -> Any:
        """
        The value of one text.

        Raises:
            UsageError: names the option, the text and what is taken.
        """
        if self.choices and text not in self.choices:
            choices = ", ".join(map(repr, self.choices))
            msg = f"argument {self.name}: invalid choice: {shown(text)} (choose from {choices})"
            raise UsageError(msg)
        value = self.value.parse(text, option=self.name)
        check_text(text, option=self.name)
        return value

    def value_of(self, texts: Sequence[str] | None) -> Any:
        """The value of all its texts; None where it was not given."""
        if self.is_flag:
            return texts is not None
        if self.many:
            return tuple(self.parse(text) for text in texts or ())
        text = texts[-1] if texts else self.default
        return None if text is None else self.parse(text)


def field_name(name: str) -> str:
    """`max_set_aside` for `--max-set-aside`."""
    return name.removeprefix("--").replace("-", "_").lower()


@dataclass(frozen=True)
class Given:
    """Options as they were given, in their order: every row with its texts (none of a flag)."""

    entries: tuple[tuple[Row[Any], tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, texts: Mapping[Row[Any], str | None]) -> Given:
        """Options with one text each; None leaves one out."""
        return cls(tuple((row, (text,)) for row, text in texts.items() if text is not None))

    def texts(self, row: Row[Any]) -> tuple[str, ...] | None:
        """Its texts, None when it was not given."""
        return next((texts for given, texts in self.entries if given.name == row.name), None)

    def text(self, row: Row[Any]) -> str | None:
        """Its last text, None when it was not given."""
        texts = self.texts(row)
        return texts[-1] if texts else None

    def __contains__(self, row: Row[Any]) -> bool:
        return self.texts(row) is not None

    def __add__(self, more: Given) -> Given:
        """Both, one after the other; what stands in both comes from `more`."""
        return Given((*self.without(*(row for row, _ in more.entries)).entries, *more.entries))

    def without(self, *rows: Row[Any]) -> Given:
        names = {row.name for row in rows}
        return Given(tuple(entry for entry in self.entries if entry[0].name not in names))

    def only_those(self, *rows: Row[Any]) -> Given:
        names = {row.name for row in rows}
        return Given(tuple(entry for entry in self.entries if entry[0].name in names))

    def only(self, where: Where) -> Given:
        """Those that this one acts on."""
        return Given(tuple(entry for entry in self.entries if entry[0].where is where))

    def words(self) -> tuple[str, ...]:
        """The command line that gives them."""
        return tuple(word for row, texts in self.entries for word in _words(row, texts))


def _words(row: Row[Any], texts: tuple[str, ...]) -> Iterator[str]:
    if row.is_flag:
        yield row.name
    for text in texts:
        if row.is_argument:
            yield text
        elif text.startswith("-"):  # as a word of its own it would be taken for an option
            yield f"{row.name}={text}"
        else:
            yield from (row.name, text)


@dataclass(frozen=True)
class Options:
    """The options of one command line: every row's value, and which were given."""

    given: Given
    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, row: Row[V]) -> V:
        return cast("V", self.values[row.name])

    def __contains__(self, row: Row[Any]) -> bool:
        """True when it was given."""
        return row in self.given

    def by_field(self) -> dict[str, Any]:
        """Every value under the name that its field in a job's settings has."""
        return {field_name(name): value for name, value in self.values.items()}

    def get(self, row: Row[Any]) -> Any:
        """Its value; None where the verb has no such option."""
        return self.values.get(row.name)


class Problems:
    """Collects every problem of a command line so that the user meets them all at once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def attempt(self, check: Callable[[], V]) -> V | None:
        """What the check returns, None when it finds a problem."""
        try:
            return check()
        except UsageError as err:
            self.texts.append(str(err))
            return None

    def require(self, holds: bool, text: str) -> None:
        if not holds:
            self.texts.append(text)

    def end(self) -> None:
        """
        Raises:
            UsageError: all problems, one a line.
        """
        if self.texts:
            raise UsageError.of_lines(self.texts)


def options_of(rows: Collection[Row[Any]], given: Given) -> Options:
    """
    The values of a command line.

    Raises:
        UsageError: every option whose text is not taken, one a line.
    """
    problems, values = Problems(), {}
    for row in rows:
        values[row.name] = problems.attempt(lambda row=row: row.value_of(given.texts(row)))  # type: ignore[misc]
    missing = [row.name for row in rows if row.required and not given.texts(row)]
    problems.require(not missing, f"the following arguments are required: {', '.join(missing)}")
    for group in {row.group for row in rows if row.exclusive}:
        both = [row for row, _ in given.entries if row.exclusive and row.group == group]
        if len(both) > 1:
            problems.require(False, f"argument {both[1]}: not allowed with argument {both[0]}")
    problems.end()
    return Options(given, values)


def command_line(program: Sequence[str], given: Given) -> str:
    """One line to paste into a shell."""
    return shlex.join((*program, *given.words()))
