"""The stage that gives samples their verdicts, whichever way a verifier works.

Guarantees: only what is owed is judged; each verdict is on its way to the store as soon as it is known; a
passing error is tried again at once, up to MAX_ATTEMPTS. A way is a function from the work that is owed to
checks, in any order; WAYS names the one of each verifier. Left out: what is owed (`planning.py`), and what
the verdicts mean for a sample (`stages.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import duckdb

from factory import planning
from factory.asking import by_model
from factory.planning import Plan, Verifier
from factory.progress import Progress
from factory.recipe import UnitTestsOptions
from factory.records import MAX_ATTEMPTS, Status, clean_text
from factory.store import Store
from factory.verifiers import pool, unit_tests
from factory.verifiers.base import Check, Item
from factory.verifiers.judging import judge
from factory.voting import by_vote
from factory.work import Judged, Owed, Work
from factory.writing import Writer


def in_workers(work: Work) -> Iterator[Judged]:
    """By a function of one item, in the killable workers of the pool."""
    waiting: dict[int, Owed] = {}
    settings = work.plan.recipe.verify
    outcomes = pool.run(
        functools.partial(judge, name=work.verifier.name, options=work.verifier.config.options),
        _items(work, waiting),
        workers=settings.workers,
        time_limit=settings.time_limit,
        preload=("factory.verifiers.judging", "sympy"),
    )
    for index, outcome in outcomes:
        check = Check(Status.ERROR, outcome.reason) if isinstance(outcome, pool.Lost) else outcome.value
        yield Judged(waiting.pop(index), check, outcome.seconds)


def in_sandbox(work: Work) -> Iterator[Judged]:
    """By running programs: of many items at once, so that equal programs are run once."""
    options = work.verifier.config.options
    if not isinstance(options, UnitTestsOptions):
        raise TypeError(f"{work.verifier.written} runs no programs")
    waiting: dict[int, Owed] = {}
    checked = unit_tests.check_all(_items(work, waiting), options, work.plan.recipe.verify.workers)
    for index, check, seconds in checked:
        yield Judged(waiting.pop(index), check, seconds)


def _items(work: Work, waiting: dict[int, Owed]) -> Iterator[Item]:
    """The items that are owed; `waiting` keeps what each belongs to, by its position."""
    for index, owed in enumerate(work.owed()):
        waiting[index] = owed
        yield owed.item


WAYS: Final[Mapping[str, Callable[[Work], Iterator[Judged]]]] = {
    "math": in_workers,
    "arithmetic": in_workers,
    "unit_tests": in_sandbox,
    "judge": by_model,
    "consensus": by_vote,
}
"""How each verifier works."""


def verify(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    verifier: Verifier,
    run_id: str,
    progress: Progress,
    *,
    references: bool,
    retry_errors: bool = False,
) -> None:
    """Give every sample in scope its verdict; a passing error is tried again at once, up to MAX_ATTEMPTS."""
    what = "references" if references else "samples"
    samples = planning.references() if references else planning.candidates()
    work = Work(store, connection, plan, verifier, samples, "", run_id)
    verify_all(work, progress, what, retry_errors=retry_errors)


def verify_all(work: Work, progress: Progress, what: str, *, retry_errors: bool = False) -> None:
    """As `verify`, of the samples that `work.samples` asks for; what of them is owed is found out here."""
    store, connection, verifier = work.store, work.connection, work.verifier
    for attempt in range(MAX_ATTEMPTS):
        query = planning.owed_verdicts(work.samples, verifier, retry_errors=retry_errors and attempt == 0)
        owed = planning.count(connection, query)
        if not owed:
            return
        progress.start(f"verify {what}", owed, "verdicts")
        with Writer(store, "verdicts") as writer:
            for judged in WAYS[verifier.name](replace(work, query=query)):
                writer.add(row(judged, verifier, work.run_id))
                progress.advance()
        progress.finish()
        store.refresh(connection, "verdicts")


def row(judged: Judged, verifier: Verifier, run_id: str) -> dict[str, Any]:
    """The row of the table verdicts."""
    owed, check = judged.owed, judged.check
    return {
        "sample_id": owed.sample_id,
        "verifier": verifier.name,
        "version": verifier.version,
        "attempt": owed.attempt,
        "status": check.status.value,
        "score": check.score,
        "reason": check.reason,
        "answer": clean_text(check.answer),
        "rule": check.rule,
        "detail": clean_text(check.detail),
        "seconds": judged.seconds,
        "run_id": run_id,
    }
