"""The way of the verifier `consensus`: the samples of a problem vote, all of them, for those that are owed.

Guarantees: a vote counts every sample of the problem that is in scope, in the order of their indices,
whether its own verdict is owed or not; answers are compared in workers that can be killed. What a vote is
of stands in the verifier's version. Left out: holding a vote again when a replay brings in more samples of
a problem that was decided before: the new ones get the verdict of the vote with them, the old ones keep
theirs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from factory.planning import PlannedGenerator
from factory.recipe import ConsensusOptions, PerProblem
from factory.records import Status, content_id
from factory.store import batches
from factory.verifiers import consensus, pool
from factory.verifiers.base import Check, Item
from factory.work import Judged, Owed, Work


def draws_id(generators: Sequence[PlannedGenerator], per_problem: PerProblem) -> str:
    """What a vote is of: so many samples of each of these generators, whatever their order and names."""
    content: dict[str, Any] = {
        "generators": sorted(one.generator_id for one in generators),
        "samples": per_problem.samples,
    }
    own = per_problem.by_generator or {}
    if named := {one.generator_id: own[one.name] for one in generators if one.name in own}:
        content["by_generator"] = named
    return content_id(content)


def by_vote(work: Work) -> Iterator[Judged]:
    """By the vote of the samples of each problem that has a verdict owed."""
    plan, options = work.plan, work.verifier.config.options
    if not isinstance(options, ConsensusOptions):
        raise TypeError(f"{work.verifier.written} is no vote")
    waiting: dict[int, list[dict[str, Any]]] = {}

    def problems() -> Iterator[list[str]]:
        for index, rows in enumerate(_problems(work)):
            waiting[index] = rows
            yield [row["completion"] for row in rows]

    outcomes = pool.run(
        functools.partial(consensus.vote, options=options),
        problems(),
        workers=plan.recipe.verify.workers,
        # The limit is for one verdict, and these are as many as the problem has samples.
        time_limit=plan.recipe.verify.time_limit * sum(plan.most(one) or 1 for one in plan.generators),
        preload=("factory.verifiers.consensus", "sympy"),
    )
    for index, outcome in outcomes:
        rows = waiting.pop(index)
        if isinstance(outcome, pool.Lost):
            checks = [Check(Status.ERROR, outcome.reason)] * len(rows)
        else:
            checks = outcome.value
        for row, check in zip(rows, checks, strict=True):
            if row["attempt"] is not None:
                owed = Owed(row["sample_id"], row["problem_id"], row["attempt"], Item(row["completion"]))
                yield Judged(owed, check, outcome.seconds / len(rows))


def _problems(work: Work) -> Iterator[list[dict[str, Any]]]:
    """The samples of each problem with a verdict owed, all in scope; `attempt` is null where none is."""
    query = (
        "SELECT s.problem_id, s.sample_id, s.completion, o.attempt"
        f" FROM ({work.samples}) s LEFT JOIN ({work.query}) o ON o.sample_id = s.sample_id"
        f" WHERE s.problem_id IN (SELECT problem_id FROM ({work.query}))"
        " ORDER BY s.problem_id, s.sample_index, s.generator_id"
    )
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches(work.connection, query))
    for _, group in itertools.groupby(rows, key=lambda row: row["problem_id"]):
        yield list(group)
