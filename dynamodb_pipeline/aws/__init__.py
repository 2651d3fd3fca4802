"""
AWS itself, before any service: clients, boto3 on nodes, what AWS's errors mean, when a call is repeated.

May import: errors.
Must not know: what a client is used for: tables, objects, clusters and runs are above. Clients are built here and
nowhere else.
"""
