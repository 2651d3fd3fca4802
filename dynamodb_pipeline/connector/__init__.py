"""
AWS's emr-dynamodb-connector, and the relay that holds its reads to the rate.

The only place that names classes of Hadoop and the connector, and its `dynamodb.*` keys (`read.py`).

May import: errors, aws, rate, dynamodb, workers.
Must not know: data files, manifests and runs: lines come out, whoever reads them.
"""
