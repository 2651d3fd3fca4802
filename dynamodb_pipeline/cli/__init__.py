"""
The `dynamodb-pipeline` command: from words to verbs, the only place that knows every part.

Checks options, picks the verb, builds the clients and hands them on; stdout is one result, the exit code says the
rest.

May import: every part.
Must not know: how anything is done. Nothing here decides about items, rates or clusters.
"""
