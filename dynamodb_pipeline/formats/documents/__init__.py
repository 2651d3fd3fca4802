"""
Files that are JSON documents and not lines: arrays, envelopes around arrays, objects without line feeds between them.

A document is walked, never held: memory depends on its longest item. Where an item begins and ends is found here; what
it says is read and judged as the line it could be.

May import: formats.items, formats.files.
Must not know: manifests, folders and stores. Nothing here may judge an item.
"""
