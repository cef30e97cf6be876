"""Run a function over many items in processes that can be killed, and lose no item.

Guarantees: every item gets exactly one outcome, in any order, as soon as it is known. An item past its
time limit, out of memory or in a crash is named so, alone: the rest of its chunk goes on in a new
worker. The limit counts the CPU time of the item itself; one that only waits is given WAITING times as
long on the wall clock. Items are pulled as workers have room, so their number does not matter. When the
generator ends, however it ends, no worker is left, and no server either but within `pool_server.kept`. The
same holds when this process is killed.

Left out: a defence against the function itself. Workers run our code over untrusted text and answer in
pickles, which the caller loads; a function that executes untrusted programs must confine them elsewhere.
Exceptions as values, too. A function that raises is reported as a crash with its traceback on
stderr; a caller who wants more catches inside the function. The function must be importable by name
(`functools.partial` of such a one is fine). Linux and macOS; CPU time is only known on Linux, and
elsewhere the wall clock alone decides.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

from factory.errors import OutsideError
from factory.verifiers import pool_server
from factory.verifiers.pool_server import Server
from factory.verifiers.pool_worker import IDLE, LENGTH, OUT_OF_MEMORY, RETURNED, read_beat

T = TypeVar("T")
R = TypeVar("R")

WAITING: Final = 4
CHUNK_SECONDS: Final = 0.05
LARGEST_CHUNK: Final = 256
CHUNKS_IN_FLIGHT: Final = 2
STILLBORN: Final = 3

Reason = Literal["time_limit", "memory", "crash", "worker_lost"]


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What the function returned, and the wall seconds it took in the worker."""

    value: R
    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """Why an item has no value, and the wall seconds spent on it.

    `crash`: it ended its process or raised; `worker_lost`: the process was killed from outside.
    """

    reason: Reason
    seconds: float


@dataclass(slots=True)
class _Worker:
    slot: int
    pid: int
    connection: socket.socket
    outbox: bytearray
    inbox: bytearray = field(default_factory=bytearray)
    chunks: deque[dict[int, Any]] = field(default_factory=deque)
    started: bool = False
    killed_at: int | None = None


