"""What the sandbox is asked and what it says.

Guarantees: plain frozen values without behaviour, so that the sandbox, its self-test and those who use it
agree on their meaning. Left out: how a job is run (`sandbox.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Isolation = Literal["landlock", "bubblewrap"]
Outcome = Literal["passed", "failed", "unsupported", "unsettled"]


@dataclass(frozen=True, slots=True)
class FunctionTests:
    """The form of HumanEval: `test` defines check(candidate), which is given the function `entry_point`.

    `prompt` holds the imports and helper functions that stand before the entry point; tests may use them.
    """

    prompt: str
    entry_point: str
    test: str


@dataclass(frozen=True, slots=True)
class Asserts:
    """The form of MBPP: `setup`, then asserts one by one that call the solution's functions by name."""

    setup: str
    asserts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InputOutput:
    """The form of APPS: what goes in and what must come out, one test for each pair.

    `function` None: the program reads inputs[i] (text) and writes outputs[i] (text), compared line by line
    without trailing blanks and final empty lines. Else the function, or method of class Solution, of that
    name is called with inputs[i] (a list of arguments), and its result compared with outputs[i] on plain
    data: types count (1 is not True, 1 is not 1.0), but a tuple may stand for a list.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    function: str | None = None


class Job(NamedTuple):
    """A program of a model and the tests it is judged by."""

    solution: str
    tests: FunctionTests | Asserts | InputOutput


@dataclass(frozen=True, slots=True)
class Limits:
    """What the program may use: seconds of CPU, and MiB beside what the interpreter itself takes."""

    cpu_seconds: float = 3.0
    memory_mib: int = 1024

    @property
    def wall_seconds(self) -> float:
        """How long a run may take on the wall clock: its end is the machine's fault, or a program's sleep."""
        return 4 * self.cpu_seconds + 2


class Ran(NamedTuple):
    """What came of a job.

    `outcome`: "unsupported" is a test that cannot be served by value, "unsettled" what only the machine
    did. `test` is the index of the first test that failed, `tests_passed` how many passed before it; both
    None where tests are not counted. `cpu_seconds` and `memory_bytes` (peak) are the candidate's own.
    """

    outcome: Outcome
    reason: str
    test: int | None
    tests_passed: int | None
    cpu_seconds: float
    memory_bytes: int | None
