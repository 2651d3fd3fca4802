"""The control plane: from a laptop to an EMR cluster and back. Never imports pyspark or the data plane."""
