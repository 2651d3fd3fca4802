"""
Looks at folders of files without running a job: inspect whatever lies there, find and delete what dead runs left.

Runs on the laptop; the nodes' zip does not hold it.

May import: documents, addresses, errors, settings, store, formats, run, reading, finished.
Must not know: tables, workers and EMR: no request to DynamoDB is needed to look at a folder.
"""
