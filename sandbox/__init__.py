"""The whole of AWS on one machine, for trying and testing the jobs. Never shipped to a cluster."""
