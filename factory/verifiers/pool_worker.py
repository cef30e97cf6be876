"""The processes of the pool: a server that imports once and forks, and the workers it forks.

Guarantees: the server is started with exec, so it holds nothing of its starter but the two files it is
handed; it has one thread, so forking it is safe. A worker says in shared memory which item it works on
before it starts it. When the starter is gone, however it went, the server sees the end of its pipe,
kills its workers and ends; when the server is gone, the kernel kills the workers (Linux).
Left out: every decision about deadlines and blame, which is `pool.py`'s.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import itertools
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

FORK, REAP = b"F", b"W"
REQUEST = struct.Struct("=cQ")  # FORK and a slot, with the worker's socket; or REAP and a pid
REPLY = struct.Struct("=q")  # the pid; or what waitpid said
LENGTH = struct.Struct("=Q")  # stands before every message
BEAT_BYTES = 64
IDLE = -1
REPORT_SECONDS = 0.05
RETURNED, OUT_OF_MEMORY, RAISED = 0, 1, 2

_EDGE, _BODY = struct.Struct("=Q"), struct.Struct("=qdd")
_WHOLE = struct.Struct("=QqddQ")


class Beat(NamedTuple):
    """What a worker does: the position of its item or IDLE, and its wall and CPU clocks when it began."""

    item: int
    wall: float
    cpu: float


def read_beat(beats: mmap.mmap, slot: int) -> Beat:
    """The last whole beat of a worker; a beat that is being written is read again."""
    while True:
        before, item, wall, cpu, after = _WHOLE.unpack_from(beats, slot * BEAT_BYTES)
        again = _WHOLE.unpack_from(beats, slot * BEAT_BYTES)
        if before == after and again == (before, item, wall, cpu, after):
            return Beat(item, wall, cpu)


def write_beat(beats: mmap.mmap, slot: int, version: int, beat: Beat) -> None:
    """Store `beat` between two equal versions, so that a reader sees when it caught half of one."""
    start = slot * BEAT_BYTES
    _EDGE.pack_into(beats, start, version)
    _BODY.pack_into(beats, start + _EDGE.size, *beat)
    _EDGE.pack_into(beats, start + _EDGE.size + _BODY.size, version)


# --- the worker --------------------------------------------------------------------------------------


def _receive(connection: socket.socket) -> bytes | None:
    """One message, or None at the end of the connection."""
    parts: list[bytes] = []
    missing = LENGTH.size
    header = True
    while missing:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            return None
        parts.append(part)
        missing -= len(part)
        if not missing and header:
            (missing,) = LENGTH.unpack(b"".join(parts))
            parts, header = [], False
    return b"".join(parts)


def _limit_memory(memory_bytes: int) -> None:
    """Allow the work `memory_bytes` of address space beyond what the imported modules already take."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as statm:
        memory_bytes += int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _die_with(server: int) -> None:
    """Have the kernel kill this process when its parent `server` ends, even in a loop that never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG
    if os.getppid() != server:
        os._exit(1)


def _work(connection: socket.socket, beats: mmap.mmap, slot: int) -> None:
    """Take the function, then chunks of (index, item), and give (index, outcome, seconds, value) lists."""
    first = _receive(connection)
    if first is None:
        return
    function = pickle.loads(first)
    versions = itertools.count(1)

    def report() -> None:
        # First out of blame: this may wait for the reader, and waiting is not the item's work.
        write_beat(beats, slot, next(versions), Beat(IDLE, 0.0, 0.0))
        message = pickle.dumps(results, protocol=pickle.HIGHEST_PROTOCOL)
        connection.sendall(LENGTH.pack(len(message)) + message)
        results.clear()

    results: list[tuple[int, int, float, bytes]] = []
    while (message := _receive(connection)) is not None:
        reported = time.monotonic()
        for index, item in pickle.loads(message):
            start = time.monotonic()
            write_beat(beats, slot, next(versions), Beat(index, start, time.process_time()))
            outcome, value = _call(function, item)
            end = time.monotonic()
            results.append((index, outcome, end - start, value))
            if end - reported >= REPORT_SECONDS:
                report()
                reported = end
        report()


def _call(function: Callable[[Any], object], item: object) -> tuple[int, bytes]:
    try:
        return RETURNED, pickle.dumps(function(item), protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return OUT_OF_MEMORY, b""
    except BaseException:  # SystemExit too: only the pool ends a worker
        traceback.print_exc()
        return RAISED, b""


# --- the server --------------------------------------------------------------------------------------


def _fork(control: socket.socket, descriptor: int, beats: mmap.mmap, slot: int, memory_bytes: int) -> int:
    """The pid of a new worker that talks over `descriptor`."""
    server = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _die_with(server)
        control.close()
        _limit_memory(memory_bytes)
        _work(socket.socket(fileno=descriptor), beats, slot)
        code = 0
    except (BrokenPipeError, ConnectionResetError):
        code = 0  # the starter closed the pool
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def serve(control_descriptor: int, beats_descriptor: int, memory_bytes: int, preload: list[str]) -> None:
    """Import `preload`, then fork and reap workers as asked until the starter closes the connection."""
    for name in preload:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    beats = mmap.mmap(beats_descriptor, 0)
    control = socket.socket(fileno=control_descriptor)
    alive: set[int] = set()
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, REQUEST.size, 1)
        if len(request) < REQUEST.size:
            break
        kind, number = REQUEST.unpack(request)
        if kind == FORK:
            answer = _fork(control, descriptors[0], beats, number, memory_bytes)
            os.close(descriptors[0])
            alive.add(answer)
        else:
            _, answer = os.waitpid(number, 0)
            alive.discard(number)
        control.sendall(REPLY.pack(answer))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
