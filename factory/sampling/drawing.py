"""Draws what a recipe asks for and the store does not hold, by any rule and within any budget.

Guarantees: what is finished is on its way to the store at once and is never drawn again; every call is
admitted by the account before it is made (`account.py`); where correct samples are counted, verdicts are
given beside sampling, and no problem is drawn from while what is under way may be enough for it. Which draws
are owed is asked of the facts at the start (`allotment.py`), so a run that died goes on where it was. Left
out: what is in scope at the end (`cutting.py`).
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from factory.amounts import Amounts
from factory.budget_sections import Currency
from factory.errors import OutsideError
from factory.generators import engines, prompts
from factory.generators.base import Completion, Engine, Failure, Request
from factory.planning import Plan, PlannedGenerator
from factory.progress import Progress
from factory.records import clean_text
from factory.sampling import courses, spending
from factory.sampling.account import Account, Purse
from factory.sampling.beside import Beside, Sample
from factory.sampling.claims import Claims
from factory.sampling.courses import Source
from factory.sampling.expected import Expected
from factory.store import Store
from factory.verifiers.base import Item
from factory.writing import Writer

SURE: Final = 0.9
"""The part of what is left that is spent problem by problem; the rest goes level by level, draw by draw."""

PLENTY: Final = 1e15
"""More draws than any run makes."""

PILOT: Final = 16
"""Draws that tell what a draw costs, before several of a problem are asked for at once."""


@dataclass
class Sampling:
    """A run that samples: where to, by what plan, and what came of it."""

    store: Store
    connection: duckdb.DuckDBPyConnection
    plan: Plan
    run_id: str
    claims: Claims
    progress: Progress
    sampled: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Counter[str]] = field(default_factory=dict)


def sample(run: Sampling, verify: Callable[[], None]) -> None:
    """Draw all that is owed; `verify` gives the verdicts that are owed, for rules that need them.

    Raises OutsideError when samples could not be had; what was finished is kept.
    """
    run.sampled = dict.fromkeys((one.name for one in run.plan.generators), 0)
    spending.check(run.plan, run.connection)
    waits = not run.plan.recipe.budget.per_problem.fixed
    over: set[str] = set()
    while True:
        if waits:
            verify()
        drawn = 0
        for generator in run.plan.generators:
            if generator.sampled and generator.name not in over:
                number, ended = _draw(run, generator)
                drawn += number
                if ended:
                    over.add(generator.name)
        if not waits or not drawn:
            break
    if run.failed:
        raise OutsideError(
            ". ".join(_told(name, failures, run.sampled[name]) for name, failures in run.failed.items())
            + ". What was finished is kept; run the same command again for the rest"
        )


def _told(name: str, failures: Counter[str], drawn: int) -> str:
    reasons = "; ".join(f"{number} x {reason}" for reason, number in failures.most_common(3))
    owed = drawn + failures.total()
    return f"{name}: {failures.total()} of {owed} samples could not be had ({reasons})"


def _draw(run: Sampling, generator: PlannedGenerator) -> tuple[int, bool]:
    """Draw what one generator owes: how many came, and whether it is not to be asked again in this run."""
    config: Any = run.plan.recipe.generators[generator.name]
    source = courses.of(run.connection, run.plan, generator, prompts.resolve(config.prompt))
    if source.next() is None:
        return 0, False
    spent = spending.spent(run.connection, run.plan)
    run.progress.start(f"load {generator.name}", 0, "")
    engine = engines.open_engine(config)
    run.progress.finish()
    try:
        account = Account(run.claims, run.plan, run.run_id, spent, spending.total(spent.values()))
        stream = _Stream(run, generator, source, engine, account)
        run.progress.start(f"sample {generator.name}", source.owed, "samples")
        stream.serve()
        run.progress.finish()
    finally:
        engine.close()
        run.store.refresh(run.connection, "samples", "verdicts")
        run.claims.book(run.connection, run.run_id)
    run.sampled[generator.name] += stream.drawn
    if stream.failures:
        run.failed[generator.name] = stream.failures
    return stream.drawn, bool(stream.failures) or stream.ended


class _Stream:
    """The draws of one generator through one engine."""

    def __init__(
        self, run: Sampling, generator: PlannedGenerator, source: Source, engine: Engine, account: Account
    ) -> None:
        self.run, self.generator, self.source, self.engine = run, generator, source, engine
        self.account = account
        self.purse: Purse = account.purse(generator, engine)
        self.flying: dict[str, courses.Next] = {}
        self.expected = Expected()
        self.failures: Counter[str] = Counter()
        self.drawn, self.ended = 0, False
        self.read = 0
        self.beside: Beside | None = None

    def serve(self) -> None:
        """Draw until nothing is owed, nothing more fits, or only verdicts from elsewhere can tell more."""
        run = self.run
        with contextlib.ExitStack() as stack:
            if self.source.counts_correct:
                beside = Beside(run.store, run.connection, run.plan, run.run_id)
                self.beside = stack.enter_context(beside)
            writer = stack.enter_context(Writer(run.store, "samples", committed=self._committed))
            for outcome in self.engine.generate(self._requests()):
                cost = self.purse.settle(outcome)
                if (shown := self.purse.shown) is not None:
                    run.progress.spend(*shown)
                begun = self.flying.pop(outcome.request.sample_id)
                self.expected.end(outcome.request.sample_id, None if isinstance(outcome, Failure) else cost)
                if isinstance(outcome, Failure):
                    if not outcome.over:  # where the budget ends, what is owed is not asked for again
                        self.failures[outcome.reason] += 1
                    self.source.failed(begun)
                    run.progress.advance(1)
                    continue
                writer.add(_row(outcome, self.generator, run.run_id, cost))
                self.drawn += 1
                self.read += outcome.prompt_tokens or 0
                self.source.cost(begun, self._relative(cost))
                if self.beside is not None:
                    self.beside.submit(_sample(begun, outcome))
                run.progress.advance(1, outcome.completion_tokens or 0)

    def _requests(self) -> Iterator[Request | None]:
        while True:
            self._listen()
            upcoming = self.source.next()
            busy = self.purse.under_way > 0 or (self.beside is not None and self.beside.waiting > 0)
            if upcoming is None:
                if not busy:
                    return
                yield None
            elif self._too_early() or not self.purse.admit(upcoming.request):
                if not busy and self.purse.ended() is not None:
                    self.ended = True
                    return
                yield None
            else:
                self.source.take()
                self.flying[upcoming.request.sample_id] = upcoming
                self.expected.begin(upcoming.request.sample_id)
                yield upcoming.request

    def _listen(self) -> None:
        """Take in the verdicts that came, and say how many draws are surely paid for."""
        if self.beside is not None:
            for word in self.beside.words():
                if word.correct is not None:
                    self.source.judged(word.draw, word.correct, told=word.told)
        if self.run.plan.limited:
            draws = self._draws()
            if draws is not None:
                self.source.pay(*draws)

    def _too_early(self) -> bool:
        """Whether the first draws of all are to be waited for, since they tell what a draw costs."""
        if not self.run.plan.limited or not self.flying:
            return False
        # Draws that share prompts cost much less than the first ones: one round of those is enough.
        enough = self.expected.number >= PILOT if self._shares() else self.purse.mean is not None
        return not enough and self.drawn + len(self.flying) >= PILOT

    def _shares(self) -> bool:
        """Whether a draw costs less beside others of its problem: FLOPs are limited, and prompts shared."""
        limited = any(one.currency == "flops" for one in self.purse.limits)
        return limited and self.engine.reread is not None and self.engine.parameters is not None

    def _draws(self) -> tuple[float, float] | None:
        """Draws that what is left pays for, about and surely; None before the pilot is over."""
        if self.expected.number < PILOT:
            return None
        about, surely = PLENTY, math.inf
        flying = len(self.flying)  # each takes its part of what is not spent yet
        for limit in self.purse.limits:
            cost, rest = self.expected.cost(limit.currency), limit.most - limit.spent
            if cost is not None and cost[0] > 0:
                mean, most = cost
                if limit.currency == "flops" and self._shares():
                    surely = min(surely, self._shared(SURE * rest))
                    continue
                about = min(about, rest / mean - flying)
                surely = min(surely, SURE * (rest / most - flying))
        return None if math.isinf(surely) else (max(0.0, about), max(0.0, surely))

    def _shared(self, rest: float) -> float:
        """Draws that `rest` FLOPs pay for, where those of a problem that come together read its prompt once.

        What is under way may read prompts of its own.
        """
        weights, reread, tokens = self.engine.parameters, self.engine.reread, self.expected.cost("tokens")
        if weights is None or reread is None or tokens is None or not self.drawn:
            return 0.0
        alone, prompt = tokens[1], self.read / self.drawn
        again = min(float(reread), prompt) + max(1.0, alone - prompt)
        left = rest / (2 * weights) - len(self.flying) * alone
        return max(left / alone, (left - self.source.problems * (alone - again)) / again)

    def _relative(self, cost: Amounts) -> float:
        """What a draw cost beside the mean draw, in the currency that the budget counts."""
        budget, mean = self.run.plan.recipe.budget, self.purse.mean
        names: list[Currency] = [*([budget.match] if budget.match else []), *(budget.total or ()), "tokens"]
        currency = names[0]
        one, other = cost.of(currency), None if mean is None else mean.of(currency)
        return one / other if one and other else 1.0

    def _committed(self, rows: Sequence[Mapping[str, Any]]) -> None:
        idents = [row["sample_id"] for row in rows]
        self.purse.committed(idents)
        if self.beside is not None:
            self.beside.committed(idents)


def _sample(begun: courses.Next, done: Completion) -> Sample:
    item = Item(clean_text(done.text), begun.reference, begun.tests, begun.prompt)
    return Sample(begun.draw, done.request.sample_id, done.request.problem_id, item)


def _row(done: Completion, generator: PlannedGenerator, run_id: str, cost: Amounts) -> dict[str, Any]:
    return {
        "sample_id": done.request.sample_id,
        "problem_id": done.request.problem_id,
        "generator_id": generator.generator_id,
        "sample_index": done.request.sample_index,
        "completion": clean_text(done.text),
        "finish_reason": done.finish_reason,
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "seed": done.seed,
        "logprob": done.logprob,
        "flops": cost.flops,
        "usd": cost.usd,
        "seconds": done.seconds,
        "engine_seconds": cost.seconds,
        "run_id": run_id,
    }
