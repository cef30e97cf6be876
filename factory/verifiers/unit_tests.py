"""The verifier `unit_tests`: does the program in a completion pass the tests of its problem?

Guarantees: programs run in the sandbox alone, which has shown that it holds before the first of them runs;
`pass` and `fail` are the sandbox's word on a program that was found, and what the sandbox cannot serve or
could not settle is an error. Items are pulled as there is room; of equal programs with equal tests one is
run. Left out: confinement (`sandbox.py`), and what counts as a program (`programs.py`).
"""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from factory.recipe import UnitTestsOptions
from factory.records import PASSING_REASONS, Status, canonical_json
from factory.verifiers import programs, sandbox
from factory.verifiers.base import Check, Item
from factory.verifiers.programs import Found
from factory.verifiers.sandbox_jobs import Job, Limits, Ran

NAME: Final = "unit_tests"
VERSION: Final = "1"

LONGEST_ANSWER: Final = 2000
"""Characters of a program that its verdict repeats; a longer one stands in the completion alone."""
REMEMBERED: Final = 50_000
"""Programs whose outcome is remembered, at about 600 bytes each."""
ASIDE: Final = 1000
"""Items on end that need no run of their own, after which their checks are given."""

STATUS: Final = {
    "passed": Status.PASS,
    "failed": Status.FAIL,
    "unsupported": Status.ERROR,
    "unsettled": Status.ERROR,
}

Checked = tuple[int, Check, float]


class Word(NamedTuple):
    """What the sandbox said of a program, as a verdict has it."""

    status: Status
    reason: str
    detail: str


class Waiting(NamedTuple):
    """An item whose program is being run, and where the program was found."""

    position: int
    found: Found


@dataclass
class Round:
    """What one call of the sandbox was asked, and the checks of the items that need no run.

    `known` has the words by key of the program, `running` the key and the items that wait by position of
    the job, `keys` that position by key.
    """

    known: OrderedDict[bytes, Word]
    running: dict[int, tuple[bytes, list[Waiting]]] = field(default_factory=dict)
    keys: dict[bytes, int] = field(default_factory=dict)
    aside: list[Checked] = field(default_factory=list)
    ended: bool = False


def check_all(
    items: Iterable[Item], options: UnitTestsOptions, workers: int | None
) -> Iterator[tuple[int, Check, float]]:
    """The position, the check and the wall seconds of every item, as they come, in any order.

    The reason of a pass or a fail is the sandbox's; `no_answer` is `none`, a completion without a program;
    an error is `unsupported:tests` for tests of another form, `unsupported:...` for what the sandbox cannot
    serve, or a passing reason. An item whose program was run for another has 0 seconds. Raises OutsideError
    where programs cannot be confined.
    """
    numbered = enumerate(items)
    known: OrderedDict[bytes, Word] = OrderedDict()
    limits = Limits(cpu_seconds=options.cpu_seconds, memory_mib=options.memory_mib)
    ended = False
    while not ended:
        this = Round(known)
        jobs = _jobs(numbered, this)
        first = next(jobs, None)
        if first is not None:
            ran = sandbox.run(
                itertools.chain((first,), jobs), workers=workers, limits=limits, isolation=options.isolation
            )
            for job, outcome, seconds in ran:
                yield from _told(this, job, _word(outcome, sandbox.self_test(options.isolation)), seconds)
                yield from _taken(this.aside)
        yield from _taken(this.aside)
        ended = this.ended


def _jobs(items: Iterator[tuple[int, Item]], this: Round) -> Iterator[Job]:
    """The programs to run: until the items end, or ASIDE of them on end need no run.

    Without that end a million completions without a program would be held until one with a program came.
    """
    count = idle = 0
    for position, item in items:
        job = _asked(position, item, count, this)
        if job is not None:
            count, idle = count + 1, 0
            yield job
        elif (idle := idle + 1) == ASIDE:
            return
    this.ended = True


def _asked(position: int, item: Item, number: int, this: Round) -> Job | None:
    """The job of an item, by its number; None when it needs no run, and is aside or waits for another's."""
    tests = programs.read_tests(item.tests)
    if tests is None:
        this.aside.append((position, Check(Status.ERROR, "unsupported:tests"), 0.0))
        return None
    found = programs.find(item.completion, tests)
    if found is None:
        this.aside.append((position, Check(Status.NO_ANSWER, "none"), 0.0))
        return None
    key = _key(found.program, item.tests or "")
    if key in this.known:
        this.known.move_to_end(key)
        this.aside.append((position, _check(found, this.known[key]), 0.0))
        return None
    if key in this.keys:
        this.running[this.keys[key]][1].append(Waiting(position, found))
        return None
    this.keys[key] = number
    this.running[number] = (key, [Waiting(position, found)])
    return Job(found.program, tests)


def _told(this: Round, job: int, word: Word, seconds: float) -> Iterator[Checked]:
    """The checks of all items that waited for a job; a word that another run may change is not kept."""
    key, waiting = this.running.pop(job)
    del this.keys[key]
    if word.reason not in PASSING_REASONS or word.status is not Status.ERROR:
        this.known[key] = word
        if len(this.known) > REMEMBERED:
            this.known.popitem(last=False)
    for position, found in waiting:
        yield position, _check(found, word), seconds
        seconds = 0.0


def _taken(aside: list[Checked]) -> Iterator[Checked]:
    while aside:
        yield aside.pop()


def _key(program: str, tests: str) -> bytes:
    digest = hashlib.sha256(hashlib.sha256(program.encode("utf-8", "surrogatepass")).digest())
    digest.update(tests.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _word(ran: Ran, confined: str) -> Word:
    detail = {
        "test": ran.test,
        "tests_passed": ran.tests_passed,
        "cpu_seconds": round(ran.cpu_seconds, 3),
        "memory_bytes": ran.memory_bytes,
        "confined": confined,
    }
    return Word(STATUS[ran.outcome], ran.reason, canonical_json(detail))


def _check(found: Found, word: Word) -> Check:
    if found.rule == "whole" and word.reason == "syntax":
        return Check(Status.NO_ANSWER, "none")  # a text that is no Python is no program: words about one
    answer = found.slice if len(found.slice) <= LONGEST_ANSWER else None
    return Check(word.status, word.reason, answer, found.rule, word.detail)
