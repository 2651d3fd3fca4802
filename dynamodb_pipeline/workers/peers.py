"""
One connection of the coordinator's server, and what a peer may take.
"""

from __future__ import annotations

import resource
import socket
from dataclasses import dataclass, field

from dynamodb_pipeline.workers import protocol as messages
from dynamodb_pipeline.workers.sessions import Session


@dataclass(frozen=True)
class Limits:
    """
    What a peer may take.

    Attributes:
        peers_max: connections at once; never more than half of the files this process may open.
        strangers_max: connections that have not proved the key yet; then the one longest silent is dropped.
        handshake_s: seconds until the key must be proved.
        unread_bytes_max: answers kept for a peer that does not read.
    """

    peers_max: int = 4096
    strangers_max: int = 256
    handshake_s: float = 5.0
    unread_bytes_max: int = 1024 * 1024

    @property
    def connections(self) -> int:
        """`peers_max`, as far as this process may open files."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return self.peers_max if files == resource.RLIM_INFINITY else min(self.peers_max, files // 2)


DEFAULT_LIMITS = Limits()


@dataclass(eq=False)
class Peer:
    """One connection."""

    connection: socket.socket
    deadline_s: float
    asked: str = field(default_factory=messages.challenge)
    lines: messages.LineBuffer = field(default_factory=lambda: messages.LineBuffer(messages.HELLO_BYTES_MAX))
    unsent: bytearray = field(default_factory=bytearray)
    session: Session | None = None
    watches_writing: bool = False
