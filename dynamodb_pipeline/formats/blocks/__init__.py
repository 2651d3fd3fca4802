"""
The same as `formats.files`, on bytes and for many items at once, where that is certain to be right.

Everything here answers yes or None: None sends the block the careful way, which also finds the words for an error.

May import: formats.items, formats.files.
Must not know: files and folders. Nothing here may refuse an item by itself, or give another result than the careful
way.
"""
