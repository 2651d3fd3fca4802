"""
A full native export and the incremental ones after it, made into one full export of the end of the last.

Found and proven to have no gap, collapsed by key on this machine's disk, written as a copy that an import or a
verification then reads like any other export.

May import: addresses, documents, errors, formats, store, reading.
Must not know: tables, workers and rates: nothing here asks DynamoDB; options as words.
"""
