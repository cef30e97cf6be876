"""Close a process in: rlimits, another user, landlock and a seccomp filter, through libc and no package.

Guarantees: after `confine` the process reads the standard library, /dev/null and /dev/urandom and nothing
else; it writes no file, opens no socket, starts no process, signals nobody, and cannot undo any of it. It
ends with its parent. A means that is missing is an error that names it; nothing is left out in silence.
As root it also becomes a user of its own. Works without privilege, on Linux for x86-64 and AArch64.

Left out: the kernel is shared. This is a filter of system calls and not a virtual machine; a flaw of the
kernel is a way out. Time spent waiting, too: whoever confines a process watches its wall clock.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from factory.verifiers.confinement_calls import AUDIT_ARCH, numbers

FILE_BYTES: Final = 8 * 1024**2
STACK_BYTES: Final = 64 * 1024**2
OPEN_FILES: Final = 64

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FILE_RIGHTS_BY_ABI: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_READ: Final = (1 << 2) | (1 << 3)  # READ_FILE and READ_DIR
_READ_FILE: Final = 1 << 2
_TCP: Final = 3  # BIND_TCP and CONNECT_TCP
_SCOPED: Final = 3  # abstract unix sockets and signals

_PDEATHSIG, _DUMPABLE, _KEEPCAPS, _SECCOMP, _NO_NEW_PRIVS = 1, 4, 8, 22, 38
_CAPABILITY_VERSION_3: Final = 0x20080522
_CAP_DAC_READ_SEARCH: Final = 1 << 2

_KILL, _ALLOW, _EPERM = 0x80000000, 0x7FFF0000, 0x00050001
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32: Final = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Confinement:
    """What one kind of child is closed in with, made once by its parent.

    `ruleset` is the descriptor of the landlock rules, `memory_bytes` the whole address space, `user` the
    user and group to become, or None to stay; `may_search` keeps the right to walk through closed folders,
    for an interpreter that stands in one (landlock still decides what is read).
    """

    ruleset: int
    filter: bytes
    cpu_seconds: int
    memory_bytes: int
    user: int | None
    may_search: bool
    parent: int


def _call(name: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name} was refused: {os.strerror(error)}")
    return result


def _syscall(name: str, number: int, *arguments: object) -> int:
    return _call(name, _libc.syscall(ctypes.c_long(number), *arguments))


def _prctl(name: str, option: int, first: int, second: object = None) -> None:
    _call(
        name,
        _libc.prctl(option, ctypes.c_ulong(first), second or ctypes.c_ulong(0), *[ctypes.c_ulong(0)] * 2),
    )


# --- landlock ----------------------------------------------------------------------------------------


def landlock_abi() -> int:
    """The version of landlock that the kernel offers; raises OSError where there is none."""
    return _syscall("landlock", _LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def landlock_rules(readable: Sequence[str]) -> int:
    """The descriptor of rules that allow reading below the `readable` paths and no other use of files.

    TCP is closed from version 4 of landlock on, signals and abstract sockets from version 6 on.
    """
    abi = landlock_abi()
    rights = sum(bits for version, bits in _FILE_RIGHTS_BY_ABI.items() if version <= abi)
    attributes = struct.pack("=QQQ", rights, _TCP if abi >= 4 else 0, _SCOPED if abi >= 6 else 0)
    attributes = attributes[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _syscall("landlock", _LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    for path in readable:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", _READ if os.path.isdir(path) else _READ_FILE, fd)
        _syscall(f"landlock for {path}", _LANDLOCK_ADD, ruleset, 1, rule, 0)
        os.close(fd)
    return ruleset


# --- seccomp -----------------------------------------------------------------------------------------


def seccomp_filter(machine: str, allowed: frozenset[str] = frozenset()) -> bytes:
    """The BPF program that answers the refused calls with EPERM, and kills for a foreign architecture.

    `allowed` names calls to take off the list. The calls are found by bisection: the kernel runs the
    program once for every number there is when it is installed, which a chain of tests makes dear.
    """
    refused = sorted(number for name, number in numbers(machine).items() if name not in allowed)
    search = _bisect(_edges(refused))
    head = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_JUMP_FROM, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in head + search)


def _edges(refused: list[int]) -> list[tuple[int, int]]:
    """(first number, answer) of each run of numbers with one answer, from 0 on."""
    edges = [(0, _ALLOW)]
    for number in refused:
        if edges[-1][0] == number:
            edges[-1] = (number, _EPERM)
        else:
            edges.append((number, _EPERM))
        edges.append((number + 1, _ALLOW))
    return [edge for i, edge in enumerate(edges) if i == 0 or edges[i - 1][1] != edge[1]]


def _bisect(edges: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    if len(edges) == 1:
        return [(_RETURN, 0, 0, edges[0][1])]
    middle = len(edges) // 2
    below, above = _bisect(edges[:middle]), _bisect(edges[middle:])
    if len(below) > 255:  # a conditional jump cannot go further; an unconditional one can
        return [(_JUMP_FROM, 0, 1, edges[middle][0]), (0x05, 0, 0, len(below)), *below, *above]
    return [(_JUMP_FROM, len(below), 0, edges[middle][0]), *below, *above]


# --- both --------------------------------------------------------------------------------------------


def machine() -> str:
    """The architecture, if it is one that the filter knows; raises OSError."""
    name = platform.machine()
    if sys.platform != "linux" or name not in AUDIT_ARCH or sys.maxsize < 2**32:
        raise OSError(
            f"the confinement knows Linux on {' and '.join(AUDIT_ARCH)}, not {sys.platform} on {name}"
        )
    return name


def confine(plan: Confinement, keep: int) -> None:
    """Close this process in, for good, and close its descriptors from `keep` on; raises OSError."""
    _set_limits(plan)
    if plan.user is not None:
        _become(plan.user, plan.may_search)
    _prctl("PR_SET_DUMPABLE", _DUMPABLE, 0)
    _prctl("PR_SET_PDEATHSIG", _PDEATHSIG, signal.SIGKILL)
    if os.getppid() != plan.parent:
        raise OSError("the parent has ended")
    forbid_new_privileges()
    restrict_files(plan.ruleset)
    os.closerange(keep, 2**31 - 1)
    restrict_calls(plan.filter)


def forbid_new_privileges() -> None:
    """Let no program that is started gain a right; landlock and seccomp need it."""
    _prctl("PR_SET_NO_NEW_PRIVS", _NO_NEW_PRIVS, 1)


def restrict_files(ruleset: int) -> None:
    """Enter the landlock rules."""
    _syscall("landlock", _LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))


def restrict_calls(program: bytes) -> None:
    """Install the seccomp filter."""
    code = ctypes.create_string_buffer(program, len(program))
    steps = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    _prctl("seccomp", _SECCOMP, 2, steps)


def _set_limits(plan: Confinement) -> None:
    for limit, value in (
        (resource.RLIMIT_CPU, plan.cpu_seconds),
        (resource.RLIMIT_AS, plan.memory_bytes),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def _become(user: int, may_search: bool) -> None:
    """Give up root for `user`, with no right left but, perhaps, that of walking through folders.

    The parent has no supplementary groups: giving them up here would cost every child.
    """
    if may_search:
        _prctl("PR_SET_KEEPCAPS", _KEEPCAPS, 1)
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    if may_search:
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        rights = struct.pack("=6I", _CAP_DAC_READ_SEARCH, _CAP_DAC_READ_SEARCH, 0, 0, 0, 0)
        _call("capset", _libc.capset(header, rights))
