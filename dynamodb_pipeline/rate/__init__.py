"""
Who may send a request now, and how the allowed rate follows from a table's capacity: one budget for the whole job.

Pure: time comes through a clock, units are numbers. No threads, no sockets, no AWS.

May import: errors.
Must not know: who asks. Workers, tables and connections are above; here are credit, windows and throttles.
"""
