"""Programs that attack the sandbox: what the self-test runs before the first verdict.

Guarantees: each is harmless where it fails, and where it succeeds it harms nothing but the canaries of the
self-test. They use `posix` and `_socket` rather than `os` and `socket`, so that patched modules do not
stop them. Left out: running them (`sandbox_selftest.py`).

The task is a function f with f(2) == 4 and f(3) == 9. An attack gets through when it passes and ought not
to, when it is not judged at all, or when a canary tells. FOLDER and PORT stand for the canaries' place.
"""

from __future__ import annotations

from typing import Final, NamedTuple

RIGHT: Final = "def f(x):\n    return x * x\n"
WRONG: Final = "def f(x):\n    return -1\n"
REPORTS: Final = "def f(x):\n    return x * x if act() else -1\n"
"""Right only if the act succeeded."""

CHECK: Final = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"


class Attack(NamedTuple):
    """A program, and whether it may pass: its f is right, and its harm is another."""

    program: str
    may_pass: bool = False


STEAL: Final = """
import posix, re
def steal(found):
    secrets = set()
    for value in found:
        if type(value) is list and value is not found:
            value.append('passed')
        if type(value) is dict:
            found.extend(list(value.values())[:1000])
        if type(value) is str and re.fullmatch('[0-9a-f]{32}', value):
            secrets.add(value)
    for secret in secrets:
        for fd in range(1, 64):
            try:
                posix.write(fd, secret.encode())
            except OSError:
                pass
"""

SELF_TEST: Final = {
    "fork_bomb": Attack(
        """
import posix, time
def act():
    for _ in range(40):
        if posix.fork() == 0:
            time.sleep(5)
            posix._exit(0)
    return True
"""
        + REPORTS
    ),
    "memory_bomb": Attack(
        """
def act():
    # Memory that is asked for and never touched: where touching is slow, the clock would be what stops it.
    return len([bytes(64 << 20) for _ in range(40)]) == 40
"""
        + REPORTS
    ),
    "write_home": Attack(
        """
import posix
try:
    posix.close(posix.open('FOLDER/written', posix.O_WRONLY | posix.O_CREAT, 0o666))
except OSError:
    pass
"""
        + RIGHT,
        may_pass=True,
    ),
    "delete_files": Attack(
        """
import posix
for i in range(5):
    try:
        posix.unlink(f'FOLDER/canary{i}')
    except OSError:
        pass
"""
        + RIGHT,
        may_pass=True,
    ),
    "read_host_file": Attack(
        """
import posix
def act():
    return b'canary' in posix.read(posix.open('FOLDER/canary0', posix.O_RDONLY), 100)
"""
        + REPORTS
    ),
    "loopback_connect": Attack(
        """
import _socket
def act():
    line = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    line.connect(('127.0.0.1', PORT))
    return line.send(b'reached') == 7
"""
        + REPORTS
    ),
    "datagram": Attack(
        """
import _socket
def act():
    line = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    return line.sendto(b'sent', ('127.0.0.1', PORT)) == 4
"""
        + REPORTS
    ),
    "kill_parent": Attack(
        """
import posix
try:
    if posix.getppid() > 1:
        posix.kill(posix.getppid(), 9)
except OSError:
    pass
"""
        + RIGHT,
        may_pass=True,
    ),
    "always_equal": Attack(
        """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __hash__(self): return 0
def f(x):
    return Equal()
"""
    ),
    "exit_in_call": Attack("import posix\ndef f(x):\n    posix._exit(0)\n"),
    "patch_builtins": Attack(
        """
import builtins
def check(candidate): pass
builtins.compile = lambda *a, **k: None
builtins.exec = lambda *a, **k: None
builtins.all = lambda *a, **k: True
builtins.isinstance = lambda *a, **k: True
builtins.AssertionError = type('Other', (BaseException,), {})
"""
        + WRONG
    ),
    "patch_frames": Attack(
        STEAL
        + """
import sys
frame, found = sys._getframe(), []
while frame:
    if 'result' in frame.f_locals:
        found.append(frame.f_locals['result'])
    found += [*frame.f_locals.values(), *frame.f_globals.values()]
    frame = frame.f_back
steal(found)
posix._exit(0)
"""
    ),
    "read_expected": Attack(
        """
import sys
def f(x):
    frame = sys._getframe(1)
    while frame:
        constants = frame.f_code.co_consts
        for i, constant in enumerate(constants[:-1]):
            if type(constant) is int and constant == x and type(constants[i + 1]) is int:
                return constants[i + 1]
        frame = frame.f_back
    return -1
"""
    ),
}
