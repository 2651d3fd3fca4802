"""
Stored bytes to items, line by line: compression, dialects, and what is refused by its name.

A place is always known: file, line, byte.

May import: errors, formats.items.
Must not know: where the bytes come from, and what an export folder says about them.
"""
