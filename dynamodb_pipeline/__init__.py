"""Export DynamoDB tables to S3 and import them back, at a throughput percentage that holds."""

__version__ = "0.1.0"
