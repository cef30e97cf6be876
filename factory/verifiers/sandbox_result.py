"""What came of a job, from the two who saw it: the checker's report and the server's word.

Guarantees: a pass is the report of a checker with the nonce of the job, and nothing else. A program that
went past its limits, ended or crashed in the middle of its tests has failed; what the machine did, and a
wall limit without use of the CPU, is unsettled. Left out: asking either of them (`sandbox.py`).
"""

from __future__ import annotations

import os
import signal

from factory.verifiers import sandbox_wire as wire
from factory.verifiers.sandbox_jobs import Limits, Outcome, Ran
from factory.verifiers.sandbox_link import GONE, LOST
from factory.verifiers.sandbox_server import ENDED, ON_CPU, ON_WALL


def result(nonce: str, report: bytes, message: bytes, limits: Limits) -> Ran:
    """What came of a job, from its checker's report and the server's word on how both children ended."""
    stopped, status, seconds, peak, checker_status, checker_seconds = ENDED.unpack(message)

    def ran(outcome: Outcome, reason: str, test: int | None = None, passed: int | None = None) -> Ran:
        return Ran(outcome, reason, test, passed, seconds, peak)

    try:
        said = wire.decode(wire.unframe(report))
        mark, outcome, reason, test, passed = said
    except (wire.Malformed, TypeError, ValueError):
        mark, outcome, reason, test, passed = None, None, "", None, None
    if mark == nonce and outcome in ("passed", "failed", "unsupported"):
        return ran(outcome, reason, test, passed)
    if mark == nonce and outcome == GONE:
        return ran(*_departure(stopped, status, seconds, limits), test, passed)
    if stopped == ON_WALL:
        if checker_seconds > limits.wall_seconds / 2:
            return ran("unsupported", "unsupported:time of the tests")
        return ran("unsettled", "time_limit")
    killed = os.WIFSIGNALED(checker_status) and os.WTERMSIG(checker_status) == signal.SIGKILL
    if outcome == LOST or killed:
        return ran("unsettled", "worker_lost")
    return ran("unsupported", "unsupported:tests that end their process")


def _departure(stopped: bytes, status: int, seconds: float, limits: Limits) -> tuple[Outcome, str]:
    """Why a candidate went away in the middle of its tests."""
    if stopped == ON_CPU:
        return "failed", "exceeded:cpu"
    if not os.WIFSIGNALED(status):
        return "failed", "exit"
    number = os.WTERMSIG(status)
    if number in (signal.SIGKILL, signal.SIGXCPU):
        over = number == signal.SIGXCPU or seconds >= limits.cpu_seconds
        return ("failed", "exceeded:cpu") if over else ("unsettled", "worker_lost")
    return "failed", f"crashed:{signal.Signals(number).name}"
