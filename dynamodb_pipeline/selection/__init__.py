"""
Which items of an export an import writes: all, those of some keys, those that have not expired, those that differ.

What is decided by an item alone is a picklable value here, asked by every worker in both passes; what needs the table's
items is decided on the driver between the passes.

May import: documents, errors, formats, store, workers, run, passes, reading.
Must not know: how items are written, and options as words.
"""
