"""
What becomes of a launched run: its life cycle, its steps' own records, logs, and the probable cause.

Decides from what was seen; the calls themselves are in emr.calls.

May import emr.calls, emr.request, settings and aws. Must not start anything.
"""
