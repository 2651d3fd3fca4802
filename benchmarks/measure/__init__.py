"""Meters: CPU and memory of whole process trees, rate windows from a ledger, interleaved rounds, result tables."""
