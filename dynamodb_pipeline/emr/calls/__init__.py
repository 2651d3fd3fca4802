"""
Single calls to EMR that must not go wrong: launch once, find again, stop, and how a command waits.

A launch is never sent twice unseen; whoever waits can be interrupted.

May import emr.cluster, aws and durations. Must not know tables, plans or documents.
"""
