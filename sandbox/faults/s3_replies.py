"""
S3's errors.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from sandbox.faults.http_messages import Reply


def error(status: int, code: str, message: str) -> Reply:
    """An error as S3 words it."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message><RequestId>FAULT</RequestId></Error>"
    )
    return Reply(status, (("Content-Type", "application/xml"), ("x-amz-request-id", "FAULT")), body.encode())
