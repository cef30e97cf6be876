"""The attacks on the sandbox, each with the canary that tells whether it got through.

Run as a program it makes all of them and prints what came of each as JSON, so that they can be made by
another user. Needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from factory.verifiers import sandbox
from factory.verifiers.sandbox import FunctionTests, Job, Limits
from factory.verifiers.sandbox_attacks import CHECK, REPORTS, RIGHT, SELF_TEST, STEAL, WRONG, Attack

TESTS = FunctionTests(prompt="", entry_point="f", test=CHECK)
LIMITS = Limits(cpu_seconds=2.0, memory_mib=1024)
FILLED = ("FOLDER", tempfile.gettempdir(), "/dev/shm")

SLOW = {
    "infinite_loop": Attack("while True:\n    pass\n"),
    "loop_catching_all": Attack(
        """
def f(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
    ),
    "read_shadow": Attack(
        """
import posix
def act():
    return b':' in posix.read(posix.open('/etc/shadow', posix.O_RDONLY), 100)
"""
        + REPORTS
    ),
    "os_exit": Attack("import posix\nposix._exit(0)\n" + WRONG),
    "sys_exit": Attack("import sys\nsys.exit(0)\n" + WRONG),
    "scan_gc": Attack(STEAL + "import gc\nsteal(gc.get_objects())\n" + WRONG),
    "print_marker": Attack(
        """
import posix
for word in ('pass', 'passed', 'PASS', 'ok', 'OK', '__PASS__', '1 passed'):
    for fd in range(1, 64):
        try:
            posix.write(fd, word.encode())
        except OSError:
            pass
"""
        + WRONG
    ),
    "daemon": Attack(
        """
import posix, time
def act():
    if posix.fork() == 0:
        posix.setsid()
        if posix.fork() == 0:
            for i in range(10):
                posix.close(posix.open('FOLDER/daemon', posix.O_WRONLY | posix.O_CREAT, 0o666))
                time.sleep(0.5)
        posix._exit(0)
    return True
"""
        + REPORTS
    ),
    "huge_stdout": Attack(
        "import posix\nfor _ in range(200):\n    posix.write(1, bytes(1 << 20))\n" + RIGHT, may_pass=True
    ),
    "segfault": Attack("import ctypes\ndef f(x):\n    ctypes.string_at(8)\n"),
    "fill_disk": Attack(
        f"""
import posix
for folder in {FILLED!r}:
    try:
        fd = posix.open(folder + '/sandbox_fill_disk', posix.O_WRONLY | posix.O_CREAT, 0o666)
        for _ in range(64):
            posix.write(fd, bytes(1 << 20))
    except OSError:
        pass
"""
        + RIGHT,
        may_pass=True,
    ),
}
ATTACKS = SELF_TEST | SLOW


class Row(NamedTuple):
    """What came of one attack: the sandbox's word, what the canaries tell, and the honest run after it."""

    name: str
    outcome: str
    reason: str
    harm: str | None
    honest: str


def make_all(folder: Path) -> Iterator[Row]:
    """Make every attack, one at a time, with an honest program after each."""
    folder.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        jobs = []
        for attack in ATTACKS.values():
            text = attack.program.replace("FOLDER", str(folder))
            jobs += [Job(text.replace("PORT", str(listener.getsockname()[1])), TESTS), Job(RIGHT, TESTS)]
        _lay(folder)
        results = sandbox.run(iter(jobs), workers=1, limits=LIMITS)
        for name in ATTACKS:
            ran, honest = next(results)[1], next(results)[1]
            time.sleep(0.6 if name == "daemon" else 0)  # its canary is touched every half second
            yield Row(name, ran.outcome, ran.reason, _harm(folder, listener), honest.reason)
            _lay(folder)


def _lay(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    for number in range(5):
        (folder / f"canary{number}").write_text("canary")
        (folder / f"canary{number}").chmod(0o666)


def _harm(folder: Path, listener: socket.socket) -> str | None:
    names = sorted(path.name for path in folder.iterdir())
    if names != [f"canary{number}" for number in range(5)]:
        return f"the folder holds {names}"
    for place in FILLED[1:]:
        if (Path(place) / "sandbox_fill_disk").exists():
            return f"{place} was filled"
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return None
    return "the listener was reached"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({"user": os.geteuid(), "rows": [list(row) for row in make_all(Path(name))]}))
    sys.exit(0)
