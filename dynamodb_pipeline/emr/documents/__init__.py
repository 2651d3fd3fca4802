"""
What the launcher prints for people to deploy: policies, role and schedule templates, old definitions translated.

This tool never changes IAM: it prints.

May import: addresses, errors, settings, finished, emr.cluster, emr.request.
Must not know: clients and clocks. Documents are pure, so that the printed policy is the tested one.
"""
