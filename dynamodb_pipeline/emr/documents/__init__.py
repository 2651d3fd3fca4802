"""
Documents that are printed for people to deploy: policies, templates, schedules, migrated settings. Pure.

This tool never changes IAM: it prints.

May import emr.request and emr.cluster. Must not call AWS.
"""
