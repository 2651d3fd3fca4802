"""
`dynamodb-pipeline`, and `python -m dynamodb_pipeline`: the command line of this interpreter.

It loads next to nothing before it listens for Ctrl-C: loading the command line takes longer than a person who mistyped.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        from dynamodb_pipeline.cli.main import main as run
    except KeyboardInterrupt:
        print("interrupted; nothing was written or started", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
