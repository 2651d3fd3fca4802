"""The data plane: the connector, the DynamoDB wire, the rate budget, the object store, the ledger."""
