"""
DynamoDB's wire: connections, signatures, requests, checked replies, its errors; and what DescribeTable says.

Bodies are prepared JSON; item bytes are neither parsed nor changed.

May import: addresses, errors, aws, rate, formats.items.
Must not know: files, workers and runs. The wire never repeats a request by itself.
"""
