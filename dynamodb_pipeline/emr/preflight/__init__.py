"""
Looks at everything a run needs, each check for itself, with the remedy in its message.

A check that cannot be made says so and never passes.

May import: addresses, errors, aws, formats.exports, formats.items, settings, emr.cluster, emr.request, emr.documents,
dynamodb.
Must not know: plans and launches. It only reads, except for `--probe-write`.
"""
