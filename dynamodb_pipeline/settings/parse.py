"""Options of a job become its frozen settings: what single options cannot say is checked here, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Callable, TypeVar

from dynamodb_pipeline.addresses import S3Uri, TableAddress, is_s3, table_name
from dynamodb_pipeline.rate.capacity import PERCENT_DEFAULT, RateChoice
from dynamodb_pipeline.settings.job import CommonSettings, ExportSettings, ImportSettings, JobSettings, VerifySettings
from dynamodb_pipeline.settings.job_options import (
    ACCEPT_MEMBER,
    ALLOW_BUCKET,
    ATTRIBUTE_NAMES,
    ATTRIBUTE_VALUES,
    CHAIN,
    CHAIN_VERIFIED,
    COMPARED,
    CONSISTENT_READ,
    DRY_RUN,
    DUPLICATES,
    EXACT_OUTPUT,
    EXCLUDE,
    EXPORTED,
    FILTER,
    INDEX,
    INPUT,
    KEY_PREFIX,
    KEYS,
    LATEST,
    LOGS,
    MIRROR,
    ONLY_CHANGES,
    OUTPUT,
    PROJECTION,
    RATE_CONTROL,
    READ_PERCENT,
    READ_UNITS,
    READER,
    REGION,
    RESUME,
    RUN_ID,
    SCHEDULED_IMPORT,
    SET_ASIDE,
    SKIP_EXISTING,
    SKIP_EXPIRED,
    SORT_KEY_PREFIX,
    TABLE,
    TABLE_EXTERNAL_ID,
    TABLE_ROLE_ARN,
    TABLE_TAG,
    TABLES,
    TIMEOUT,
    UNTIL,
    WITHOUT_MANIFEST,
    WRITE_UNITS,
    YES,
)
from dynamodb_pipeline.settings.rows import Options, Problems, Row
from dynamodb_pipeline.settings.values import is_pattern

Made = TypeVar("Made")


def filled(kind: type[Made], options: Options, **more: Any) -> Made:
    """Settings of this kind: every field from the option of its name, but those in `more`."""
    by_field = options.by_field()
    names = (field.name for field in fields(kind) if field.name in by_field)  # type: ignore[arg-type]
    return kind(**{**{name: by_field[name] for name in names}, **more})


def as_asked(options: Options, tables: Iterable[str]) -> tuple[str, ...]:
    """The tables as whoever asks for them names them: a role names those of its own account by their names."""
    role = options[TABLE_ROLE_ARN]
    account = role.split(":")[4] if role else None
    return tuple(text if is_pattern(text) else str(TableAddress.parse(text).seen_from(account)) for text in tables)


def check_tables(options: Options, problems: Problems, tables: Sequence[str]) -> None:
    """Tables of one region, no two of the same name; of other accounts nothing that only their own can be asked."""
    addresses = [TableAddress.parse(text) for text in as_asked(options, tables) if not is_pattern(text)]
    names = [table.name for table in addresses]
    twice = sorted({name for name in names if names.count(name) > 1})
    text = f"{', '.join(twice)}: folders and records are named by it, so that takes a run for each"
    problems.require(not twice, f"{TABLES} names a table twice, or two accounts' tables of one name, {text}")
    abroad = [table for table in addresses if table.account is not None]
    regions = sorted({*filter(None, [options[REGION], *regions_of(tables)])})
    named = f"{TABLES} and {REGION} (typed or of pipeline.toml) name several regions ({', '.join(regions)})"
    problems.require(len(regions) < 2, f"{named}: take one")
    problems.require(
        not abroad or not any(map(is_pattern, tables)),
        f"{TABLES}: a pattern is of tables of the caller's own account; give {abroad[0] if abroad else ''} a run of "
        "its own",
    )
    problems.require(
        not abroad or not options.get(SKIP_EXPIRED),
        f"{SKIP_EXPIRED}: by what items expire DynamoDB tells a table's own account only (DescribeTimeToLive); give "
        f"{TABLE_ROLE_ARN} with a role of that account, or leave it out",
    )


def regions_of(tables: Iterable[str]) -> list[str]:
    """The regions that tables' ARNs say."""
    return [*filter(None, (TableAddress.parse(text).region for text in tables if not is_pattern(text)))]


def common_settings(options: Options, program: tuple[str, ...], tables: Iterable[str]) -> CommonSettings:
    """What every job takes; a table's ARN says the region too."""
    return filled(
        CommonSettings,
        options,
        region=options[REGION] or next(iter(regions_of(tables)), None),
        timeout_s=options[TIMEOUT],
        resume=options.get(RESUME) is not None,
        program=program,
        given=options.given,
    )


