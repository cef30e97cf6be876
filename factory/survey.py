"""What a recipe asks for, what the store holds of it, and what is owed.

Guarantees: exact counts, nothing written, no lock taken. Left out: what it would cost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from factory import asked, pipeline, planning
from factory.loop import loop_state
from factory.planning import Plan, PlannedGenerator
from factory.progress import Progress
from factory.recipe import Recipe
from factory.records import TABLES, VERDICTS
from factory.sampling import allotment, spending
from factory.store import Store, put
from factory.verifying import WAYS, row
from factory.work import Work


def survey(recipe: Recipe, store: Store, base: Path, progress: Progress) -> dict[str, Any]:
    """Counts of problems by reason, of samples by generator and of verdicts by verifier, as plain data.

    Reference answers without a verdict are judged in memory, since only problems with good answers are
    sampled.
    """
    with store.connect() as connection:
        plan = pipeline.plan_of(recipe, base, progress)
        planning.enter(connection, plan)
        _offer_references(connection)
        if plan.decides.reads_references:
            _judge_references(store, connection, plan, progress)
        by_reason = asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)
        generators = {one.name: _of_generator(connection, plan, one) for one in plan.generators}
        present = planning.candidates()
        verdicts = {
            one.written: {
                "samples": planning.count(connection, present),
                "owed": planning.count(connection, planning.owed_verdicts(present, one)),
            }
            for one in (plan.decides, *plan.also)
        }
        spent = spending.summary(connection, plan)
    return {
        "recipe": recipe.id,
        "released": (store.releases / recipe.id).is_dir(),
        "problems": by_reason,
        "generators": generators,
        "verdicts": verdicts,
        "budget": spent,
    }


def _of_generator(
    connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator
) -> dict[str, Any]:
    """{planned, present, owed or exhausted} samples.

    Where the number of draws is not settled, {at most, present, open}: the most there may be (null: only an
    amount says), and the problems that are still drawn from, amounts aside.
    """
    if plan.settled or generator.by_people:
        planned = planning.count(connection, allotment.planned_samples(plan, generator))
        owed = planning.count(connection, allotment.owed_samples(plan, generator))
        rest = {"owed": owed} if generator.sampled else {"exhausted": owed}
        return {"planned": planned, "present": planned - owed, **rest}
    there = allotment.standing(connection, plan, generator)
    most = plan.most(generator)
    return {
        "at most": None if most is None else most * len(there.present),
        "present": int(there.present.sum()),
        "open": int(allotment.unstopped(plan, generator, there).sum()) if generator.sampled else 0,
    }


def _offer_references(connection: duckdb.DuckDBPyConnection) -> None:
    """Let SQL see the reference samples as if they were stored."""
    connection.execute(
        "CREATE TABLE fresh_samples AS FROM offered o"
        " WHERE NOT EXISTS (FROM samples s WHERE s.sample_id = o.sample_id)"
    )
    _add(connection, "samples")


def _judge_references(
    store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, progress: Progress
) -> None:
    """Let SQL see the verdicts on the reference samples as if they were stored."""
    samples = planning.references()
    query = planning.owed_verdicts(samples, plan.decides)
    progress.start("judge references", planning.count(connection, query), "verdicts")
    rows = []
    work = Work(store, connection, plan, plan.decides, samples, query, "")
    for judged in WAYS[plan.decides.name](work):
        rows.append(row(judged, plan.decides, ""))
        progress.advance()
    progress.finish()
    put(connection, "fresh_verdicts", pa.Table.from_pylist(rows, schema=VERDICTS))
    _add(connection, "verdicts")


def _add(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute(f"ALTER VIEW {table} RENAME TO stored_{table}")
    connection.execute(f"CREATE VIEW {table} AS FROM stored_{table} UNION ALL FROM fresh_{table}")


def totals(store: Store) -> dict[str, Any]:
    """How many rows and parts each table of the store holds, and its releases, models and loops."""
    tables = {name: {"rows": store.count(name), "parts": len(store.parts(name))} for name in TABLES}
    releases, models = (
        sorted(path.name for path in folder.glob("[!.]*@*") if path.is_dir())
        for folder in (store.releases, store.root / "models")
    )
    return {
        "store": str(store.root),
        "tables": tables,
        "releases": releases,
        "models": models,
        "loops": loop_state.overview(store),
    }
