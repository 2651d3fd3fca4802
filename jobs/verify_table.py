"""
spark-submit --py-files dynamodb_pipeline.zip jobs/verify_table.py ...

Thin: everything it does is in the library (dynamodb_pipeline/job_main.py).
"""

import sys

try:
    from dynamodb_pipeline.job_main import main
except ImportError:
    sys.stderr.write("ERROR 2: the library is not there; pass --py-files dynamodb_pipeline.zip (make bundle)\n")
    sys.exit(2)

if __name__ == "__main__":
    main("verify")
