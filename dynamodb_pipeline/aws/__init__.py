"""
How AWS is reached, whatever the service.

Clients are built here and nowhere else; boto3 is made importable on nodes that lack it; here stands what errors of
AWS mean and when a request is sent again.

May import the shared vocabulary (errors). Must not know tables, objects, runs or clusters.
"""
