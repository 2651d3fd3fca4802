"""Every pair of modes of an import: taken, or refused with the reason of the one table."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.job_options import CHAIN, INPUT, LOGS, TABLE, YES, rows_of_job
from dynamodb_pipeline.settings.parse import MODES, REFUSED_TOGETHER, import_settings
from dynamodb_pipeline.settings.rows import Given, Row, options_of

PLAIN = ((TABLE, ("Forum",)), (LOGS, ("s3://bucket/logs",)), (YES, ()))
ONE_EXPORT = ((INPUT, ("s3://bucket/in",)),)
TEXTS = {
    "--chain": "s3://bucket/chain",
    "--keys": "s3://bucket/keys",
    "--set-aside": "s3://bucket/aside",
    "--duplicates": "last-wins",
}
REASONS = {frozenset((first.name, second.name)): reason for first, second, reason in REFUSED_TOGETHER}


def given(*modes: Row[Any]) -> Given:
    source = () if CHAIN in modes else ONE_EXPORT
    return Given((*PLAIN, *source, *((mode, () if mode.is_flag else (TEXTS.get(mode.name, "x"),)) for mode in modes)))


def settings_with(*modes: Row[Any]) -> Any:
    return import_settings(options_of(rows_of_job("import"), given(*modes)))


@pytest.mark.parametrize("pair", list(combinations(MODES, 2)), ids=lambda pair: " and ".join(map(str, pair)))
def test_a_pair_is_taken_or_refused_as_the_table_says(pair: tuple[Row[Any], Row[Any]]) -> None:
    reason = REASONS.get(frozenset(mode.name for mode in pair))
    if reason is None:
        assert settings_with(*pair).table == "Forum"
        return
    with pytest.raises(UsageError) as caught:
        settings_with(*pair)
    assert str(caught.value).endswith(f"exclude each other: {reason}")


def test_the_table_names_modes_only_and_each_pair_once() -> None:
    names = {mode.name for mode in MODES}
    assert all(pair <= names for pair in REASONS)
    assert len(REASONS) == len(REFUSED_TOGETHER)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_mode_that_is_given_is_a_setting(mode: Row[Any]) -> None:
    plain, with_it = settings_with(), settings_with(mode)
    assert getattr(plain, mode.field) != getattr(with_it, mode.field), mode
