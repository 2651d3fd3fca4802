"""
The documents and names of an export folder: manifests of every kind, the export record, where an entry lies now.

May import: documents, addresses, errors, formats.items, formats.files.
Must not know: how objects are fetched or stored; documents come as bytes and leave as bytes.
"""
