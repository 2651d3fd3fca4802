"""
The control plane: from a laptop to an EMR cluster and back, as eight packages.

Requests, life cycles, logs, policies, schedules and prices; never on nodes.

Must not know PySpark or the jobs, nor how AWS clients are built: clients and clocks arrive as arguments.
"""
