"""
The export: resolve the tables, claim the folder, read by a reader, publish, in this order.

Two readers, AWS's connector and our own parallel Scan; data files, and `manifest` last of all.

May import: aws, documents, addresses, errors, settings, store, formats, rate, dynamodb, workers, run, passes,
connector.
Must not know: the other jobs, options as words, and EMR.
"""
