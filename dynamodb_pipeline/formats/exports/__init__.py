"""
The documents and names of an export folder: manifests, export record, data files, entries.

Reads every known version, writes version 3 of the manifest and our own record.

May import formats.items, formats.files and addresses. Must not know stores: bytes in, values out.
"""
