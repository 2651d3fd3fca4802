"""
Steps without Spark: a `spark-submit` for the sandbox's nodes that runs the same job, by the same words, in one process.

What stands before the job script on the step's command line is Spark's and is left out; everything after it, run
record, claim, ledger and exit code included, is the job's own. test_launcher.py runs steps on Spark.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.processes import PROJECT

STAND_IN = """#!{python}
import os
import sys

words = sys.argv[1:]
script = next(number for number, word in enumerate(words) if word.endswith("_table.py"))
verb = words[script].rpartition("/")[2].partition("_")[0]
command = [{python!r}, "-m", "dynamodb_pipeline.cli.main", verb, *words[script + 1 :], "--local", "--engine", "process"]
os.environ["PYTHONPATH"] = {project!r}
os.execv(command[0], command)
"""


def quick_node(folder: Path) -> dict[str, object]:
    """Node settings (sandbox/emr/settings.py) with the stand-in, which is written into `folder`, before the system."""
    stand_in = folder / "spark-submit"
    stand_in.write_text(STAND_IN.format(python=sys.executable, project=str(PROJECT)))
    stand_in.chmod(0o755)
    return {"path": [str(folder)]}
