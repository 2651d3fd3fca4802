"""`python -m dynamodb_pipeline`: the `dynamodb-pipeline` command of this interpreter."""

from __future__ import annotations

import sys

from dynamodb_pipeline.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
