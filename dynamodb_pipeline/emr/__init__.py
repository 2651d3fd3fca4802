"""
The control plane: from a laptop to an EMR cluster and back.

Knows requests, life cycles, logs, policies, schedules and prices. Must not know PySpark, the data plane
(`transfer`) or how AWS clients are built: clients and clocks arrive as arguments.
"""
