"""
Whole objects, in S3 or in folders of this machine, and local disk for what is large.

Every write can be put-if-absent; every read can be pinned to an ETag.

May import aws, addresses and formats.files. Must not know what an object means.
"""
