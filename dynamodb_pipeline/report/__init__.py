"""
One page for people about one run: reads its records, builds HTML out of them.

Runs on the laptop. Must not know the data plane (`transfer`) or how AWS clients are built; what it knows of a run is
what `run.json` says.
"""
