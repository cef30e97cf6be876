"""Messages between the side of SQL that opens files and the process that runs the query.

Guarantees: a message is one JSON value with its length before it, so none is read in part or together with
the next; descriptors come with the message that counts them. Left out: what the messages say.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("!Q")
AT_ONCE: Final = 200
"""Descriptors in one call: the kernel takes at most 253, and no more in flight than a process may open."""


def send(connection: socket.socket, value: object) -> None:
    """Send one JSON value. By `write`: the process of the query is refused the calls of sockets."""
    body = json.dumps(value).encode()
    left = memoryview(_LENGTH.pack(len(body)) + body)
    while left:
        left = left[os.write(connection.fileno(), left) :]


def receive(connection: socket.socket) -> Any:
    """The next value, or None when the other side is gone."""
    head = _exactly(connection, _LENGTH.size)
    body = None if head is None else _exactly(connection, _LENGTH.unpack(head)[0])
    return None if body is None else json.loads(body)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = connection.recv(min(size, 2**20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send_files(connection: socket.socket, paths: list[str]) -> None:
    """Open up to AT_ONCE `paths` for reading and send their descriptors, in order.

    Raises OSError for one that cannot be opened.
    """
    opened: list[int] = []
    try:
        for path in paths:
            opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        socket.send_fds(connection, [b"f"], opened)
    finally:
        for fd in opened:
            os.close(fd)


def receive_files(connection: socket.socket, count: int) -> list[int]:
    """The `count` descriptors, AT_ONCE at most, that the other side sends now."""
    _, found, _, _ = socket.recv_fds(connection, 1, AT_ONCE)
    if len(found) != count:
        raise OSError(
            "the descriptors of the tables' files did not come: they are more than a process may have open "
            "(`ulimit -Hn`), or the other side is gone"
        )
    return found
