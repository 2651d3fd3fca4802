"""
A run on its cluster, watched to its end and explained: verdicts, records, logs, one probable cause.

May import: documents, addresses, errors, durations, result_words, aws, settings, emr.cluster, emr.request, emr.calls,
finished.
Must not know: how the run was started: whatever it needs is found again by the run id.
"""
