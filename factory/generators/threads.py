"""How many cores torch should use now, on a machine that does other work too.

Guarantees: what other processes use is left to them, measured again while sampling goes on. It matters:
OpenMP's threads spin where they wait for each other, so one thread without a core of its own stops all.
SmolLM2-135M, 16 sequences on 2 cores, tokens/s:
                                    idle    beside one busy process
    2 threads (torch's default)      97      27
    2 threads, OMP_WAIT_POLICY=PASSIVE  70   58
    1 thread                         57      60
Following the load takes the better of the first and the last column's best; passive waiting, which has to
be chosen before torch is loaded, loses a quarter on an idle machine. Left out: systems without /proc/stat,
where torch's default stays, and accelerators, where the cores do not matter.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

INTERVAL: Final = 3.0
"""Seconds between two looks at the load: long against a burst of verification, short against a run."""

_STAT: Final = Path("/proc/stat")
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
_IDLE_COLUMNS: Final = (3, 4)  # idle and iowait, in ticks, among the columns of a cpu line of /proc/stat


class Load:
    """Remembers the last look at the load, since a rate needs two."""

    def __init__(self) -> None:
        self.cores = sorted(os.sched_getaffinity(0)) if _STAT.exists() else []
        self.at, self.busy, self.own = time.monotonic(), _busy_seconds(self.cores), time.process_time()

    def free_cores(self) -> int | None:
        """Cores that nobody else used since the last look, at least 1; None when it is too early to say."""
        now = time.monotonic()
        if not self.cores or now - self.at < INTERVAL:
            return None
        busy, own = _busy_seconds(self.cores), time.process_time()
        others = max(0.0, (busy - self.busy) - (own - self.own)) / (now - self.at)
        self.at, self.busy, self.own = now, busy, own
        return free(len(self.cores), others, _quota())


def free(cores: int, others: float, quota: float | None) -> int:
    """Whole cores left of `cores` when `others` are in use and a container may use `quota` of them.

    A core used for less than a third of the time counts as free: sharing it so costs less than losing it.
    """
    left = cores - int(others + 2 / 3)
    return max(1, min(left, int(quota)) if quota is not None else left)


def _busy_seconds(cores: list[int]) -> float:
    """Seconds these cores have worked since the machine started, for whomever."""
    if not cores:
        return 0.0
    wanted = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in _STAT.read_text().splitlines():
        name, *columns = line.split()
        if name in wanted:
            # Guests (columns 8 and 9) are counted in user time already.
            ticks += sum(int(value) for at, value in enumerate(columns[:8]) if at not in _IDLE_COLUMNS)
    return ticks / os.sysconf("SC_CLK_TCK")


def _quota() -> float | None:
    """The cores' worth of time a container may use, or None without such a limit."""
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1.0, float(quota) / float(period))
    except (OSError, ValueError):  # no such file, or "max 100000": no limit
        return None
