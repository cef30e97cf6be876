"""Starting, asking and ending the server that forks the workers of a pool.

Guarantees: the server has this process's import path, a session of its own (Ctrl-C reaches it through
its starter alone), no inherited file but the two it needs, and is reaped by `stop`, or at the end of `kept`,
within which servers wait for the next pool of their kind. Left out: what the workers do (`pool_worker.py`)
and who gets which item (`pool.py`).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from factory.errors import OutsideError
from factory.verifiers.pool_worker import BEAT_BYTES, FORK, IDLE, REAP, REPLY, REQUEST, Beat, write_beat

# A worker is one core's worth of work; libraries that start threads at import would also make forks unsafe.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, the connection to it, and the memory its workers write their beats to."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    beats: mmap.mmap
    kind: tuple[object, ...]


_waiting: list[Server] = []
_keepers: list[None] = []
"""One entry for each `kept` that is open."""


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within this, a server that is done waits for the next pool of its kind: imports take a second."""
    _keepers.append(None)
    try:
        yield
    finally:
        _keepers.pop()
        while _waiting and not _keepers:
            _end(_waiting.pop())


def start(slots: int, memory_bytes: int, preload: Sequence[str]) -> Server:
    """A server for up to `slots` workers; it imports `preload` while this process goes on."""
    kind = (slots, memory_bytes, tuple(preload), tuple(sys.path))
    for server in [one for one in _waiting if one.kind == kind]:
        _waiting.remove(server)
        if server.process.poll() is None:
            return server
        _end(server)
    with tempfile.TemporaryFile() as file:
        file.truncate(BEAT_BYTES * slots)
        beats = mmap.mmap(file.fileno(), 0)
        ours, theirs = socket.socketpair()
        with theirs:
            fds = (theirs.fileno(), file.fileno())
            arguments = f"{fds[0]}, {fds[1]}, {memory_bytes}, {list(preload)!r}"
            process = subprocess.Popen(
                # -P: what lies in the working directory is not imported unless sys.path here says so.
                [
                    sys.executable,
                    "-P",
                    "-c",
                    f"from factory.verifiers.pool_worker import serve; serve({arguments})",
                ],
                env=os.environ | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
    return Server(process, ours, beats, kind)


def fork(server: Server, slot: int) -> tuple[int, socket.socket]:
    """A new worker at `slot`: its pid, which stays its own until `reap`, and a connection to it."""
    write_beat(server.beats, slot, 0, Beat(IDLE, 0.0, 0.0))
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return _ask(server, FORK, slot, [theirs.fileno()]), ours
        except OutsideError:
            ours.close()
            raise


def reap(server: Server, pid: int) -> int:
    """Wait for a worker whose connection has ended; its status as `os.waitpid` gives it."""
    return _ask(server, REAP, pid)


def stop(server: Server, *, idle: bool) -> None:
    """End the server, which kills and reaps the workers it still has; an idle one may wait (see `kept`)."""
    if idle and _keepers:
        _waiting.append(server)
    else:
        _end(server)


def _end(server: Server) -> None:
    server.control.close()
    try:
        server.process.wait(timeout=10)
    except subprocess.TimeoutExpired:  # held up in an import
        server.process.kill()
        server.process.wait()


def _ask(server: Server, kind: bytes, number: int, fds: Sequence[int] = ()) -> int:
    with contextlib.suppress(OSError):
        socket.send_fds(server.control, [REQUEST.pack(kind, number)], fds)
        reply = server.control.recv(REPLY.size, socket.MSG_WAITALL)
        if len(reply) == REPLY.size:
            return int(REPLY.unpack(reply)[0])
    raise OutsideError(
        "the server of the worker pool ended before its work was done; its own words are above, on stderr."
        " If it was killed, this machine is short of memory: use fewer verify.workers"
    )