def check_common(options: Options, problems: Problems, *, data: Iterable[S3Uri]) -> None:
    """Logs lie outside of the data; a run is resumed by one name only."""
    logs, resume = options[LOGS], options.get(RESUME) is not None
    if logs is not None:
        for folder in data:
            inside = folder.holds_as_data(logs)
            text = f"lies inside the export folder {folder}, where an import would read it as data"
            problems.require(not inside, f"{LOGS} {options.given.text(LOGS)} {text}")
    unknown = options[TABLE_EXTERNAL_ID] and not options[TABLE_ROLE_ARN]
    problems.require(not unknown, f"{TABLE_EXTERNAL_ID} needs {TABLE_ROLE_ARN}, whose trust document demands it")
    problems.require(not (resume and options[RUN_ID]), f"{RESUME} latest and {RUN_ID} exclude each other")
    problems.require(not resume or logs is not None, f"{RESUME} latest needs {LOGS}, where the runs are recorded")


def check_chain(options: Options, problems: Problems, *, chain: bool) -> None:
    """A chain's end is made before it is read, and lies below the logs; an option about one export means nothing."""
    problems.require(chain or options[UNTIL] is None, f"{UNTIL} needs {CHAIN}")
    problems.require(not chain or options[LOGS] is not None, f"{CHAIN} needs {LOGS}, where its end is put together")
    for row in (LATEST, WITHOUT_MANIFEST):
        problems.require(not (chain and options[row]), f"{CHAIN} and {row} exclude each other: all exports are taken")


def rate_choice(options: Options, units: Row[float | None]) -> RateChoice:
    """The rate asked for, 25 percent where none was."""
    if options[units] is not None:
        return RateChoice(None, options[units])
    return RateChoice(options[READ_PERCENT] or PERCENT_DEFAULT)


def export_settings(options: Options, *, program: tuple[str, ...] = ()) -> ExportSettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems, tables = Problems(), options[TABLES]
    check_tables(options, problems, tables)
    problems.require(not (options[EXACT_OUTPUT] and len(tables) > 1), f"{EXACT_OUTPUT} takes one {TABLES}")
    by_pattern = any(map(is_pattern, tables))
    problems.require(not (options[EXACT_OUTPUT] and by_pattern), f"{EXACT_OUTPUT} takes one {TABLES}, and no pattern")
    narrowed: tuple[Row[Any], ...] = (EXCLUDE, TABLE_TAG)
    for row in narrowed:
        problems.require(by_pattern or not options[row], f"{row} narrows a pattern: give {TABLES} '*' or another one")
    left_out = [text for text in options[EXCLUDE] if text != table_name(text)]
    problems.require(
        not left_out, f"{EXCLUDE} {''.join(left_out[:1])}: a pattern is of the caller's own tables: give names"
    )
    problems.require(
        not options[CONSISTENT_READ] or options[READER] == "direct",
        f"{CONSISTENT_READ} needs {READER} direct: the connector reads eventually consistent only",
    )
    _check_part(options, problems)
    role = options[TABLE_ROLE_ARN]
    problems.require(
        role is None or options[RATE_CONTROL] != "connector",
        f"{TABLE_ROLE_ARN} needs {RATE_CONTROL} relay: by itself the connector signs with the nodes' own keys",
    )
    check_common(options, problems, data=[options[OUTPUT]])
    problems.end()
    return filled(
        ExportSettings,
        options,
        common=common_settings(options, program, tables),
        rate=rate_choice(options, READ_UNITS),
        tables=as_asked(options, tables),
    )


def _check_part(options: Options, problems: Problems) -> None:
    """What the words for a part of a table need, and who can carry them out."""
    asked: tuple[Row[Any], ...] = (FILTER, PROJECTION, INDEX, SKIP_EXPIRED)
    for row in asked:
        by_limiter = bool(options[row]) and options[RATE_CONTROL] == "connector"
        text = f"the connector cannot ask for it; leave out {RATE_CONTROL}, so that our relay does"
        problems.require(not by_limiter, f"{row} and {RATE_CONTROL} connector exclude each other: {text}")
    needless = bool(options[ATTRIBUTE_NAMES]) and options[FILTER] is None and options[PROJECTION] is None
    problems.require(not needless, f"{ATTRIBUTE_NAMES} needs {FILTER} or {PROJECTION}")
    needless = bool(options[ATTRIBUTE_VALUES]) and options[FILTER] is None
    problems.require(not needless, f"{ATTRIBUTE_VALUES} needs {FILTER}")


