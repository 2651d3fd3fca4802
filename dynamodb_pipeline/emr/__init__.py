"""
The control plane: from a laptop to an EMR cluster and back. Holds packages only.

Runs on the laptop. Clients and clocks arrive as arguments, so that a launch of hours is tested in milliseconds.

May import: nothing.
Must not know: PySpark, the jobs and the engine under them, or how AWS clients are built.
"""
