"""Release labels: numbers, refusals, support dates."""

from __future__ import annotations

from datetime import date

import pytest

from dynamodb_pipeline.emr.cluster.instance_types import first_label_problem, known_types
from dynamodb_pipeline.emr.cluster.release_labels import (
    default_label,
    label_problem,
    parse_label,
    support_of,
    support_text,
)
from dynamodb_pipeline.errors import UsageError

READ_ON = date(2026, 11, 23)


def test_labels_compare_as_numbers_not_as_text() -> None:
    assert parse_label("emr-6.10.0") > parse_label("emr-6.9.0")


@pytest.mark.parametrize("label", ["7.13.0", "emr-7.13", "emr-spark-8.0.0", ""])
def test_other_forms_are_refused_with_the_label_to_use(label: str) -> None:
    with pytest.raises(UsageError, match=default_label()):
        parse_label(label)


@pytest.mark.parametrize("label", ["emr-spark-8.0.0", "emr-spark-8.1.0", "emr-spark-9.0.0"])
def test_the_line_with_spark_4_is_refused_and_told_why(label: str) -> None:
    with pytest.raises(UsageError, match=f"'{label}' is refused: that line has Spark 4.*use {default_label()}"):
        parse_label(label)


@pytest.mark.parametrize("label", ["emr-6.6.0", "emr-6.7.0", "emr-6.8.0", "emr-6.8.1"])
def test_labels_that_read_tables_as_empty_are_refused(label: str) -> None:
    assert "as empty" in (label_problem(label) or "")


@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-6.5.0", "emr-6.9.0", "emr-6.15.0"])
def test_labels_with_an_old_python_are_refused(label: str) -> None:
    assert "Python 3.7" in (label_problem(label) or "")


@pytest.mark.parametrize("label", ["emr-7.0.0", "emr-7.13.0", "emr-7.14.0", "emr-7.99.0"])
def test_usable_labels_have_no_problem(label: str) -> None:
    assert label_problem(label) is None


def test_default_label_is_supported() -> None:
    support = support_of(default_label())
    assert support is not None
    assert support.until > READ_ON


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("emr-7.13.0", "emr-7.13.0: standard support until 2028-04-21"),
        ("emr-7.7.0", "emr-7.7.0: standard support until at least 2027-01-09"),
        ("emr-7.2.0", "emr-7.2.0: PAST standard support (2026-08-31); may vanish after 2027-09-01"),
    ],
)
def test_support_text(label: str, text: str) -> None:
    """Dates as AWS's release pages give them."""
    assert support_text(label, today=READ_ON) == text


def test_support_of_a_label_newer_than_the_table_is_unknown() -> None:
    assert support_of("emr-7.99.0") is None
    assert "not in our table" in support_text("emr-7.99.0", today=READ_ON)


@pytest.mark.parametrize("type_name", known_types())
def test_every_type_runs_on_the_default_label(type_name: str) -> None:
    assert first_label_problem(type_name, default_label()) is None


@pytest.mark.parametrize(
    ("type_name", "label", "fits"),
    [
        ("m5.xlarge", "emr-5.12.0", False),
        ("m5.xlarge", "emr-5.13.0", True),
        ("m6g.xlarge", "emr-6.0.0", False),
        ("m6g.xlarge", "emr-6.1.0", True),
        ("m6i.xlarge", "emr-6.5.0", False),
        ("m3.xlarge", "emr-7.14.0", True),
    ],
)
def test_first_label_of_a_type(type_name: str, label: str, fits: bool) -> None:
    """EMR's table of supported instance types; m5 on 5.12 is a failure users met (Yelp/mrjob#2098)."""
    assert (first_label_problem(type_name, label) is None) is fits