def run(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int | None = None,
    time_limit: float,
    memory_bytes: int = 2 * 1024**3,
    preload: Sequence[str] = (),
) -> Iterator[tuple[int, Done[R] | Lost]]:
    """Yield (position in `items`, outcome) for every item, as outcomes come.

    `workers` is the number of processes (all usable cores by default), `time_limit` the seconds of work
    one item may take, `memory_bytes` the address space a worker may add to its imports, `preload` the
    modules imported once for all of them. Raises OutsideError when workers cannot be started.
    """
    size = workers or _cores()
    server = pool_server.start(size, memory_bytes, preload)
    crew = _Crew(server, pickle.dumps(function), iter(items), size, time_limit)
    try:
        yield from crew.outcomes()
    finally:
        for worker in crew.workers.values():
            worker.connection.close()
        crew.selector.close()
        pool_server.stop(server, idle=not crew.workers)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_seconds(pid: int) -> float | None:
    """CPU seconds process `pid` has used, or None where the system does not say."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime(~pid << 3 | 2)  # Linux's number for the CPU clock of a process
    return None


def _message(value: bytes) -> bytes:
    return LENGTH.pack(len(value)) + value


class _Crew:
    """The state of one `run`: the workers and what they owe."""

    def __init__(
        self, server: Server, function: bytes, items: Iterator[Any], size: int, time_limit: float
    ) -> None:
        self.server, self.function, self.size, self.time_limit = server, function, size, time_limit
        self.items: Iterator[tuple[int, Any]] = enumerate(items)
        self.again: dict[int, Any] = {}  # owed anew, since their worker died at another item
        self.exhausted = False
        self.stillborn = 0
        self.mean_seconds = CHUNK_SECONDS / 4
        self.workers: dict[int, _Worker] = {}
        self.selector = selectors.DefaultSelector()
        self.found: list[tuple[int, Done[Any] | Lost]] = []

    # --- the loop ---

    def outcomes(self) -> Iterator[tuple[int, Done[Any] | Lost]]:
        """Feed, listen and watch until nothing is owed."""
        pause = min(0.1, self.time_limit / 4)
        while True:
            self._feed()
            if not self.workers:
                return
            for key, events in self.selector.select(pause):
                if events & selectors.EVENT_WRITE:
                    self._write(key.data)
                if events & selectors.EVENT_READ and self._read(key.data):
                    self._bury(key.data)
            for worker in list(self.workers.values()):
                self._watch(worker)
            found, self.found = self.found, []
            yield from found

    def _feed(self) -> None:
        """Give work to whoever has room; hire while there is work for one more; dismiss who has none."""
        for slot in range(self.size):
            while slot not in self.workers or len(self.workers[slot].chunks) < CHUNKS_IN_FLIGHT:
                chunk = self._next_chunk()
                if not chunk:
                    break
                if slot not in self.workers:
                    self.workers[slot] = self._hire(slot)
                worker = self.workers[slot]
                worker.chunks.append(chunk)
                worker.outbox += _message(pickle.dumps(list(chunk.items())))
                self.selector.modify(worker.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, worker)
        for worker in list(self.workers.values()):
            if not worker.chunks:
                self._part(worker)

    def _hire(self, slot: int) -> _Worker:
        pid, connection = pool_server.fork(self.server, slot)
        connection.setblocking(False)
        worker = _Worker(slot, pid, connection, outbox=bytearray(_message(self.function)))
        self.selector.register(connection, selectors.EVENT_READ, worker)
        return worker

    def _part(self, worker: _Worker) -> int:
        """End the connection to a worker, wait for its end, and return its status."""
        self.selector.unregister(worker.connection)
        worker.connection.close()
        del self.workers[worker.slot]
        return pool_server.reap(self.server, worker.pid)

    def _next_chunk(self) -> dict[int, Any]:
        """Items for about CHUNK_SECONDS of work: those of a lost worker first, then new ones."""
        size = max(1, min(LARGEST_CHUNK, math.ceil(CHUNK_SECONDS / max(self.mean_seconds, 1e-6))))
        chunk: dict[int, Any] = {}
        while self.again and len(chunk) < size:
            index = next(iter(self.again))
            chunk[index] = self.again.pop(index)
        while not self.exhausted and len(chunk) < size:
            try:
                index, item = next(self.items)
            except StopIteration:
                self.exhausted = True
            else:
                chunk[index] = item
        return chunk

    def _write(self, worker: _Worker) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            sent = worker.connection.send(memoryview(worker.outbox)[: 1 << 20])
            del worker.outbox[:sent]
        if not worker.outbox:
            self.selector.modify(worker.connection, selectors.EVENT_READ, worker)

    def _read(self, worker: _Worker) -> bool:
        """Take in what a worker has sent; whether the connection has ended."""
        ended = False
        try:
            while part := worker.connection.recv(1 << 20):
                worker.inbox += part
            ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:  # it died with a chunk unread
            ended = True
        while len(worker.inbox) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(worker.inbox)[0]
            if len(worker.inbox) < end:
                break
            results = pickle.loads(worker.inbox[LENGTH.size : end])
            del worker.inbox[:end]
            for result in results:
                self._settle(worker, *result)
        return ended

    def _settle(self, worker: _Worker, index: int, outcome: int, seconds: float, value: bytes) -> None:
        worker.started, self.stillborn = True, 0
        self.mean_seconds += (seconds - self.mean_seconds) / 32
        if outcome == RETURNED:
            self.found.append((index, Done(pickle.loads(value), seconds)))
        else:
            self.found.append((index, Lost("memory" if outcome == OUT_OF_MEMORY else "crash", seconds)))
        self._forget(worker, index)

    def _forget(self, worker: _Worker, index: int) -> None:
        """Take an item that has its outcome off a worker's books."""
        for chunk in worker.chunks:
            if index in chunk:
                del chunk[index]
                break
        while worker.chunks and not worker.chunks[0]:
            worker.chunks.popleft()

    # --- deadlines and deaths ---

    def _watch(self, worker: _Worker) -> None:
        """Kill a worker whose item is past its limit; its end is then seen like any other."""
        beat = read_beat(self.server.beats, worker.slot)
        if beat.item == IDLE or worker.killed_at is not None:
            return
        wall = time.monotonic() - beat.wall
        if wall < self.time_limit:
            return
        cpu = _cpu_seconds(worker.pid)
        if cpu is None or cpu - beat.cpu >= self.time_limit or wall >= WAITING * self.time_limit:
            worker.killed_at = beat.item
            os.kill(worker.pid, signal.SIGKILL)

    def _bury(self, worker: _Worker) -> None:
        """Blame the item a dead worker was at, unless its result came; owe the rest of its chunks again."""
        status = self._part(worker)
        beat = read_beat(self.server.beats, worker.slot)
        owed = {index: item for chunk in worker.chunks for index, item in chunk.items()}
        # A worker that was killed for one item may have begun the next in that moment: it is not to blame.
        if beat.item in owed and worker.killed_at in (None, beat.item):
            worker.started, self.stillborn = True, 0
            del owed[beat.item]
            outside = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            reason: Reason = (
                "time_limit" if worker.killed_at is not None else "worker_lost" if outside else "crash"
            )
            self.found.append((beat.item, Lost(reason, time.monotonic() - beat.wall)))
        self.again.update(owed)
        self.stillborn += not worker.started
        if self.stillborn >= STILLBORN:
            raise OutsideError(
                f"{STILLBORN} workers of the pool ended before their first item, the last with status"
                f" {os.waitstatus_to_exitcode(status)}; their own words are above, on stderr. The function"
                " and its items must be importable by name, and memory_bytes must leave room to work"
            )
