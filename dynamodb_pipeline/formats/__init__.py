"""Attribute values, item lines, manifests, export record and digest: pure functions over bytes and dicts, stdlib only."""
