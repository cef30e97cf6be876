"""Functions for the pool to run in its workers: honest work, and every way to misbehave."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
import time


def square(number: int) -> int:
    return number * number


def act(what: str) -> str:
    """Do what the name says; the honest ones return it."""
    if what == "c_loop":
        all(itertools.repeat(1))  # holds the GIL for ever: no signal handler would run
    elif what == "python_loop":
        while True:
            pass
    elif what == "segfault":
        ctypes.string_at(0)
    elif what == "exit":
        os._exit(0)
    elif what == "system_exit":
        raise SystemExit(0)
    elif what == "raise":
        raise ValueError("on purpose")
    elif what == "memory":
        bytearray(1 << 36)
    elif what == "memory_slowly":
        hoard = [bytearray(1 << 22) for _ in range(1 << 20)]
        return str(len(hoard))
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "sleep_for_ever":
        time.sleep(1000)
    elif what == "nap":
        time.sleep(0.6)
    return what


def unpicklable(_: int) -> object:
    return lambda: None


def huge(number: int) -> bytes:
    return bytes(number)


def loaded(module: str) -> bool:
    return module in sys.modules
