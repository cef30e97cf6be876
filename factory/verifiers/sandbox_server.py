"""The server that forks a candidate and a checker for each job, and watches over them.

Guarantees: it sees neither program nor tests, so nothing of one job is in the memory another job is
forked from; a candidate is forked from a process that never held a test. Its children end at their limit
of CPU time, at the wall limit, when the job is done, when its client is gone and when it is killed
itself. It is single-threaded, started by exec, and has the common standard library imported, because an
import costs far more than a fork. Left out: what came of the job (`sandbox.py`).
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import math
import os
import random
import resource
import select
import signal
import socket
import struct
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

from factory.verifiers import confinement, sandbox_candidate, sandbox_checker
from factory.verifiers import sandbox_wire as wire
from factory.verifiers.confinement import Confinement

# What most programs import, and what loads libraries that landlock would close off. No more than that: a
# larger server makes every fork dearer (unittest.mock alone, which brings asyncio, added 2 ms to a job).
# fmt: off
PRELOAD: Final = (
    "bisect", "cmath", "collections", "collections.abc", "copy", "ctypes", "datetime", "decimal",
    "fractions", "functools", "hashlib", "heapq", "itertools", "math", "operator", "random", "re",
    "string", "symtable", "typing", "zlib",
)
# fmt: on
FIRST_USER: Final = 65000
"""Users 65000 to 65499 are nobody's; each slot has two."""

LINK, CHANNEL = 3, 4
UNCONFINED: Final = 70
"""Exit status of a child that could not be confined, or whose own code failed."""

ENDED: Final = struct.Struct("!cidqid")
"""How a job ended: who was stopped and why, then of the candidate its status, CPU seconds and peak memory
in bytes, and of the checker its status and CPU seconds."""

ON_ITS_OWN, ON_CPU, ON_WALL = b"-", b"c", b"w"
BEAT_SECONDS: Final = 0.05


class Settings(NamedTuple):
    """What a server is told when it starts: its slot, and the limits and the user of its children."""

    control: int
    slot: int
    cpu_seconds: float
    wall_seconds: float
    memory_mib: int
    new_user: bool


class Plans(NamedTuple):
    candidate: Confinement
    checker: Confinement


def main(settings: list[Any]) -> NoReturn:
    """Say whether children can be confined here, then serve jobs until the client is gone."""
    told = Settings(*settings)
    control = socket.socket(fileno=_out_of_the_way(told.control))
    sys.path[:] = [path for path in sys.path if path in _library()]
    for name in PRELOAD:
        importlib.import_module(name)
    sandbox_candidate.furnish()
    if told.new_user:
        os.setgroups([])
    try:
        plans = _plans(told)
        _try_out(plans)
        control.send(json.dumps({"landlock": confinement.landlock_abi()}).encode())
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        while control.recv(16):  # what is closed with a message unread takes its last words with it
            pass
        os._exit(1)
    _warm_up()
    gc.collect()
    gc.freeze()
    while True:
        message, fds, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            os._exit(0)
        control.send(_job(control, fds[0], plans, told))


