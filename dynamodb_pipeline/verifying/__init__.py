"""
The verification job: every byte and item of an export, and its comparison with a table.

Doubt is a failure: nothing is called equal that was not read.

May import passes, reading, run, workers, store, dynamodb, rate and formats. Must not write anything but its record.
"""
