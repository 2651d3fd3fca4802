"""The whole command line: its verbs, its parser, and what a line of words means."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamodb_pipeline import __version__
from dynamodb_pipeline.cli.launcher_options import (
    JOB_VERBS,
    OUTPUT_FORMAT,
    QUIET,
    REFRESH,
    SCHEDULE_NAME,
    SETTINGS,
    SETTINGS_FILE,
    VERBOSE,
    rows_of,
)
from dynamodb_pipeline.cli.settings_file import SettingsFile, read_settings_file
from dynamodb_pipeline.errors import PROGRAM, SHOWN_CHARACTERS, UsageError, shown
from dynamodb_pipeline.settings.job_options import BUCKET_OWNER, JOBS, REGION, TABLE
from dynamodb_pipeline.settings.parse import regions_of
from dynamodb_pipeline.settings.parser import Parser, add_rows, given_of, merged, utf8_words
from dynamodb_pipeline.settings.rows import Given, Options, options_of

DESCRIPTION = "Export DynamoDB tables to S3 and import them back, at a throughput percentage that holds."
OF_A_RENEWAL = (REFRESH, SCHEDULE_NAME, REGION, BUCKET_OWNER, SETTINGS, OUTPUT_FORMAT, QUIET, VERBOSE)
OF_A = {"export": "an export", "import": "an import", "verify": "a verification"}
VERBS = {
    "export": "export one or several tables to S3",
    "import": "import an export into an existing table",
    "verify": "check every byte and item of an export, or compare it with a table",
    "wait": "attach to a run until it ends",
    "status": "show a run's cluster, steps and exit code",
    "runs": "list the runs below a log folder, or those of a region's clusters",
    "logs": "show what a run's steps printed",
    "cancel": "cancel a run's steps",
    "terminate": "end a run's cluster",
    "plan": "show rate, time, cost and the exact request of a run; starts nothing",
    "preflight": "check everything a run needs; starts nothing",
    "schedule": "print a CloudFormation template that starts the run by itself",
    "policy": "print IAM policies and a template with the roles",
    "migrate-config": "translate an exported AWS Data Pipeline definition into our command",
    "list": "show every backup below a folder: table, time, kind, items, bytes, when it was verified",
    "convert": "write any backup anew, as DynamoDB's own export or as one of ours; needs no table and no cluster",
    "definition": "print what makes an exported table again: a CloudFormation template, or AWS CLI commands",
    "inspect": "look at any folder or file of items, without a table or cluster",
    "rate": "show a running job's speed, change it, pause it",
    "report": "write one HTML page about a run",
    "clean": "delete what dead runs left in export folders",
    "bundle": "build the zip that spark-submit --py-files takes",
    "init": "write a commented pipeline.toml from a few questions or options",
    "doctor": "check what this machine has and lacks for a run: Java, jar, disk, credentials, region",
    "completion": "print what a shell completes of this command",
    "help": "explain a verb, with examples and exit codes",
}


@dataclass(frozen=True)
class CommandLine:
    """One line: its verb, the job it is about (None where it is about none), its options."""

    verb: str
    kind: str | None
    options: Options

    @property
    def program(self) -> tuple[str, ...]:
        """The words before the options."""
        kind = () if self.kind is None or self.kind == self.verb else (self.kind,)
        return (PROGRAM, self.verb, *kind)


def kinds_of(verb: str) -> tuple[str | None, ...]:
    """The jobs that a verb can be about; `(None,)` for none."""
    if verb in JOB_VERBS:
        return JOBS
    return (verb,) if verb in JOBS else (None,)


def build_parser(file: SettingsFile | None = None, *, refreshes: bool = False) -> Parser:
    """
    The parser of every verb; what `file` gives need not stand on the command line.

    Args:
        refreshes: a deployed schedule has all options of its job.
    """
    parser = Parser(prog=PROGRAM, description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    for verb, text in VERBS.items():
        inner = verbs.add_parser(verb, help=text)
        if verb not in JOB_VERBS:
            _fill(inner, verb, kinds_of(verb)[0], file)
            continue
        kinds = inner.add_subparsers(metavar="WHAT", required=True, parser_class=Parser)
        for kind in JOBS:
            inner_parser = kinds.add_parser(kind, help=f"{verb} of {OF_A[kind]}")
            _fill(inner_parser, verb, kind, file, is_free=refreshes and verb == "schedule")
    return parser


def _fill(parser: Parser, verb: str, kind: str | None, file: SettingsFile | None, *, is_free: bool = False) -> None:
    rows = rows_of(verb, kind=kind)
    supplied = file.keys(verb, kind) if file else ()
    add_rows(parser, rows, supplied={row.name for row in rows if is_free or row.key in supplied})
    parser.set_defaults(verb=verb, kind=kind, parser=parser)


def read_line(words: Sequence[str]) -> CommandLine:
    """
    What a line of words means, with the options of `pipeline.toml` (or `--settings FILE`) where the user gave none.

    Raises:
        UsageError: every problem of single options; of the file: missing, not TOML, no option, a secret.
    """
    words = utf8_words(words)
    return line_of(words, file=settings_file(words))


def line_of(words: Sequence[str], *, file: SettingsFile | None) -> CommandLine:
    """The same, with the options of this settings file."""
    refreshes = REFRESH.name in words
    parsed, unknown = build_parser(file, refreshes=refreshes).parse_known_args(words)
    if unknown:
        words = " ".join(unknown)
        parsed.parser.error(f"unrecognized arguments: {words if len(words) <= SHOWN_CHARACTERS else shown(words)}")
    rows = rows_of(parsed.verb, kind=parsed.kind)
    given = given_of(parsed, rows)
    if refreshes:
        rows = tuple(row for row in rows if not row.required)
        _refuse_unused(given)
    texts: Mapping[str, tuple[str, ...]] = file.texts(parsed.verb, parsed.kind, rows) if file else {}
    options = options_of(rows, merged(rows, given, texts))
    if REGION not in given and _all_by_arn(options):  # their region, whatever the file says of other tables
        options = options_of(rows, options.given.without(REGION))
    return CommandLine(parsed.verb, parsed.kind, options)


def _all_by_arn(options: Options) -> bool:
    """Whether every table is named by its ARN, which says the region."""
    tables = options.given.texts(TABLE) or ()
    return bool(tables) and len(regions_of(tables)) == len(tables)


def _refuse_unused(given: Given) -> None:
    """A renewal changes the code of a deployed schedule and nothing else of it."""
    unused = given.without(*OF_A_RENEWAL).entries
    if unused:
        names = ", ".join(row.name for row, _ in unused)
        msg = f"{REFRESH} renews the code alone: leave out {names}; a schedule of other options is rendered without it"
        raise UsageError(msg)


def settings_file(words: Sequence[str]) -> SettingsFile | None:
    """
    The settings file of this line, None where there is none.

    Raises:
        UsageError: see `read_settings_file`.
    """
    if not words or words[0].startswith("-"):
        return None
    first = Parser(prog=PROGRAM, add_help=False)
    add_rows(first, [SETTINGS.also(group=None)])
    named: Any = given_of(first.parse_known_args(words)[0], [SETTINGS]).text(SETTINGS)
    path = Path(named or SETTINGS_FILE)
    if named is None and not path.is_file():
        return None
    if named is None and _is_of_another(path):
        msg = (
            f"{path} belongs to another user of this machine; if it is meant, give {SETTINGS} {path}, or run elsewhere"
        )
        raise UsageError(msg)
    return SettingsFile(str(path), read_settings_file(path), keys_by_verb())


def _is_of_another(path: Path) -> bool:
    """
    Whether somebody else may have put the file there, to have our data sent to a place of his: in a folder such as
    /tmp that everybody may write to. Files of root are taken, and by root those of any user in a folder of its own.
    """
    if not hasattr(os, "getuid") or path.stat().st_uid in (0, os.getuid()):
        return False
    return os.getuid() != 0 or bool(path.absolute().parent.stat().st_mode & stat.S_IWOTH)


def keys_by_verb() -> dict[str, frozenset[str]]:
    """The keys of every verb's options; of `plan`, `preflight` and `schedule` those of all their jobs."""
    return {
        verb: frozenset(row.key for kind in kinds_of(verb) for row in rows_of(verb, kind=kind) if not row.is_argument)
        for verb in VERBS
    }