def _out_of_the_way(fd: int) -> int:
    """`fd` under a number of its own, so that LINK and CHANNEL are never anything of the server's."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, CHANNEL + 1)
    os.close(fd)
    for reserved in (LINK, CHANNEL):
        os.dup2(0, reserved, inheritable=False)
    return moved


def _warm_up() -> None:
    """Use once and again what every child uses, so that it is not made ready, and copied, in each of them."""
    for _ in range(32):
        form = wire.encode((1, "call", [1.5, "x", {"a": (None, True)}], {2}))
        wire.decode(wire.unframe(wire.frame(form)))
        space: dict[str, Any] = {}
        exec(compile("def f(x):\n    return [x]\nassert f(1) == [1]", "<warm-up>", "exec"), space)


def _library() -> list[str]:
    """The folders that the standard library is imported from."""
    paths = sysconfig.get_paths()
    root = paths["platstdlib"]
    return [*dict.fromkeys(path for path in (paths["stdlib"], root, f"{root}/lib-dynload"))]


def _plans(told: Settings) -> Plans:
    readable = [path for path in _library() if os.path.isdir(path)]
    ruleset = confinement.landlock_rules([*readable, "/dev/null", "/dev/urandom"])
    with open("/proc/self/statm") as file:
        own_bytes = int(file.read().split()[0]) * resource.getpagesize()
    machine = confinement.machine()
    common: dict[str, Any] = {
        "ruleset": ruleset,
        "memory_bytes": own_bytes + told.memory_mib * 1024**2,
        "may_search": not all(_open_to_all(path) for path in readable),
        "parent": os.getpid(),
    }
    user = FIRST_USER + 2 * (told.slot % 250) if told.new_user else None
    return Plans(
        Confinement(
            filter=confinement.seccomp_filter(machine),
            cpu_seconds=math.ceil(told.cpu_seconds) + 1,
            user=user,
            **common,
        ),
        Confinement(
            # The checker hands a program its input and output as files in memory.
            filter=confinement.seccomp_filter(machine, frozenset({"memfd_create", "sendmsg"})),
            cpu_seconds=math.ceil(told.wall_seconds) + 1,
            user=user + 1 if user is not None else None,
            **common,
        ),
    )


def _open_to_all(path: str) -> bool:
    """Whether every user may walk to `path`."""
    parts = [path]
    while (parent := os.path.dirname(parts[-1])) != parts[-1]:
        parts.append(parent)
    return all(os.stat(part).st_mode & 0o001 for part in parts)


def _try_out(plans: Plans) -> None:
    """Confine a child that does nothing else; raises OSError with what it says."""
    for plan in plans:
        ours, theirs = os.pipe()

        def child(plan: Confinement = plan, theirs: int = theirs) -> None:
            os.dup2(theirs, LINK)
            try:
                confinement.confine(plan, keep=LINK + 1)
            except OSError as error:
                os.write(LINK, str(error).encode())

        pid = _fork(child)
        os.close(theirs)
        said = os.read(ours, 4096).decode()
        os.close(ours)
        status = os.waitpid(pid, 0)[1]
        if said or not os.WIFEXITED(status):
            raise OSError(said or f"a confined child ended with status {os.waitstatus_to_exitcode(status)}")


def _fork(child: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        child()
    finally:
        os._exit(UNCONFINED)


# --- one job -------------------------------------------------------------------------------------------


def _job(control: socket.socket, channel: int, plans: Plans, told: Settings) -> bytes:
    """Fork the two children of a job, wait for their end, and say how they ended."""
    begun = time.monotonic()
    left, right = socket.socketpair()
    ends = left.detach(), right.detach()
    candidate = _fork(lambda: _candidate(ends[0], plans.candidate))
    checker = _fork(lambda: _checker(ends[1], channel, plans.checker))
    for fd in (*ends, channel):
        os.close(fd)
    stopped = _watch(control, candidate, checker, begun, told)
    for pid in (candidate, checker):
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(candidate, 0)
    _, checker_status, checker_used = os.wait4(checker, 0)
    return ENDED.pack(
        stopped,
        status,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * 1024,
        checker_status,
        checker_used.ru_utime + checker_used.ru_stime,
    )


def _candidate(link: int, plan: Confinement) -> None:
    _close_in(plan, link)
    sandbox_candidate.Candidate(LINK).serve()


def _checker(link: int, channel: int, plan: Confinement) -> None:
    _close_in(plan, link, channel)
    sandbox_checker.serve(CHANNEL, LINK)


def _close_in(plan: Confinement, *fds: int) -> None:
    """Become a child with a session of its own, /dev/null on 0-2, and `fds` from LINK on."""
    os.setsid()
    os.dup2(0, 2)
    for target, fd in enumerate(fds, LINK):
        os.dup2(fd, target, inheritable=False)
    confinement.confine(plan, keep=LINK + len(fds))
    random.seed(0)  # the same program gets the same verdict


def _watch(control: socket.socket, candidate: int, checker: int, begun: float, told: Settings) -> bytes:
    """Wait until the checker has ended; who was stopped before that, and why."""
    poll = select.poll()
    pidfds = [os.pidfd_open(pid) for pid in (candidate, checker)]
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    poll.register(control, 0)  # only its end is of interest
    stopped, deadline = ON_ITS_OWN, begun + told.wall_seconds
    rest = told.cpu_seconds  # a process of one thread uses no more CPU time than this passes on the wall
    try:
        while (left := deadline - time.monotonic()) > 0:
            events = dict(poll.poll(1000 * min(left, max(rest, BEAT_SECONDS))))
            if control.fileno() in events:
                _leave(candidate, checker)
            if pidfds[1] in events:
                return stopped
            if pidfds[0] in events:
                poll.unregister(pidfds[0])
                rest = math.inf
            elif rest < math.inf:
                rest = told.cpu_seconds - time.clock_gettime(~candidate << 3 | 2)
                if rest <= 0 and stopped == ON_ITS_OWN:
                    stopped = ON_CPU
                    os.kill(candidate, signal.SIGKILL)
        return ON_WALL if stopped == ON_ITS_OWN else stopped
    finally:
        for fd in pidfds:
            os.close(fd)


def _leave(*pids: int) -> NoReturn:
    """End with the client that is gone."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os._exit(0)
