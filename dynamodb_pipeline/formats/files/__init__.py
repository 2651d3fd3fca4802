"""
From stored bytes to items, line by line: compression, lines, dialects.

A place is always known: file, line, byte.

May import formats.items. Must not know manifests, stores or tables.
"""
