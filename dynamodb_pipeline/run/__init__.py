"""
One run's life from its settings to its result: record, heartbeat, ledger, deadline, signals, progress.

May import: documents, addresses, durations, errors, aws, rate, settings, store, workers, background, finished.
Must not know: the jobs (a run is handed its job), tables, data files and EMR.
"""
