"""
Permission and work over one connection: the coordinator in the driver, its clients, and where workers run.

Engines run workers as Spark tasks or as threads; a worker asks before each request and reports what it finished.

May import settings, dynamodb, store, aws and rate. Must not know what the work is.
"""
