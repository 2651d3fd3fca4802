"""
One item and DynamoDB's rules for it: tags, numbers, keys, sizes, the canonical form and its digest.

An item is a dict of attribute values in DynamoDB's own JSON; what DynamoDB would refuse raises ItemError.

May import: nothing.
Must not know: files, lines and manifests; clients and Spark. A message names a place, never an item's contents.
"""
