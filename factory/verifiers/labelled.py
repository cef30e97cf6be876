"""Labelled cases, and the word of a verifier on each of them with the CPU time it took.

Guarantees: every case gets exactly one check; one that hangs, crashes or takes too much memory is an error
with the pool's reason, and the others go on. CPU time is that of the work on a case alone, without imports
and waiting; for a program it is the time the program itself ran. Left out: reading cases from files, and
what the checks mean (`factory.metrics.certification`).
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from factory.recipe import UnitTestsOptions, VerifierOptions
from factory.records import Status
from factory.verifiers import extraction, pool
from factory.verifiers.base import Check, Item
from factory.verifiers.judging import VERIFIERS, judge
from factory.verifiers.mutation import mutants

TIME_LIMIT: Final = 5.0
"""Seconds of work for one case."""


class Case(NamedTuple):
    """A prediction with its label: whether a verifier should accept it.

    `whole` says that the prediction is the answer and nothing else, so that none has to be looked for.
    """

    name: str
    category: str
    expected: bool
    item: Item
    whole: bool = False


class Timed(NamedTuple):
    """The position of a case, the word on it, and the CPU seconds it took."""

    position: int
    check: Check
    cpu_seconds: float


def from_golds(golds: Iterable[str], options: VerifierOptions, seed: int = 0) -> Iterator[Case]:
    """Right and wrong answers made from each distinct gold; of one that is a whole solution, its answer."""
    for gold in dict.fromkeys(map(_answer, golds)):
        for number, (text, expected, mutation) in enumerate(mutants(gold, seed)):
            if mutation == "tuple_reordered" and getattr(options, "order", None) == "ignored":
                continue  # under this policy it is no other answer
            yield Case(f"{gold} #{number}", mutation, expected, Item(text, gold), whole=True)


def _answer(gold: str) -> str:
    found = extraction.marked(gold)
    return found.answer if found and found.answer else gold


def version(name: str) -> str:
    """The version of a verifier of WAYS, without options."""
    if name in VERIFIERS:
        return str(VERIFIERS[name].VERSION)
    from factory.verifiers import unit_tests

    return unit_tests.VERSION


def run(
    name: str, cases: Sequence[Case], options: VerifierOptions, workers: int | None = None
) -> Iterator[Timed]:
    """The word of the verifier `name` on every case, in any order. Raises OutsideError without workers."""
    return WAYS[name](name, cases, options, workers)


def _in_pool(
    name: str, cases: Sequence[Case], options: VerifierOptions, workers: int | None
) -> Iterator[Timed]:
    outcomes = pool.run(
        functools.partial(_timed, name=name, options=options),
        cases,
        workers=workers,
        time_limit=TIME_LIMIT,
        preload=("factory.verifiers.labelled", "factory.verifiers.algebra", "sympy"),
    )
    for position, outcome in outcomes:
        if isinstance(outcome, pool.Lost):
            yield Timed(position, Check(Status.ERROR, outcome.reason), outcome.seconds)
        else:
            yield Timed(position, *outcome.value)


def _timed(case: Case, name: str, options: VerifierOptions) -> tuple[Check, float]:
    start = time.process_time()
    check = judge(case.item, name, options, whole=case.whole)
    return check, time.process_time() - start


def _in_sandbox(
    name: str, cases: Sequence[Case], options: VerifierOptions, workers: int | None
) -> Iterator[Timed]:
    from factory.verifiers import unit_tests  # its sandbox need not be there for the other verifiers

    items = (case.item for case in cases)
    for position, check, seconds in unit_tests.check_all(items, cast(UnitTestsOptions, options), workers):
        ran = json.loads(check.detail or "{}") if seconds else {}  # else it was run for an equal program
        yield Timed(position, check, float(ran.get("cpu_seconds") or 0.0))


_Way = Callable[[str, Sequence[Case], VerifierOptions, int | None], Iterator[Timed]]
WAYS: Final[Mapping[str, _Way]] = {"math": _in_pool, "arithmetic": _in_pool, "unit_tests": _in_sandbox}
"""How the verifiers that can be certified by cases run them."""
