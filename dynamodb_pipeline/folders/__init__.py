"""
Works on folders of files without a job: lists and inspects what lies there, converts it, deletes what dead runs left.

Runs on the laptop; the nodes' zip does not hold it.

May import: chain, documents, addresses, errors, durations, settings, store, formats, run, reading, finished.
Must not know: tables, workers and EMR: no request to DynamoDB is needed for files.
"""
