"""
DynamoDB itself: the wire, its requests, replies and errors, and DescribeTable.

One request at a time, signed, sent and checked; nothing here repeats by itself.

May import aws, rate and formats.items. Must not know runs, workers or files.
"""
