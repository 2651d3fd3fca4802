"""What Spark and YARN say of themselves is never given as the cause of a failure."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.emr.watch.step_logs import last_lines, lines_about_errors

# The end of a step's stderr as spark-submit on YARN writes it (Client.scala of Spark 3.5, `formatReportDetails`).
REPORT = """26/11/23 03:10:11 INFO Client: Application report for application_1 (state: FINISHED)
26/11/23 03:10:11 INFO Client:
\t client token: N/A
\t diagnostics: N/A
\t ApplicationMaster host: ip-10-0-0-1
\t queue: default
\t final status: SUCCEEDED
\t user: root
26/11/23 03:10:12 INFO ShutdownHookManager: Deleting directory /mnt/tmp/spark-1
Command exiting with ret '1'
"""


def test_a_report_of_yarn_holds_no_error() -> None:
    assert last_lines(REPORT) == ""
    assert lines_about_errors(REPORT) == ""


@pytest.mark.parametrize(
    "line",
    [
        "java.lang.OutOfMemoryError: Java heap space",
        "26/11/23 03:10:12 ERROR SparkContext: Error initializing SparkContext.",
        "spark-submit: No such file or directory",
    ],
)
def test_a_line_about_an_error_is_kept(line: str) -> None:
    assert lines_about_errors(f"{REPORT}{line}\nstarting up\n") == line
