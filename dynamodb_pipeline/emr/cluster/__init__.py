"""
What a cluster is: configs in EMR's own words, labels, instance types, and the Spark conf that follows.

Facts of AWS come from dated tables in `emr/data`, which are read here.

May import: settings, errors, secret_patterns, aws.
Must not know: runs, steps and clients; nothing here sends a request.
"""
