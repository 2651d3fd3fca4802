"""DynamoDB's own rules for items: types, sets, nesting, keys and size."""

from __future__ import annotations

from dynamodb_pipeline.formats.item_error import ItemError
from dynamodb_pipeline.formats.numbers import canonical_number

__all__ = ["ItemError", "canonical_number"]
