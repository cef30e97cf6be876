"""The way of the verifier `judge`: a model is asked, and its replies are the votes.

Guarantees: requests are made as the engine has room for them, and a sample's verdict is on its way as soon as
its last vote is in; every call is on record before it is made and in the ledger after it, unless it was
refused before any work; a vote that could not be had makes the verdict an error that is tried again, never
one against the sample. No call is made that the totals of the budget do not pay for: its sample is left
without a verdict. The model's decoding is that of the recipe; its prompt is the rubric, sent as a chat
message. Left out: what is asked and how replies are read (`verifiers/rubrics.py`, `verifiers/judge.py`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from factory.amounts import Amounts
from factory.generators import engines
from factory.generators.base import Completion, Engine, Failure, Request
from factory.planning import PlannedGenerator
from factory.recipe import JudgeOptions, Recipe
from factory.records import Status, canonical_json, content_id
from factory.sampling import spending
from factory.sampling.account import Account, Purse
from factory.sampling.claims import Claims
from factory.verifiers import judge, rubrics
from factory.verifiers.base import Check
from factory.work import Judged, Owed, Work
from factory.writing import Writer

log = logging.getLogger(__name__)

KIND: Final = "judge"


def judge_of(recipe: Recipe, options: JudgeOptions) -> PlannedGenerator:
    """The model that a judge asks, with its identity; may fetch a model's files, does not load it."""
    config = _config(recipe, options)
    identity = engines.judge_identity(config)
    return PlannedGenerator(options.generator, config.engine, config.model, identity, sampled=False)


def _config(recipe: Recipe, options: JudgeOptions) -> Any:
    models: dict[str, Any] = {**recipe.generators, **recipe.judges}
    return models[options.generator]


def by_model(work: Work) -> Iterator[Judged]:
    """By the votes of a model. Raises OutsideError when it cannot be asked any more; what came is kept."""
    options = work.verifier.config.options
    if not isinstance(options, JudgeOptions) or work.verifier.judge is None:
        raise TypeError(f"{work.verifier.written} asks no model")
    engine = engines.open_engine(_config(work.plan.recipe, options))
    try:
        with Claims(work.store) as claims:
            account = _account(work, claims)
            purse = account.purse(work.verifier.judge, engine)
            with Writer(
                work.store,
                "ledger",
                committed=lambda rows: claims.drop(row["charge_id"] for row in rows),
            ) as ledger:
                poll = _Poll(work, options, work.verifier.judge.generator_id, purse, ledger)
                yield from poll.judged(engine)
            claims.book(work.connection, work.run_id)
    finally:
        engine.close()
    work.store.refresh(work.connection, "ledger")


def _account(work: Work, claims: Claims) -> Account:
    if not work.plan.recipe.budget.total:
        return Account(claims, work.plan, work.run_id, {})
    work.store.refresh(work.connection, "samples", "ledger")
    spent = spending.spent(work.connection, work.plan)
    return Account(claims, work.plan, work.run_id, spent, spending.total(spent.values()))


def vote_seed(generator: str, sample: str, vote: int) -> int:
    """The seed of one vote of a judge on a sample: 31 bits, as `records.sample_seed`."""
    key = {"generator_id": generator, "sample_id": sample, "use": "judge", "vote": vote}
    return int(content_id(key)[:8], 16) & 0x7FFF_FFFF


@dataclass(slots=True)
class _Asked:
    """A sample under way: its votes so far, the longest of their calls in seconds, and what failed."""

    owed: Owed
    votes: list[judge.Vote] = field(default_factory=list)
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class _Poll:
    """The samples that a model is being asked about."""

    def __init__(
        self, work: Work, options: JudgeOptions, generator: str, purse: Purse, ledger: Writer
    ) -> None:
        self.work, self.options, self.generator = work, options, generator
        self.purse, self.ledger = purse, ledger
        self.asked: dict[str, _Asked] = {}
        self.settled: deque[Judged] = deque()

    def judged(self, engine: Engine) -> Iterator[Judged]:
        for outcome in engine.generate(self._requests()):
            cost = self.purse.settle(outcome)
            if isinstance(outcome, Completion):  # the account charges those that failed
                self.ledger.add(self._charge(outcome, cost))
            self._take(outcome)
            while self.settled:
                yield self.settled.popleft()
        yield from self.settled  # there may have been nothing to ask about any of them
        if self.asked:
            log.warning(
                "%s: budget.total pays for no more calls; %d samples have no verdict of it",
                self.work.verifier.written,
                len(self.asked),
            )

    def _requests(self) -> Iterator[Request | None]:
        for owed in self.work.owed():
            known = judge.unasked(owed.item, self.options)
            if known is not None:
                self.settled.append(Judged(owed, known, None))
                continue
            self.asked[owed.sample_id] = _Asked(owed)
            text = rubrics.prompt(owed.item, self.options.rubric)
            for vote in range(self.options.votes):
                request = Request(
                    # Of its own for each draw; the votes on one sample share a prompt, as draws of a problem.
                    sample_id=f"{owed.sample_id}.{vote}",
                    problem_id=owed.sample_id,
                    sample_index=vote,
                    seed=vote_seed(self.generator, owed.sample_id, vote),
                    prompt=({"role": "user", "content": text},),
                )
                while not self.purse.admit(request, self._charge_id(request)):
                    if self.purse.ended() is not None:
                        return
                    yield None
                yield request

    def _take(self, outcome: Completion | Failure) -> None:
        """Add a vote to its sample, and settle the sample with the last one."""
        sample = outcome.request.problem_id
        asked = self.asked[sample]
        if isinstance(outcome, Failure):
            asked.failures.append(outcome.reason)
        else:
            cut = outcome.finish_reason == "length"
            asked.votes.append(judge.read(outcome.text, asked.owed.item, self.options, cut=cut))
            asked.seconds = max(asked.seconds, outcome.seconds)
        if len(asked.votes) + len(asked.failures) == self.options.votes:
            del self.asked[sample]
            self.settled.append(Judged(asked.owed, self._check(asked), asked.seconds))

    def _check(self, asked: _Asked) -> Check:
        if asked.failures:
            detail = canonical_json({"failures": len(asked.failures), "failure": min(asked.failures)})
            return Check(Status.ERROR, "worker_lost", detail=detail)
        return judge.tally(asked.votes, self.options)

    def _charge_id(self, request: Request) -> str:
        return content_id(
            {
                "attempt": self.asked[request.problem_id].owed.attempt,
                "run_id": self.work.run_id,
                "sample_id": request.problem_id,
                "verifier": self.work.verifier.written,
                "vote": request.sample_index,
            }
        )

    def _charge(self, done: Completion, cost: Amounts) -> dict[str, Any]:
        """The row of the table ledger of a call that was served."""
        return {
            "charge_id": self._charge_id(done.request),
            "kind": KIND,
            "generator_id": self.generator,
            "sample_id": done.request.problem_id,
            "run_id": self.work.run_id,
            "samples": 1,
            "prompt_tokens": done.prompt_tokens,
            "completion_tokens": done.completion_tokens,
            "flops": cost.flops,
            "usd": cost.usd,
            "seconds": done.seconds,
            "engine_seconds": cost.seconds,
            "presumed": False,
            "recipe": self.work.plan.recipe.name,
        }
