"""Run programs of a model against tests, and say of each whether it passed, failed, or cannot be told.

Guarantees: the program and its tests are in two processes that share no memory with tests in it, so a
program can neither read what is expected nor write the verdict; both are confined by landlock, seccomp
and rlimits (`confinement.py`). A verdict is believed only with the nonce of its job, from a descriptor
that the tests' process alone holds; exit status and output mean nothing. A server that is lost costs its
job one retry. No process is left when the generator ends, or when this process is killed. Nothing runs
before `self_test` has seen the attacks fail on this machine.

Left out: tests that need identity of objects, threads, files or other processes ("unsupported" where it
can be told), packages beside the standard library, and a defence against flaws of the kernel: this is a
filter and not a virtual machine.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from factory.errors import OutsideError
from factory.verifiers import sandbox_process, sandbox_selftest
from factory.verifiers import sandbox_wire as wire
from factory.verifiers.sandbox_jobs import (
    Asserts,
    FunctionTests,
    InputOutput,
    Isolation,
    Job,
    Limits,
    Outcome,
    Ran,
)
from factory.verifiers.sandbox_process import Server
from factory.verifiers.sandbox_result import result

__all__ = [
    "Asserts",
    "FunctionTests",
    "InputOutput",
    "Isolation",
    "Job",
    "Limits",
    "Outcome",
    "Ran",
    "run",
    "self_test",
]

DEFAULT_LIMITS: Final = Limits()

GRACE_SECONDS: Final = 10.0
"""How long past the wall limit a server may be silent before it is taken for lost."""


def run(
    jobs: Iterable[Job],
    *,
    workers: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    isolation: Isolation = "landlock",
) -> Iterator[tuple[int, Ran, float]]:
    """Yield (position in `jobs`, result, wall seconds) for every job, as results come.

    `workers` is the number of jobs at a time (the usable cores by default); jobs are pulled as there is
    room. Raises OutsideError when this machine cannot confine programs.
    """
    self_test(isolation)
    yield from _run(jobs, workers, limits, isolation)


_fingerprints: dict[Isolation, str] = {}


def self_test(isolation: Isolation = "landlock") -> str:
    """Attack the sandbox, once per process, and name its means, such as "landlock7+seccomp py3.11".

    Raises OutsideError naming the attack that got through, or the means that is missing.
    """
    if isolation not in _fingerprints:
        _fingerprints[isolation] = sandbox_selftest.check(_run, isolation)
    return _fingerprints[isolation]


def _run(
    jobs: Iterable[Job], workers: int | None, limits: Limits, isolation: Isolation
) -> Iterator[tuple[int, Ran, float]]:
    crew = _Crew(iter(jobs), workers or len(os.sched_getaffinity(0)), limits, isolation)
    try:
        yield from crew.results()
    finally:
        crew.close()


@dataclass(slots=True)
class _Task:
    """A job on its way: `outbox` is what its checker has not been sent yet."""

    position: int
    job: Job
    begun: float
    retried: bool = False
    nonce: str = ""
    channel: socket.socket | None = None
    outbox: memoryview = field(default_factory=lambda: memoryview(b""))


@dataclass(slots=True)
class _Slot:
    number: int
    server: Server | None = None
    greeted: bool = False
    task: _Task | None = None


class _Crew:
    """The state of one `run`: a server in each slot, and what it is at."""

    def __init__(self, jobs: Iterator[Job], size: int, limits: Limits, isolation: Isolation) -> None:
        self.jobs, self.limits, self.isolation = enumerate(jobs), limits, isolation
        self.slots = [_Slot(number) for number in range(size)]
        self.again: list[_Task] = []
        self.exhausted = False
        self.selector = selectors.DefaultSelector()
        self.found: list[tuple[int, Ran, float]] = []

    def results(self) -> Iterator[tuple[int, Ran, float]]:
        """Feed, listen and watch until nothing is owed."""
        while True:
            for slot in self.slots:
                self._feed(slot)
            found, self.found = self.found, []
            yield from found
            if not found and all(slot.task is None for slot in self.slots):
                return
            for key, events in self.selector.select(1.0):
                slot = key.data
                if events & selectors.EVENT_WRITE:
                    self._write(slot)
                elif slot.server is not None and key.fileobj is slot.server.control:
                    self._listen(slot)
            for slot in self.slots:
                late = slot.task and slot.task.begun + self.limits.wall_seconds + GRACE_SECONDS
                if late and time.monotonic() > late:
                    self._bury(slot)

    def close(self) -> None:
        """End every server and its children."""
        for slot in self.slots:
            self._drop_channel(slot)
            if slot.server is not None:
                sandbox_process.stop(slot.server)
        self.selector.close()

    # --- jobs out ---

    def _feed(self, slot: _Slot) -> None:
        """Give an idle slot the next job, starting its server where there is none."""
        while slot.task is None and (task := self._next()):
            task.begun, task.nonce = time.monotonic(), secrets.token_hex(16)
            try:
                message = wire.frame(wire.encode(_told(task), max_values=1 << 24), wire.MAX_JOB_BYTES)
            except wire.Unplain as error:
                ran = Ran("unsupported", f"unsupported:tests of {error}", None, None, 0.0, None)
                self.found.append((task.position, ran, 0.0))
                continue
            if slot.server is None:
                slot.server = sandbox_process.start(slot.number, self.limits, self.isolation)
                slot.greeted = False
                self.selector.register(slot.server.control, selectors.EVENT_READ, slot)
            slot.task = task
            self._send(slot.server, slot, task, message)

    def _next(self) -> _Task | None:
        if self.again:
            return self.again.pop()
        if not self.exhausted:
            for position, job in self.jobs:
                return _Task(position, job, 0.0)
            self.exhausted = True
        return None

    def _send(self, server: Server, slot: _Slot, task: _Task, message: bytes) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        task.channel, task.outbox = ours, memoryview(message)
        with theirs:
            try:
                socket.send_fds(server.control, [b"job"], [theirs.fileno()])
            except OSError:
                return  # it is lost, which the connection tells in a moment
        self._write(slot)

    def _write(self, slot: _Slot) -> None:
        """Send as much of the job as its checker takes now."""
        task = slot.task
        if task is None or task.channel is None:
            return
        try:
            task.outbox = task.outbox[task.channel.send(task.outbox) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            task.outbox = memoryview(b"")
        known = task.channel in self.selector.get_map()
        if task.outbox and not known:
            self.selector.register(task.channel, selectors.EVENT_WRITE, slot)
        elif known and not task.outbox:
            self.selector.unregister(task.channel)

    # --- results in ---

    def _listen(self, slot: _Slot) -> None:
        """Take in a message of a server: its greeting, how a job ended, or its own end."""
        assert slot.server is not None
        try:
            message = slot.server.control.recv(4096)
        except ConnectionResetError:
            message = b""
        if not message:
            self._bury(slot)
        elif not slot.greeted:
            sandbox_process.hello(message)
            slot.greeted = True
        elif slot.task is not None:
            task = slot.task
            ran = result(task.nonce, _report(task.channel), message, self.limits)
            self._settle(slot, task, ran)

    def _settle(self, slot: _Slot, task: _Task, ran: Ran) -> None:
        self._drop_channel(slot)
        slot.task = None
        if ran.reason == "worker_lost" and not task.retried:
            task.retried = True
            self.again.append(task)
        else:
            self.found.append((task.position, ran, time.monotonic() - task.begun))

    def _bury(self, slot: _Slot) -> None:
        """Part with a server that has ended or is silent; its job is tried once more."""
        assert slot.server is not None
        self.selector.unregister(slot.server.control)
        sandbox_process.stop(slot.server, at_once=True)
        if not slot.greeted:
            raise OutsideError(
                "the server of the sandbox ended before it could work, with status"
                f" {slot.server.process.returncode}; its own words are above, on stderr"
            )
        slot.server = None
        if slot.task is not None:
            self._settle(slot, slot.task, Ran("unsettled", "worker_lost", None, None, 0.0, None))

    def _drop_channel(self, slot: _Slot) -> None:
        channel = slot.task and slot.task.channel
        if channel:
            if channel in self.selector.get_map():
                self.selector.unregister(channel)
            channel.close()


def _told(task: _Task) -> tuple[Any, ...]:
    """What the checker is told of a job."""
    form: str
    parts: tuple[Any, ...]
    match task.job.tests:
        case FunctionTests(prompt, entry_point, test):
            form, parts = "function", (prompt, entry_point, test)
        case Asserts(setup, asserts):
            form, parts = "asserts", (setup, tuple(asserts))
        case InputOutput(inputs, outputs, function):
            form, parts = "input_output", (tuple(inputs), tuple(outputs), function)
    return task.nonce, task.job.solution, form, parts


def _report(channel: socket.socket | None) -> bytes:
    """All that the checker of a job that has ended wrote."""
    parts = []
    try:
        while channel is not None and (part := channel.recv(1 << 16)):
            parts.append(part)
    except (BlockingIOError, ConnectionResetError):
        return b""
    return b"".join(parts)
