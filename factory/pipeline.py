"""Joins the families: from a recipe to a release, stage by stage.

Guarantees: stages run in one order; each finds its input complete or the run ends saying what is missing;
at each of them the rows that went in are the rows that came out, by reason; the release is written last.
Everything finished is kept whatever happens, and the same command goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import duckdb
import pyarrow as pa

from factory import (
    asked,
    asking,
    licensing,
    measuring,
    planning,
    problems,
    releasing,
    requiring,
    signals,
    splits,
    stages,
    verifying,
    voting,
)
from factory.auditing import labels
from factory.errors import CheckFailed, NothingToRelease
from factory.generators import engines
from factory.planning import Plan, PlannedGenerator, Verifier
from factory.progress import Progress, Silent
from factory.recipe import (
    ConsensusOptions,
    HumanGenerator,
    JudgeOptions,
    PerProblem,
    Recipe,
    ReplayGenerator,
    VerifierConfig,
    verifier_version,
)
from factory.records import DRAWN, HUMAN, TABLES, Problem
from factory.sampling import allotment, cutting, drawing, spending, stops
from factory.sampling.claims import Claims
from factory.store import Store, put
from factory.verifiers import consensus, pool_server, unit_tests
from factory.verifiers import judge as model_judge
from factory.verifiers.judging import VERIFIERS

MODULES: Final = {
    **VERIFIERS,
    unit_tests.NAME: unit_tests,
    model_judge.NAME: model_judge,
    consensus.NAME: consensus,
}
"""Every verifier's module, for its VERSION."""


@dataclass
class Outcome:
    """What a run did. `release` is None when it stopped after the verdicts."""

    run_id: str
    sampled: dict[str, int] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    release: Path | None = None
    release_id: str | None = None
    unchanged: bool = False


def new_run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid():x}"


def plan_of(recipe: Recipe, base: Path, progress: Progress, read: Iterable[Problem] | None = None) -> Plan:
    """Read the recipe's problems (relative paths from `base`) and fix the id of everything.

    `read` holds these problems where the caller has read them already.
    """

    def every_problem() -> Iterator[Problem]:
        progress.start("read problems", 0, "problems")
        for source in recipe.problems:
            for problem in problems.load(source, base):
                progress.advance()
                yield problem
        progress.finish()

    def identify(name: str, config: Any) -> PlannedGenerator:
        progress.start(f"find the model of {name}", 0, "")  # it may have to be fetched
        found = _identify(name, config)
        progress.finish()
        return found

    def judged_by(config: VerifierConfig, generators: Sequence[PlannedGenerator]) -> Verifier:
        judge = None
        if isinstance(config.options, JudgeOptions):
            progress.start(f"find the model of {config.options.generator}", 0, "")
            judge = asking.judge_of(recipe, config.options)
            progress.finish()
        return _verifier(config, judge, generators, recipe.budget.per_problem)

    plan = planning.make(recipe, every_problem() if read is None else read, identify, judged_by)
    splits.check(recipe, plan.problems)
    return plan


def _identify(name: str, config: Any) -> PlannedGenerator:
    if isinstance(config, ReplayGenerator):
        return PlannedGenerator(name, "imported", None, {"imported": config.imported}, sampled=False)
    if isinstance(config, HumanGenerator):
        return PlannedGenerator(name, HUMAN, None, {"reserved": HUMAN}, sampled=False)
    return PlannedGenerator(name, config.engine, config.model, engines.identity(config), sampled=True)


def _verifier(
    config: VerifierConfig,
    judge: PlannedGenerator | None,
    generators: Sequence[PlannedGenerator],
    per_problem: PerProblem,
) -> Verifier:
    """A verifier whose version holds all that its verdicts depend on."""
    more = {} if judge is None else {"generator": judge.generator_id}
    if isinstance(config.options, ConsensusOptions):
        more = {"draws": voting.draws_id(generators, per_problem), "math": MODULES["math"].VERSION}
    version = verifier_version(MODULES[config.name].VERSION, config.options, **more)
    return Verifier(config.name, version, config, judge)


# --- run ---------------------------------------------------------------------------------------------


def run(
    recipe: Recipe,
    store: Store,
    base: Path,
    progress: Progress | None = None,
    *,
    command: str = "factory run",
    until: Literal["verdicts", "release"] = "release",
    retry_errors: bool = False,
    plan: Plan | None = None,
) -> Outcome:
    """Make what the recipe asks for and the store does not hold, up to its release.

    `plan` is the recipe's where the caller has made it; it may mark problems that are not to be asked.
    Raises UsageError, CheckFailed or OutsideError; what was finished before is in the store.
    """
    shown = progress or Silent()
    outcome = Outcome(new_run_id())
    with (
        pool_server.kept(),
        store.lock(command),
        store.connect() as connection,
        Claims(store) as claims,
    ):
        if labels.take_in(store):  # given while another run held the store
            store.refresh(connection, "labels")
        plan = plan or plan_of(recipe, base, shown)
        if until == "release":
            licensing.decide(plan)
        planning.enter(connection, plan)
        claims.recover(connection, outcome.run_id)
        _record(store, connection, plan, outcome.run_id)
        for verifier in (plan.decides, *plan.also):
            if verifier.reads_references:
                verifying.verify(store, connection, plan, verifier, outcome.run_id, shown, references=True)
        outcome.counts["problems"] = asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)

        def verify(again: bool = False) -> None:
            for verifier in (plan.decides, *plan.also):
                verifying.verify(
                    store,
                    connection,
                    plan,
                    verifier,
                    outcome.run_id,
                    shown,
                    references=False,
                    retry_errors=again,
                )

        sampling = drawing.Sampling(store, connection, plan, outcome.run_id, claims, shown)
        try:
            drawing.sample(sampling, verify)
        finally:
            outcome.sampled = sampling.sampled
            claims.book(connection, outcome.run_id)
        _refuse_nothing(connection, plan)
        verify(retry_errors)
        cutting.cut(connection, plan)
        outcome.counts["samples"] = _count_samples(connection, plan)
        stages.enter_judged(connection, plan)
        outcome.counts["verdicts"] = _count_verdicts(connection, outcome.counts["samples"])
        if until == "release":
            _release(store, connection, plan, outcome, shown)
        for table in TABLES:
            store.compact(table)
    return outcome


