"""
One pass over a table or over files at the allowed rate: budget, coordinator, workers, progress; and the scan.

Export by the direct reader, import, mirror and verification all go through here.

May import run, workers, dynamodb and rate. Must not know formats of files or folders.
"""
