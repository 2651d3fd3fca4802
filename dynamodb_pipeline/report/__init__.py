"""
One page for people about one run: reads its records, builds HTML out of them. The only user of Jinja2 and matplotlib.

Runs on the laptop. What it knows of a run is what `run.json` says.

May import: documents, addresses, errors, output, durations, aws, settings, finished, result_words.
Must not know: the jobs, the engine and EMR, or how AWS clients are built.
"""
