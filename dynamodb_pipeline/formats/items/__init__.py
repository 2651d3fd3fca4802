"""
One item and DynamoDB's rules for it: tags, numbers, keys, sizes, canonical form.

An item is a dict of attribute values in DynamoDB's own JSON; bad ones raise ItemError with the reason.

The ground floor: imports nothing of the library. Must not know files or lines.
"""
