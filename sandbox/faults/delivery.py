"""
How a reply reaches the client: whole, late, in part, or not at all. Values only; the proxy carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.faults.http_messages import Reply


@dataclass(frozen=True)
class Delivery:
    """
    What to send.

    `wait_s` comes first; then `data`; then the connection stays open, is closed in order, or is reset.
    """

    data: bytes
    wait_s: float = 0.0
    close: bool = False
    reset: bool = False


def whole(reply: Reply, *, wait_s: float = 0.0, close: bool = False) -> Delivery:
    """The reply as it is."""
    return Delivery(reply.to_bytes(close=close), wait_s=wait_s, close=close)


def cut(reply: Reply, *, at: float, reset: bool) -> Delivery:
    """Head and the share `at` (0..1) of the body, then the connection ends although more was announced."""
    data = reply.to_bytes()
    return Delivery(data[: len(data) - len(reply.body) + int(len(reply.body) * at)], close=True, reset=reset)


def nothing(*, wait_s: float = 0.0, reset: bool = True) -> Delivery:
    """No byte at all."""
    return Delivery(b"", wait_s=wait_s, close=True, reset=reset)
