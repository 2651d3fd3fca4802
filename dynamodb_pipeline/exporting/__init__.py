"""
The export job: a table into data files, manifest last.

Two readers, the connector and our own scan; one way to publish.

May import passes, connector, run, workers, store, dynamodb, rate and formats. Must not know importing or verifying.
"""
