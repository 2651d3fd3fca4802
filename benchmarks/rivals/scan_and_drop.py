"""
The floor: signed Scan requests, whole pages, every byte received, its CRC-32 checked, and dropped.

    python -m benchmarks.rivals.scan_and_drop
"""

from __future__ import annotations

import sys

from dynamodb_pipeline.aws.clients import AwsClients
from dynamodb_pipeline.dynamodb.requests import ScanRequest, scan_page
from dynamodb_pipeline.workers.worker import WorkerContext

SEGMENTS = 4
FULL_PAGE = 1_000_000  # more items than a page can hold


def main() -> int:
    """Scan the table `items` once and print the number of items."""
    clients = AwsClients()
    wire = WorkerContext(clients.settings()).wire(clients)
    total = 0
    for segment in range(SEGMENTS):
        key: bytes | None = None
        while True:
            page = scan_page(wire, ScanRequest("items", segment, SEGMENTS, key, FULL_PAGE, consistent=False))
            total += page.count
            key = page.last_evaluated_key
            if key is None:
                break
    wire.close()
    print(total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
