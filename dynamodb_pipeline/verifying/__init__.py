"""
The verification: an export by itself, or against a table; nothing believed, doubt is a failure.

Both sides are compared by counts and digests of key buckets; no item travels.

May import: chain, documents, errors, settings, store, formats, dynamodb, workers, run, passes, reading.
Must not know: options as words, and EMR. Nothing here writes to a table.
"""
