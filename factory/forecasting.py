"""What a recipe will cost and cover: a probe of it, and the forecast that follows from what is drawn.

Guarantees: a probe is a part of the real run, on the problems that it draws from first, so its samples are
facts that the run uses; it never asks for more of a problem than the recipe does, and stays within its
amounts. What the store holds already is not drawn again and counts. Left out: the calls of judges; what
several generators solve together; the arithmetic (`metrics/forecast.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow.parquet as pq

from factory import asked, pipeline, planning, probing
from factory.amounts import CURRENCIES
from factory.budget_sections import PROPORTIONAL
from factory.errors import NothingToRelease
from factory.metrics import forecast as forecasts
from factory.metrics.courses import Rule
from factory.metrics.forecast import Forecast, summary
from factory.planning import Plan, PlannedGenerator
from factory.progress import Progress
from factory.recipe import Recipe
from factory.sampling import allotment, spending
from factory.store import Store

PROBLEMS: Final = 20
SAMPLES: Final = 4


def forecast(
    recipe: Recipe,
    store: Store,
    base: Path,
    progress: Progress,
    *,
    problems: int = PROBLEMS,
    samples: int = SAMPLES,
    command: str = "factory plan",
) -> dict[str, Any]:
    """Draw a probe of `problems` x `samples`, and say what the whole recipe will come to, as plain data.

    {probe: {problems, samples, drawn: {generator: samples drawn now}}, problems, match, amount, total,
    generators: {name: entry}, all: sums, ratio: {name: samples for one of the generator with the fewest},
    notes}. An entry is {probe: {problems, draws, correct}, draws: of a problem, samples, tokens, flops, usd,
    seconds, bytes, coverage, curve}, each estimate {value, low, high} with its 95 % interval for what will be
    realised, null where nothing tells it. Raises what a run raises.
    """
    plan = pipeline.plan_of(recipe, base, progress)
    drawn: dict[str, int] = {}
    notes: list[str] = []
    part = replace(plan, recipe=probing.part(recipe, problems, samples))
    try:
        drawn = pipeline.run(
            part.recipe, store, base, progress, command=command, until="verdicts", plan=part
        ).sampled
    except NothingToRelease as error:
        less = part.recipe.budget.amount != recipe.budget.amount
        share = f"a probe may spend {probing.SHARE:.0%} of budget.amount, and a run all of it; of the probe: "
        notes.append(f"{share if less else ''}{error}")
    with store.connect() as connection:
        planning.enter(connection, plan)
        asked.decide_problems(connection, plan)
        allotment.enter(connection, plan)
        found = _forecast(connection, plan, store, notes)
    probe = {"problems": problems, "samples": samples, "drawn": drawn}
    budget = recipe.budget
    allowed = {"match": budget.match, "amount": budget.amount, "total": dict(budget.total or {}) or None}
    return {"probe": probe, **allowed, **found, "notes": notes}


# --- the forecast ------------------------------------------------------------------------------------


def _forecast(
    connection: duckdb.DuckDBPyConnection, plan: Plan, store: Store, notes: list[str]
) -> dict[str, Any]:
    budget, seed = plan.recipe.budget, plan.recipe.measure.seed
    problems = planning.count(connection, "FROM asked WHERE reason = 'asked'")
    spent = spending.summary(connection, plan)
    left: dict[str, float] = {
        name: amount - _charged(spent["judges"], name) for name, amount in (budget.total or {}).items()
    }
    size = _bytes_of_sample(store, 1 + len(plan.also))
    entries: dict[str, dict[str, Any]] = {}
    made: dict[str, Forecast] = {}
    for one in plan.generators:
        if one.by_people:
            continue
        probe = probing.drawn(connection, plan, one)
        entries[one.name] = {
            "probe": {"problems": len(probe.n), "draws": int(probe.n.sum()), "correct": int(probe.c.sum())}
        }
        rule = _rule(connection, plan, one, problems, left, spent)
        lacking = sorted(set(rule.amounts) - {"samples", *probe.costs})
        if not problems or not len(probe.n) or lacking:
            what = "draw of it is judged" if not lacking else f"{' and '.join(lacking)} of it is told"
            notes.append(f"generators.{one.name}: nothing can be foretold, since no {what}")
            continue
        made[one.name] = told = forecasts.forecast(probe, rule, seed)
        left = {name: most - _mean(told, name) for name, most in left.items()}
        entries[one.name] |= _entry(told, size, problems) | {
            "curve": forecasts.curve(told, rule, probe, seed)
        }
    if budget.per_problem.rule == "adaptive" and len(made) > 1:
        notes.append("each generator is foretold as if it were alone; together they stop sooner")
    if plan.judges:
        notes.append("the calls of judges are not among these figures")
    return {
        "problems": problems,
        "generators": entries,
        "all": _sum(list(made.values()), size) if len(made) == len(entries) else {},
        "ratio": _ratio(made),
    }


def _rule(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    generator: PlannedGenerator,
    problems: int,
    left: Mapping[str, float],
    spent: Mapping[str, Any],
) -> Rule:
    budget = plan.recipe.budget
    rule, most = budget.per_problem, plan.most(generator)
    amounts: dict[str, float] = {name: max(0.0, amount) for name, amount in left.items()}
    if not generator.sampled:
        ((longest,),) = connection.execute(
            "SELECT coalesce(max(sample_index), -1) + 1 FROM candidates WHERE generator_id = ?",
            [generator.generator_id],
        ).fetchall()
        most = max(1, min(int(longest), most or int(longest)))
    if budget.match is not None and budget.amount is not None:
        lost = _charged({"": spent["generators"][generator.name]}, budget.match, realised=False)
        own = max(0.0, budget.amount - lost)
        amounts[budget.match] = min(own, amounts.get(budget.match, math.inf))
    bounds = spending.bound_sql(plan.recipe.generators[generator.name], generator)
    (means,) = connection.execute(
        f"SELECT {', '.join(f'avg({bounds[name]})' for name in bounds)} FROM candidates"
        " WHERE generator_id = ?",
        [generator.generator_id],
    ).fetchall()
    slack: dict[str, float] = {name: bound or 0.0 for name, bound in zip(bounds, means, strict=True)}
    slack["samples"] = 0.0
    target = 1 if rule.rule == "adaptive" else rule.until_correct
    hardest = rule.correct or PROPORTIONAL["correct"]
    asked_of = (hardest, allotment.probe(plan, generator)) if rule.rule == "proportional" else None
    return Rule(problems, most, target, asked_of, amounts, slack)


def _charged(entries: Mapping[str, Mapping[str, Any]], currency: str, *, realised: bool = True) -> float:
    """What is charged to these generators or judges in a currency; `realised` False: for nothing, alone."""
    kinds = (*spending.WASTED, *(("realised",) if realised else ()))
    return sum(
        float((one.get(kind) or {}).get(currency) or 0.0) for one in entries.values() for kind in kinds
    )


def _bytes_of_sample(store: Store, verdicts: int) -> float | None:
    """Compressed bytes of a stored sample with its verdicts, as parts hold them."""

    def each(table: str) -> float:
        rows = size = 0
        for part in store.parts(table):
            read = pq.read_metadata(part.path)
            rows += read.num_rows
            groups = (read.row_group(at) for at in range(read.num_row_groups))
            size += sum(
                one.column(at).total_compressed_size for one in groups for at in range(read.num_columns)
            )
        return size / rows if rows else math.nan

    found = each("samples") + verdicts * each("verdicts")
    return found if math.isfinite(found) else None


# --- as plain data -----------------------------------------------------------------------------------


def _mean(told: Forecast, currency: str) -> float:
    """What is expected of a currency, of samples among them; 0 of one that is not known."""
    values = {"samples": told.samples, **told.costs}.get(currency)
    return 0.0 if values is None else float(values.mean())


def _entry(told: Forecast, size: float | None, problems: int) -> dict[str, Any]:
    return {
        "draws": summary(told.samples / problems),
        **_amounts(told.samples, told.costs, size),
        "coverage": summary(told.coverage),
    }


def _amounts(samples: Any, costs: Mapping[str, Any], size: float | None) -> dict[str, Any]:
    return {
        "samples": summary(samples, whole=True),
        **{name: summary(costs[name]) if name in costs else None for name in CURRENCIES[1:]},
        "bytes": None if size is None else summary(samples * size, whole=True),
    }


def _sum(made: list[Forecast], size: float | None) -> dict[str, Any]:
    """All generators together, each of whose draws of what may come true stands on its own."""
    if not made:
        return {}
    known = set.intersection(*(set(one.costs) for one in made))
    costs = {name: np.sum([one.costs[name] for one in made], axis=0) for name in known}
    return _amounts(np.sum([one.samples for one in made], axis=0), costs, size)


def _ratio(made: Mapping[str, Forecast]) -> dict[str, float]:
    """Samples of each generator for one of that with the fewest; of none where there is one alone."""
    means = {name: float(one.samples.mean()) for name, one in made.items()}
    fewest = min(means.values(), default=0.0)
    return {name: mean / fewest for name, mean in means.items()} if len(means) > 1 and fewest else {}
