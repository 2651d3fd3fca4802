"""
The import: one export into one existing table, everything checked before the first write.

Also what goes with it: bad items set aside, the mirror's deletions, the size of an import for plans.

May import: chain, documents, addresses, errors, settings, store, formats, rate, aws, dynamodb, workers, run, passes,
reading, selection, finished.
Must not know: the connector, which only reads tables; the other jobs, options as words, and EMR.
"""
