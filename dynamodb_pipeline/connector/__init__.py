"""
AWS's emr-dynamodb-connector, and the relay that holds it to the rate.

The only place that names classes of the JVM and its `dynamodb.*` keys.

May import workers, dynamodb, aws and rate. Must not know export folders.
"""
