"""
Proxies that stand before DynamoDB and S3 and break things on purpose, by a plan made from a seed.

They are also the outside judge of rates: the ledger of a proxy holds what each request really consumed.
"""
