"""
What a cluster is made of: configs, labels, instance types, sizing, and the files that travel.

Tables of facts about EMR, dated and with their source, are read here.

May import errors and secret_patterns. Must not call AWS.
"""
