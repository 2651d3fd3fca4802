"""The command line's parsers, built from rows by argparse's public means, and what they read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from dynamodb_pipeline.errors import SHOWN_CHARACTERS, UsageError
from dynamodb_pipeline.settings.job_options import rows_of_job
from dynamodb_pipeline.settings.rows import Given, Options, Row, options_of
from dynamodb_pipeline.settings.values import utf8_word

NO_SUCH_VERB = re.compile(
    r"argument (?:VERB|WHAT): invalid choice: (?P<given>.*) \(choose from (?P<choices>.*)\)", re.DOTALL
)
LONG_WORD = re.compile(r"\S{200,}")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: exit code and form are the product's, a near option is named."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self.rows: tuple[Row[Any], ...] = ()
        self.seen: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it; the words are kept for the error that may follow."""
        self.seen = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        known = [row.name for row in self.rows]
        given = (word.partition("=")[0] for word in self.seen if word.startswith("--"))
        hints = [hint for name in given if self.rows and name not in known and (hint := did_you_mean(name, known))]
        said = LONG_WORD.sub(lambda match: f"{match[0][:SHOWN_CHARACTERS]}...", _without_choices(message))
        msg = "; ".join((said, *dict.fromkeys(hints), f"see {self.prog} --help"))
        raise UsageError(msg)


def _without_choices(message: str) -> str:
    """What argparse says of a verb that there is not, with what was meant, or else with all that there are."""
    match = NO_SUCH_VERB.match(message)
    if match is None:
        return message
    choices = re.findall(r"[a-z-]+", match["choices"])
    meant = [f"did you mean {each}?" for each in get_close_matches(match["given"].strip("'"), choices, n=1)]
    return "; ".join([f"there is no {match['given']}", *(meant or [f"there are: {', '.join(choices)}"])])


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`--tabel: did you mean --table?`, None when nothing is like it."""
    near = get_close_matches(name, list(known), n=1)
    return f"{name}: did you mean {near[0]}?" if near else None


class KeepGiven(argparse.Action):
    """Keeps the texts of a row under its name in `given`, in the order in which the options were written."""

    def __init__(self, *args: Any, row: Row[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:  # noqa: ARG002
        given: dict[str, tuple[str, ...]] = dict(getattr(namespace, "given", {}))
        texts = () if self.row.is_flag else (self.row.in_one_line(str(values)),)
        given[self.row.name] = (*given.get(self.row.name, ()), *texts) if self.row.many else texts
        namespace.given = given


def add_rows(parser: Parser, rows: Sequence[Row[Any]], *, supplied: Collection[str] = ()) -> None:
    """
    Add options to a parser, each under the heading of its group.

    Args:
        supplied: names that need not be given, because a settings file gives them.
    """
    parser.rows = (*parser.rows, *rows)
    groups: dict[str, Any] = {}
    exclusive: dict[str, Any] = {}
    for row in rows:
        place: Any = parser
        if row.group is not None:
            place = groups.setdefault(row.group, None) or parser.add_argument_group(row.group)
            groups[row.group] = place
            if row.exclusive:
                place = exclusive.setdefault(row.group, None) or place.add_mutually_exclusive_group()
                exclusive[row.group] = place
        _add_row(place, row, required=row.required and row.name not in supplied)


def _add_row(place: Any, row: Row[Any], *, required: bool) -> None:
    what: dict[str, Any] = {"action": KeepGiven, "row": row, "help": row.help.replace("%", "%%")}
    what["default"] = argparse.SUPPRESS
    if row.is_flag:
        what["nargs"] = 0
    elif row.metavar is not None:
        what["metavar"] = row.metavar
    if row.choices:
        what["choices"] = row.choices
    if row.is_argument:
        what |= {} if required else {"nargs": "?"}
        place.add_argument(row.field, **what)
    else:
        names = [row.short, row.name] if row.short else [row.name]
        place.add_argument(*names, dest=row.field, required=required, **what)


def given_of(parsed: argparse.Namespace, rows: Iterable[Row[Any]]) -> Given:
    """The options that were given, in their order."""
    by_name = {row.name: row for row in rows}
    return Given(tuple((by_name[name], texts) for name, texts in getattr(parsed, "given", {}).items()))


def utf8_words(words: Iterable[str]) -> list[str]:
    """
    The words of a command line as text.

    Raises:
        UsageError: one is not UTF-8.
    """
    return [utf8_word(word) for word in words]


def job_options(kind: str, words: Sequence[str]) -> Options:
    """
    The options of a job as its script is given them.

    Raises:
        UsageError: every problem of single options, one a line.
    """
    rows = rows_of_job(kind)
    parser = Parser(prog=f"{kind}_table.py")
    add_rows(parser, rows)
    return options_of(rows, given_of(parser.parse_args(utf8_words(words)), rows))


def words_read(kind: str, words: Sequence[str]) -> Given:
    """
    What a job's words say, read as far as they are known: a cluster's steps may be of another version of ours.
    """
    rows = rows_of_job(kind)
    parser = Parser(prog=kind, add_help=False)
    add_rows(parser, rows, supplied={row.name for row in rows})
    try:
        parsed, _ = parser.parse_known_args(list(words))
    except UsageError:
        return Given()
    return given_of(parsed, rows)


def merged(rows: Iterable[Row[Any]], given: Given, file: Mapping[str, tuple[str, ...]]) -> Given:
    """The options of the command line with those of a settings file where the user gave none; any rate is a rate."""
    rows = list(rows)
    taken = {row.name for row, _ in given.entries}
    exclusive = {row.group for row, _ in given.entries if row.exclusive}
    left = [
        (row, tuple(map(row.in_one_line, file[row.key])))
        for key in file
        for row in rows
        if row.key == key and row.name not in taken
    ]
    return Given(
        (*given.entries, *(entry for entry in left if not (entry[0].exclusive and entry[0].group in exclusive)))
    )
