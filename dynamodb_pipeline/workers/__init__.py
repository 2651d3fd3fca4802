"""
Permission and work over one connection: the coordinator in the driver, its clients, and where workers run.

A worker is the same callable in a Spark task and in a thread; it asks before each request and reports what is done.

May import: documents, errors, aws, rate, settings, store, dynamodb.
Must not know: what a unit of work is: segments, files and keys belong to the jobs. Only the engine and the session
know Spark.
"""
