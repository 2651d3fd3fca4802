"""
Whole objects by address, in S3 or in a folder, and local disk for what is too large for memory.

Every write is one PUT: it is there whole or not at all. Every read can be pinned to an ETag.

May import: addresses, errors, aws, formats.files.
Must not know: what the objects mean: manifests, ledgers and records are above.
"""
