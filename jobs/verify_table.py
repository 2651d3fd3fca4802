"""
spark-submit --py-files dynamodb_pipeline.zip jobs/verify_table.py ...

Thin: everything it does is in the library (dynamodb_pipeline/job_main.py).
"""

from dynamodb_pipeline.job_main import main

if __name__ == "__main__":
    main("verify")
