"""
One run's life: its record, heartbeat, ledger, deadline, attempts and progress.

A run is handed its job and does not know which it is.

May import workers, settings, store, aws and rate. Must not know tables or files of items.
"""