# Modes of an import of which one cannot be had with another, and why; every other pair can (docs/options.md).
MODES: tuple[Row[Any], ...] = (
    CHAIN, ONLY_CHANGES, KEYS, KEY_PREFIX, SORT_KEY_PREFIX, SKIP_EXISTING, SKIP_EXPIRED, MIRROR, SET_ASIDE, DRY_RUN,
    DUPLICATES,
)  # fmt: skip
A_PART = "what was left out would be deleted"
LESS_THAN_A_SCAN = "to write some items costs less than to read the whole table first"
WHOLE_CHAIN = "a chain writes and deletes all that its exports say"
REFUSED_TOGETHER: tuple[tuple[Row[Any], Row[Any], str], ...] = (
    (CHAIN, SKIP_EXISTING, WHOLE_CHAIN),
    (CHAIN, SKIP_EXPIRED, WHOLE_CHAIN),
    (CHAIN, KEYS, WHOLE_CHAIN),
    (CHAIN, KEY_PREFIX, WHOLE_CHAIN),
    (CHAIN, SORT_KEY_PREFIX, WHOLE_CHAIN),
    (MIRROR, SKIP_EXISTING, "a mirror replaces what differs"),
    (MIRROR, SET_ASIDE, "an item that is bad in the export would be deleted in the table"),
    (MIRROR, KEYS, A_PART),
    (MIRROR, KEY_PREFIX, A_PART),
    (MIRROR, SORT_KEY_PREFIX, A_PART),
    (MIRROR, SKIP_EXPIRED, A_PART),
    (DUPLICATES, SKIP_EXPIRED, "where the last item of a key has expired, the one before it would come back"),
    (ONLY_CHANGES, SKIP_EXISTING, "an item that is there is not written, whether it differs or not"),
    (ONLY_CHANGES, KEYS, LESS_THAN_A_SCAN),
    (ONLY_CHANGES, KEY_PREFIX, LESS_THAN_A_SCAN),
    (ONLY_CHANGES, SORT_KEY_PREFIX, LESS_THAN_A_SCAN),
    (KEYS, KEY_PREFIX, "the file names every key"),
    (KEYS, SORT_KEY_PREFIX, "the file names every key"),
)


def import_settings(options: Options, *, program: tuple[str, ...] = ()) -> ImportSettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems, mirror, place = Problems(), options[MIRROR], options[INPUT] or options[CHAIN]
    check_tables(options, problems, [options[TABLE]])
    if place is None or None not in (options[INPUT], options[CHAIN]):
        problems.require(False, f"give {INPUT} FOLDER or {CHAIN} PREFIX, one of them")
        problems.end()
    source = _in_s3(str(place))
    check_chain(options, problems, chain=options[CHAIN] is not None)
    aside = options[SET_ASIDE]
    if aside is not None:
        inside = any(folder.holds_as_data(aside) for folder in source)
        text = f"lies inside {place}, where an import would read it as data"
        problems.require(not inside, f"{SET_ASIDE} {options.given.text(SET_ASIDE)} {text}")
    for first, second, reason in REFUSED_TOGETHER:
        both = all(options[row] != row.value_of(None) for row in (first, second))
        problems.require(not both, f"{first} and {second} exclude each other: {reason}")
    agreed = options[YES] or options[DRY_RUN]
    problems.require(
        options[CHAIN] is None or agreed, f"{CHAIN} deletes what was deleted in its exports: it needs {YES}"
    )
    problems.require(not mirror or agreed, f"{MIRROR} deletes items: it always needs {YES}")
    problems.require(
        options[SCHEDULED_IMPORT] is None or options[LOGS] is not None,
        f"{SCHEDULED_IMPORT} of an import needs {LOGS}, where runs are claimed",
    )
    check_common(options, problems, data=source)
    problems.end()
    return filled(
        ImportSettings,
        options,
        common=common_settings(options, program, [options[TABLE]]),
        rate=rate_choice(options, WRITE_UNITS),
        table=as_asked(options, [options[TABLE]])[0],
        allow_buckets=options[ALLOW_BUCKET],
        accept_members=options[ACCEPT_MEMBER],
        input=str(place),
        chain=options[CHAIN] is not None,
    )


def verify_settings(options: Options, *, program: tuple[str, ...] = ()) -> VerifySettings:
    """
    Raises:
        UsageError: every problem of the command line, one a line.
    """
    problems, compared = Problems(), options[COMPARED]
    tables = [compared] if compared else []
    check_tables(options, problems, tables)
    check_common(options, problems, data=_in_s3(options[EXPORTED]))
    check_chain(options, problems, chain=options[CHAIN_VERIFIED])
    problems.require(not options[CHAIN_VERIFIED] or bool(options[COMPARED]), f"{CHAIN} needs {COMPARED}, for its keys")
    problems.end()
    return filled(
        VerifySettings,
        options,
        common=common_settings(options, program, tables),
        rate=rate_choice(options, READ_UNITS),
        table=next(iter(as_asked(options, tables)), None),
        allow_buckets=options[ALLOW_BUCKET],
    )


def _in_s3(place: str) -> list[S3Uri]:
    return [S3Uri.parse(place)] if is_s3(place) else []


SETTINGS_OF: dict[str, Callable[..., JobSettings]] = {
    "export": export_settings,
    "import": import_settings,
    "verify": verify_settings,
}
