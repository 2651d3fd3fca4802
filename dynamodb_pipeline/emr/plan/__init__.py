"""
What a run will take, said before anything is started: units, minutes, nodes, money, warnings.

Every number says where it comes from.

May import: errors, durations, rate, formats.items, settings, emr.cluster, emr.request.
Must not know: clients. Sizes and capacities come in as values; a plan never starts and never stops anything.
"""
