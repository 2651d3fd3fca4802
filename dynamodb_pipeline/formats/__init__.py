"""
What the stored bytes mean, as four packages: items, files of them, blocks of files, and the documents of exports.

Each is pure: values in, values out.

Must not know clients, clocks, Spark or where bytes come from.
"""
