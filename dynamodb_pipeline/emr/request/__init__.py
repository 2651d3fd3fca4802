"""
The RunJobFlow request of a run: settings, one job and one step per table, the bundle and where it is stored.

May import: addresses, errors, secret_patterns, aws, settings, emr.cluster, durations.
Must not know: what happens after the request; the only client used here stores the code.
"""
