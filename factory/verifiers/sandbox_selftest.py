"""Attack the sandbox before it is trusted, with canaries that only a successful attack touches.

Guarantees: `check` returns only if both controls are judged right, every attack of `sandbox_attacks.py`
failed, and an honest program passed after each. File rights are open on the canaries, so that they are not
what stops an attack. Left out: attacks that take long, which the tests run.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from factory.errors import OutsideError
from factory.verifiers import confinement
from factory.verifiers.sandbox_attacks import CHECK, RIGHT, SELF_TEST, WRONG
from factory.verifiers.sandbox_jobs import FunctionTests, Isolation, Job, Limits, Ran

LIMITS: Final = Limits(cpu_seconds=10.0, memory_mib=256)
CANARIES: Final = 5

Run = Callable[
    [Iterable[Job], int | None, Limits, Isolation],
    Iterator[tuple[int, Ran, float]],
]


def check(run: Run, isolation: Isolation) -> str:
    """Run the controls and the attacks; the means of the sandbox in words. Raises OutsideError."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        _lay_canaries(folder)
        names, jobs = _programs(folder, listener.getsockname()[1])
        # One worker, so that what a canary tells is told before the next program begins.
        for position, ran, _ in run(iter(jobs), 1, LIMITS, isolation):
            fault = _fault(names[position], ran) or _told(folder, listener)
            if fault:
                _refuse(names[position], fault, isolation)
    before = "bubblewrap+" if isolation == "bubblewrap" else ""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{before}landlock{confinement.landlock_abi()}+seccomp py{version}"


def _programs(folder: str, port: int) -> tuple[list[str], list[Job]]:
    """The controls, then each attack with an honest program after it."""
    programs = [("right", RIGHT), ("wrong", WRONG)]
    for name, attack in SELF_TEST.items():
        program = attack.program.replace("FOLDER", folder).replace("PORT", str(port))
        programs += [(name, program), (f"honest after {name}", RIGHT)]
    tests = FunctionTests(prompt="", entry_point="f", test=CHECK)
    return [name for name, _ in programs], [Job(program, tests) for _, program in programs]


def _lay_canaries(folder: str) -> None:
    os.chmod(folder, 0o777)
    for number in range(CANARIES):
        path = os.path.join(folder, f"canary{number}")
        with open(path, "w") as file:
            file.write("canary")
        os.chmod(path, 0o666)


def _fault(name: str, ran: Ran) -> str | None:
    """What is wrong with the result of a program, if anything."""
    if name == "right" or name.startswith("honest"):
        return None if ran.outcome == "passed" else f"a right program is {ran.outcome} ({ran.reason})"
    if name == "wrong":
        return None if ran.reason == "assertion" else f"a wrong program is {ran.outcome} ({ran.reason})"
    if SELF_TEST[name].may_pass:
        return None if ran.outcome == "passed" else f"it ended the run: {ran.outcome} ({ran.reason})"
    # What the clock ended has not met the wall it is aimed at.
    met = ran.outcome == "failed" and ran.reason != "exceeded:cpu"
    return None if met else f"its program is {ran.outcome} ({ran.reason})"


def _told(folder: str, listener: socket.socket) -> str | None:
    """What the canaries tell, if anything."""
    if sorted(os.listdir(folder)) != [f"canary{number}" for number in range(CANARIES)]:
        return "files of the host were written or deleted"
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return None
    return "it reached a port of the host"


def _refuse(name: str, fault: str, isolation: Isolation) -> None:
    raise OutsideError(
        f"the sandbox (isolation: {isolation}) does not hold on this machine: {name}: {fault}. No program is"
        " run. It needs Linux with landlock and seccomp, nothing between that takes them away (an emulated"
        " kernel does), and time to run: try again on an idle machine, or verify on another one"
    )
