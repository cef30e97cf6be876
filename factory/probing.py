"""The probe of a recipe: which part of it is drawn first, and what that tells of the draws to come.

Guarantees: a probe asks for nothing that the recipe does not ask for: its first problems, no more samples of
each, the same rule, and a part of its amounts. Left out: drawing it, and what follows (`forecasting.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import duckdb
import numpy as np

from factory.budget_sections import PROPORTIONAL, Budget, PerProblem
from factory.generators import parameters
from factory.metrics.forecast import Probe
from factory.planning import Plan, PlannedGenerator
from factory.recipe import Recipe
from factory.sampling import spending

SHARE: Final = 0.1
"""The most of an amount that a probe spends."""

_SHARED: Final = 0.98
"""An engine shares prompts where less than this part of them was processed."""

_AGAIN: Final = 0.25
"""Up to this part of the draws may come too late for a prompt that is shared: slots free up one by one."""


def part(recipe: Recipe, problems: int, samples: int) -> Recipe:
    """The same recipe on few problems, and few samples of each."""
    budget = recipe.budget
    asks = {
        "per_problem": _fewer(budget, samples),
        "problems": min(problems, budget.problems or problems),
    }
    if budget.amount is not None and budget.match != "samples":
        asks["amount"] = budget.amount * SHARE
    return recipe.model_copy(update={"budget": budget.model_copy(update=asks)})


def _fewer(budget: Budget, samples: int) -> PerProblem:
    rule = budget.per_problem
    if rule.rule in ("until_correct", "adaptive"):
        return rule.model_copy(update={"at_most": min(samples, rule.at_most or samples)})
    if rule.rule == "proportional":
        return PerProblem(samples=min(samples, rule.probe or PROPORTIONAL["probe"], rule.at_most or samples))
    each = {name: min(samples, number) for name, number in (rule.by_generator or {}).items()}
    return PerProblem(samples=min(samples, rule.samples or samples), by_generator=each or None)


def drawn(connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator) -> Probe:
    """What is drawn of a generator and has its verdicts, by problem, in the order of ranks.

    A draw that no verifier could judge solves nothing and costs as much: it counts among those not correct.
    """
    config: Any = plan.recipe.generators[generator.name]
    costs = spending.cost_sql(config, generator)
    del costs["samples"]
    sums = ", ".join(
        f"sum({sql}) FILTER (m.correct) AS {name}_right, sum({sql}) FILTER (NOT m.correct) AS {name}_other,"
        f" count(*) FILTER (({sql}) IS NULL) AS {name}_unknown"
        for name, sql in costs.items()
    )
    weights = parameters.active(config)
    prompts = "NULL" if weights is None else f"flops - 2.0 * {weights!r} * completion_tokens"
    found = connection.execute(
        "SELECT count(*) AS n, count(*) FILTER (m.correct) AS c, "
        f"{sums}, sum({prompts}) FILTER (m.correct) AS prompts_right,"
        f" sum({prompts}) FILTER (NOT m.correct) AS prompts_other,"
        f" sum(2.0 * {weights or 0.0!r} * prompt_tokens) AS prompts_each"
        " FROM marked m WHERE m.generator_id = ? AND m.known GROUP BY m.rank ORDER BY m.rank",
        [generator.generator_id],
    ).fetchnumpy()
    columns: dict[str, Any] = {
        name: np.ma.filled(np.ma.asarray(values, dtype=float), 0.0) for name, values in found.items()
    }
    once = np.zeros(len(columns["n"]))
    told: dict[str, Any] = {
        name: np.stack([once, columns[f"{name}_right"], columns[f"{name}_other"]], axis=1)
        for name in costs
        if not columns[f"{name}_unknown"].any() and len(once)
    }
    n, c = columns["n"].astype(np.int64), columns["c"].astype(np.int64)
    return _sharing(plan, Probe(n, c, told), columns)


def _sharing(plan: Plan, probe: Probe, columns: Mapping[str, Any]) -> Probe:
    """The same where draws of a problem share its prompt: FLOPs of prompts once a problem.

    Draws that are settled come as those of the probe did; under an amount more of them come together than in
    a probe, as many as it happens. Of other rules they share at most as much as those of the probe, which may
    have been asked for at once: a rule that waits for verdicts asks for few of a problem at a time.
    """
    each, seen = columns["prompts_each"], columns["prompts_right"] + columns["prompts_other"]
    if "flops" not in probe.costs or not 0 < seen.sum() < _SHARED * each.sum():
        return probe
    if not plan.recipe.budget.per_problem.fixed:
        return replace(probe, beside={"flops": float((each - seen).sum() / probe.n.sum())})
    values, one = probe.costs["flops"], each / probe.n
    alone = max(0.0, (seen - one).sum() / max((each - one).sum(), 1e-300)) * one
    now = 0.0 * alone if plan.limited else alone
    later = np.maximum(alone - now, _AGAIN * one)
    right = values[:, 1] - columns["prompts_right"] + now * probe.c
    other = values[:, 2] - columns["prompts_other"] + now * (probe.n - probe.c)
    told = {**probe.costs, "flops": np.stack([one - now, right, other], axis=1)}
    return replace(
        probe, costs=told, paid={"flops": float(values.sum())}, beside={"flops": float(later.mean())}
    )
