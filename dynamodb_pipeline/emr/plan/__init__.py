"""
What a launch will take: time, rate and money, before anything is started. Pure.

Estimates say where each number comes from.

May import emr.request and emr.cluster. Must not call AWS.
"""
