"""
An export's files: found, proven, read, each item judged, keys that stand twice found.

What a folder holds is decided here for import, verification and inspection alike.

May import: documents, addresses, errors, formats, store, workers, finished.
Must not know: the table's side: nothing here sends a request to DynamoDB.
"""
