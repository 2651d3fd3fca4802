"""
What the tests of the imports hold the library to: who may import whom, and every exception with its reason.

An entry that no longer applies fails its test: take it out.
"""

from __future__ import annotations

# `__init__` and `__main__` not counted; three for what is there before and after a run: doctor, completion, charts;
# three of `chain`; runs; what a run on a cluster came to; CloudWatch Logs; the end that only EMR knows.
MODULE_CEILING = 211
LINES_AT_MOST = 400
REACHED_AT_MOST = 106  # modules that one of the jobs can import, all together; three are those of `chain`
JOBS = ("exporting.tables", "importing.table", "verifying.verify")
LINES_AT_LEAST = 60
MODULES_PER_PACKAGE = range(3, 13)

# From the bottom to the top. What a package may import is in its charter (the docstring of its `__init__.py`), and a
# charter may only name what stands before it here.
ORDER = (
    *("(root)", "errors", "output", "documents", "addresses", "background", "durations", "secret_patterns"),
    "result_words",
    *("aws", "rate", "formats", "formats.items", "formats.files", "formats.blocks", "formats.documents"),
    "formats.exports",
    *(
        "settings",
        "finished",
        "store",
        "dynamodb",
        "workers",
        "run",
        "passes",
        "connector",
        "reading",
        "chain",
        "selection",
    ),
    *("exporting", "importing", "verifying", "job_main", "folders"),
    *("emr", "emr.cluster", "emr.request", "emr.calls", "emr.documents", "emr.plan", "emr.preflight", "emr.watch"),
    *("emr.commands", "report", "cli"),
)
# Modules beside the packages have no charter of their own: what each may import.
BESIDE_THE_PACKAGES: dict[str, set[str]] = {
    "errors": set(),
    "output": set(),
    "documents": set(),
    "addresses": {"errors"},
    "background": set(),
    "durations": {"errors"},
    "secret_patterns": {"errors"},
    "result_words": {"errors", "durations"},
    "finished": {"errors", "documents", "formats.exports", "settings"},
    "job_main": {
        "(root)",
        "output",
        "result_words",
        "secret_patterns",
        "errors",
        "aws",
        "settings",
        "run",
        "exporting",
        "importing",
        "verifying",
    },
}

# Names no function, class, parameter, variable or attribute has: name it for what it returns, holds or does.
WORDS_OF_OUR_OWN = {
    "desk",
    "doomed",
    "explaining",
    "fate",
    "found",
    "guarded",
    "marked",
    "reported",
    "told",
    "unmarked",
}

# Modules below LINES_AT_LEAST, and why each is a file of its own all the same.
SHORT_MODULES: dict[str, str] = {
    "background": "vocabulary: jobs and launcher hear signals by the same handler",
    "durations": "vocabulary: every part speaks of times",
    "secret_patterns": "vocabulary: asked wherever words come in",
    "aws.model_check": "botocore's models are asked in one place",
    "formats.items.item_error": "the exception that every rule raises",
}

# Modules that nothing in the library imports, and who starts them.
ENTRY_POINTS: dict[str, str] = {
    "cli.main": "`__main__`, which is the `dynamodb-pipeline` script of pyproject.toml",
}
