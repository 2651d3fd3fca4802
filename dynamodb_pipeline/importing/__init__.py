"""
The import job: all files checked before the first write, then written at the allowed rate.

Also the mirror, which deletes what the export does not hold, and what is set aside.

May import passes, reading, run, workers, store, dynamodb, rate and formats. Must not know exporting or the connector.
"""
