"""The course of one generator, made of the facts: which rule it follows, and what a request of it holds.

Guarantees: a draw is known by its problem, generator and index, and so are its id and seed. Where the number
of draws is settled, requests are read as they are asked for, and the number of problems does not matter; for
the other rules an entry a problem stands in memory. Left out: the rules (`course.py`), and amounts
(`drawing.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import numpy as np

from factory import planning
from factory.allocation.adaptive import Adaptive
from factory.budget_sections import PROPORTIONAL
from factory.generators import prompts
from factory.generators.base import Request
from factory.planning import Plan, PlannedGenerator
from factory.recipe import Prompt
from factory.records import sample_id, sample_seed
from factory.sampling import allotment
from factory.sampling.course import ENDLESS, Best, Course, Draw, Levels, Probing
from factory.store import batches


class Next(NamedTuple):
    """The next request, its draw, and what its sample is judged by."""

    request: Request
    draw: Draw
    prompt: str
    reference: str | None
    tests: str | None


class _Rendered:
    """Makes requests; the draws of one problem share the text of their prompt."""

    def __init__(self, generator: PlannedGenerator, prompt: Prompt) -> None:
        self._ident, self._prompt = generator.generator_id, prompt
        self._last, self._text = "", prompts.render(prompt, "")

    def request(self, problem: str, text: str, index: int) -> Request:
        if problem != self._last:
            self._last, self._text = problem, prompts.render(self._prompt, text)
        return Request(
            sample_id=sample_id(problem, self._ident, index),
            problem_id=problem,
            sample_index=index,
            seed=sample_seed(problem, self._ident, index),
            prompt=self._text,
        )


class Listed:
    """All draws that are owed, one after the other, whatever becomes of them."""

    counts_correct = False
    problems = 0  # whose prompts are to be paid for: no amount ends it

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator, prompt: Prompt
    ) -> None:
        query = allotment.owed_samples(plan, generator)
        self.owed = planning.count(connection, query)
        self._made = _Rendered(generator, prompt)
        read = (batch.to_pylist() for batch in batches(connection, query)) if self.owed else iter(())
        self._rows: Iterator[dict[str, Any]] = itertools.chain.from_iterable(read)
        self._next: Next | None = None

    def next(self) -> Next | None:
        """The next request, the same until it is taken; None: none is left."""
        if self._next is None:
            row = next(self._rows, None)
            if row is not None:
                problem, text, index = (
                    str(row["problem_id"]),
                    str(row["prompt"]),
                    int(str(row["sample_index"])),
                )
                request = self._made.request(problem, text, index)
                self._next = Next(request, Draw(row["position"], index), text, None, None)
        return self._next

    def take(self) -> None:
        """The request begins."""
        self._next = None

    def failed(self, begun: Next) -> None:
        """The others are drawn all the same."""

    def judged(self, draw: Draw, correct: bool, *, told: bool) -> None:
        """Nothing depends on it."""

    def pay(self, draws: float, surely: float) -> None:
        """No amount ends it."""

    def cost(self, begun: Next, relative: float) -> None:
        """Nothing depends on it."""


class Ruled:
    """Draws by a rule of the budget, as `course.py` orders them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        plan: Plan,
        generator: PlannedGenerator,
        prompt: Prompt,
    ) -> None:
        there = allotment.standing(connection, plan, generator)
        self.counts_correct = not plan.recipe.budget.per_problem.fixed
        self._course = _course(connection, plan, generator, there)
        self._strays = allotment.strays(connection, generator)
        self._made = _Rendered(generator, prompt)
        most = plan.most(generator)
        known = plan.recipe.budget.per_problem.rule == "samples" and most is not None
        self.owed = int(np.maximum(0, (most or 0) - there.present).sum()) if known else 0
        self._problems = connection.sql(
            "SELECT a.problem_id, a.prompt, a.answer, a.tests FROM asked a JOIN ranked r"
            " ON r.problem_id = a.problem_id WHERE a.reason = 'asked' ORDER BY r.rank"
        ).to_arrow_table()
        self.problems = len(self._problems)
        self._next: Next | None = None
        self._costs: dict[int, tuple[float, int]] = {}

    def next(self) -> Next | None:
        """The next request, as things stand; None: none now."""
        draw = self._course.offer()
        while draw in self._strays:  # it was drawn before a kill, and one before it was not
            correct, told = self._strays.pop(draw)
            self._course.take()
            if correct is not None:
                self._course.judged(draw, correct, told=told)
            draw = self._course.offer()
        if draw is None:
            self._next = None
        elif self._next is None or self._next.draw != draw:
            (row,) = self._problems.slice(draw.place, 1).to_pylist()
            problem, text, answer, tests = row.values()
            self._next = Next(self._made.request(problem, text, draw.number), draw, text, answer, tests)
        return self._next

    def take(self) -> None:
        """The request begins."""
        self._next = None
        self._course.take()

    def failed(self, begun: Next) -> None:
        """Nothing more is drawn of its problem in this run."""
        self._course.failed(begun.draw)

    def judged(self, draw: Draw, correct: bool, *, told: bool) -> None:
        """Whether a draw is right, as the verdicts say; `told`: it is evidence of its problem's rate."""
        self._course.judged(draw, correct, told=told)

    def pay(self, draws: float, surely: float) -> None:
        """About so many more draws can be paid for, and so many surely."""
        if isinstance(self._course, Levels | Probing):
            self._course.pay(draws, surely)

    def cost(self, begun: Next, relative: float) -> None:
        """A draw cost so much, as a multiple of the mean draw."""
        if isinstance(self._course, Best):
            total, number = self._costs.get(begun.draw.place, (0.0, 0))
            self._costs[begun.draw.place] = (total + relative, number + 1)
            self._course.cost(begun.draw.place, (total + relative) / (number + 1))


Source = Listed | Ruled
"""What is owed of a generator, request by request."""


def of(
    connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator, prompt: Prompt
) -> Source:
    """What a generator owes by the facts on the connection."""
    return (Listed if plan.settled else Ruled)(connection, plan, generator, prompt)


def _course(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    generator: PlannedGenerator,
    there: allotment.Standing,
) -> Course:
    per_problem, most = plan.recipe.budget.per_problem, plan.most(generator)
    paid = 0 if plan.limited else ENDLESS
    if per_problem.rule == "adaptive":
        closed = there.solved | (there.unknown > 0)
        groups = connection.execute(
            "SELECT dense_rank() OVER (ORDER BY a.source, coalesce(a.difficulty, '')) - 1 AS class"
            " FROM asked a JOIN ranked r ON r.problem_id = a.problem_id WHERE a.reason = 'asked'"
            " ORDER BY r.rank"
        ).fetchnumpy()["class"]
        adaptive = Adaptive(
            np.asarray(groups, dtype=np.int64),
            np.ones(len(groups)),
            most or ENDLESS,
            tries=there.tries,
            solved=closed,
        )
        return Best(adaptive, there.present)
    if per_problem.rule == "proportional":
        return Probing(
            there.present,
            most,
            probe=allotment.probe(plan, generator),
            hardest=per_problem.correct or PROPORTIONAL["correct"],
            correct=there.probe_correct,
            judged=there.probe_judged,
            all_correct=there.correct,
            unknown=there.unknown,
            paid=paid,
        )
    target = allotment.targets(plan, generator, there)
    if target is None:
        return Levels(there.present, most, paid=paid)
    return Levels(there.present, most, correct=there.correct, unknown=there.unknown, target=target, paid=paid)
