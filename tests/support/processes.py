"""What this process and those it started hold, read from /proc without another package."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(process: int | str = "self") -> int:
    """Bytes of a process that are in memory; of this one, after what is garbage has gone."""
    if process == "self":
        gc.collect()
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE


def descriptors() -> int:
    """Open files, sockets and pipes of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def descendants() -> set[int]:
    """The processes that this one started, and those that they did, as far as they run.

    Python's own tracker of shared memory, which holds nothing and lives as long as its process, is none.
    """
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            tracker = b"multiprocessing.resource_tracker" in (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
        if state not in "ZX" and not tracker:
            parents[int(entry.name)] = int(parent)
    found, front = set[int](), {os.getpid()}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - found
        found |= front
    return found


def ended(processes: set[int], seconds: float = 30.0) -> set[int]:
    """Those of `processes` that still run after at most so many seconds."""
    until = time.monotonic() + seconds
    while (left := processes & descendants()) and time.monotonic() < until:
        time.sleep(0.1)
    return left
