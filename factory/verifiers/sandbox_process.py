"""Starting and ending a server of the sandbox.

Guarantees: the server has no environment but a fixed hash seed (so that the order of sets, and with it a
verdict, is the same in every run), no import path but the standard library once it has started, and a
session of its own. Left out: what it is asked (`sandbox.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from factory.errors import OutsideError
from factory.verifiers.sandbox_jobs import Isolation, Limits
from factory.verifiers.sandbox_server import Settings

ROOT: Final = str(Path(__file__).parents[2])
BOOT: Final = (
    f"import sys; sys.path.insert(0, {ROOT!r}); from factory.verifiers.sandbox_server import main; main({{}})"
)
# fmt: off
BUBBLEWRAP: Final = (
    "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL",
    "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the connection to it, a message a datagram."""

    process: subprocess.Popen[bytes]
    control: socket.socket


def start(slot: int, limits: Limits, isolation: Isolation) -> Server:
    """Start the server of a slot; its first message says whether it can work. Raises OutsideError."""
    outside = _outside(isolation)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        settings = Settings(
            control=theirs.fileno(),
            slot=slot,
            cpu_seconds=limits.cpu_seconds,
            wall_seconds=limits.wall_seconds,
            memory_mib=limits.memory_mib,
            new_user=isolation == "landlock" and os.geteuid() == 0,
        )
        program = BOOT.replace("{}", repr(list(settings)))
        process = subprocess.Popen(
            [*outside, sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8", "-c", program],
            env={"PYTHONHASHSEED": "0"},
            cwd="/",
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Server(process, ours)


def _outside(isolation: Isolation) -> list[str]:
    """What stands before the server's own command line."""
    if isolation == "landlock":
        return []
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise OutsideError(
            "isolation: bubblewrap needs the program bwrap, which is not on the PATH; install it with:"
            " apt-get install bubblewrap, or choose isolation: landlock"
        )
    return [bwrap, *BUBBLEWRAP]


def stop(server: Server, *, at_once: bool = False) -> None:
    """End a server; it ends its children first, unless it is to end at once, and then they end with it."""
    server.control.close()
    if at_once:
        server.process.kill()
    try:
        server.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def hello(message: bytes) -> int:
    """The version of landlock in a server's first message; raises OutsideError when it cannot work."""
    said = json.loads(message)
    if "error" in said:
        raise OutsideError(
            f"programs cannot be confined on this machine: {said['error']}. The sandbox needs Linux with"
            " landlock (5.13 or later, with landlock in /sys/kernel/security/lsm) and seccomp; programs are"
            " not run with less. Verify on a machine that has both, or leave the verifier out of the recipe"
        )
    return int(said["landlock"])