def _record(store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, run_id: str) -> None:
    """Store the problems, generators and reference samples that are not there yet."""
    if any(one.by_people for one in plan.generators):
        _refuse_other_solutions(connection)
    generators = planning.generator_rows((*plan.generators, *plan.judges))
    put(connection, "offered_generators", pa.Table.from_pylist(generators))
    columns = ", ".join(TABLES["problems"].names)
    missing = {
        "problems": f"SELECT {columns} FROM plan p WHERE NOT EXISTS (FROM problems s WHERE"
        " s.problem_id = p.problem_id AND s.source = p.source)"
        " QUALIFY row_number() OVER (PARTITION BY p.problem_id, p.source ORDER BY p.position) = 1"
        " ORDER BY p.position",
        "generators": "FROM offered_generators o WHERE NOT EXISTS (FROM generators g"
        " WHERE g.generator_id = o.generator_id)"
        " QUALIFY row_number() OVER (PARTITION BY o.generator_id ORDER BY o.name) = 1 ORDER BY o.name",
        "samples": f"SELECT o.* REPLACE ('{run_id}' AS run_id) FROM offered o"
        " WHERE NOT EXISTS (FROM samples s WHERE s.sample_id = o.sample_id) ORDER BY o.sample_id",
    }
    for table, query in missing.items():
        store.append(table, connection.sql(query).to_arrow_table().cast(TABLES[table]))
        store.refresh(connection, table)


def _refuse_other_solutions(connection: duckdb.DuckDBPyConnection) -> None:
    """A fact never changes: other worked solutions than those stored would be left out unseen."""
    rows = connection.execute(
        "SELECT o.problem_id FROM offered o JOIN samples s ON s.sample_id = o.sample_id"
        f" WHERE NOT (o.{DRAWN}) AND s.completion <> o.completion ORDER BY o.problem_id"
    ).fetchall()
    if rows:
        raise CheckFailed(
            f"the store holds another worked solution of {len(rows)} problem(s), the first {rows[0][0]}, "
            "from a source read before, and what is stored never changes. Take another store, or the source "
            "that the stored ones are from"
        )


def _refuse_nothing(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    if planning.count(connection, "FROM candidates"):
        return
    there = planning.count(connection, "FROM asked WHERE reason = 'asked'")
    asked_of = f"{there} problems are asked of {', '.join(one.name for one in plan.generators)}"
    if there and plan.limited and any(one.sampled for one in plan.generators):
        raise NothingToRelease(
            f"{plan.recipe.id}: the budget pays for no sample: {asked_of}, and not one draw fits: "
            "its prompt and max_tokens together cost more than there is. Raise budget.amount or "
            "budget.total, or lower decoding.max_tokens"
        )
    raise NothingToRelease(
        f"{plan.recipe.id}: there is no sample to release: {asked_of}, and the store holds none. "
        "Check the problems' answers with `factory status`, what `factory import` brought in, or whether "
        "the problems come with worked solutions (columns.solution)"
    )


def _count_samples(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Planned samples = present + exhausted; only a replay may lack some.

    Where the number of draws is not settled, as many are planned as the stops of the problems say.
    """
    counts = {"present": planning.count(connection, planning.scope(plan))}
    if not plan.settled:
        ((total,),) = connection.execute("SELECT coalesce(sum(samples), 0) FROM stops").fetchall()
        return planning.balance("samples", int(total), counts)
    total = exhausted = 0
    for generator in plan.generators:
        total += planning.count(connection, allotment.planned_samples(plan, generator))
        if not generator.sampled:
            exhausted += planning.count(connection, allotment.owed_samples(plan, generator))
    return planning.balance("samples", total, counts | ({"exhausted": exhausted} if exhausted else {}))


def _count_verdicts(connection: duckdb.DuckDBPyConnection, samples: Mapping[str, int]) -> dict[str, int]:
    rows = connection.execute(
        "SELECT coalesce(status, 'unverified') AS mark, count(*) FROM judged GROUP BY mark ORDER BY mark"
    ).fetchall()
    return planning.balance("verdicts", samples["present"], {str(mark): int(number) for mark, number in rows})


def _release(
    store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, outcome: Outcome, progress: Progress
) -> None:
    outcome.counts["selection"] = stages.choose(connection, plan, progress)
    outcome.metrics = measuring.measure(connection, plan)
    signals.ask(store, connection, plan, outcome.run_id, progress)
    wrong = signals.measure(connection, plan)
    outcome.metrics |= {} if wrong is None else {"false_positives": wrong}
    outcome.metrics |= {"budget": spending.summary(connection, plan), "stops": stops.summary(connection)}
    requiring.hold(connection, plan, outcome.metrics, outcome.counts["selection"])
    made = releasing.release(store, connection, plan, outcome.counts, outcome.metrics, progress)
    outcome.release, outcome.release_id, outcome.unchanged = made.folder, made.release_id, made.unchanged
