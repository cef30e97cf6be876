"""Where sampling stopped: the samples in scope, cut at the stops of problems and at what amounts pay for.

Guarantees: the scope is made of the facts alone (see `allotment.py`); every asked problem has one row of
`stops` for each generator, with a reason. Under an amount, the scope is the longest prefix of the draws,
level by level, in which each draw fits (cost before it + its own bound <= amount) and none before it is owed.
So the numbers of draws of two problems that did not stop differ by 1 at most. Of draws that depend on what is
correct, under totals alone or adaptive, all are in scope that were paid for. Left out: what was spent
beyond the scope (`spending.py`).
"""

from __future__ import annotations

from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from factory.allocation import matching
from factory.amounts import UNITS
from factory.budget_sections import Currency
from factory.errors import UsageError
from factory.planning import Plan, PlannedGenerator
from factory.sampling import spending
from factory.sampling.allotment import Standing, standing, targets, unstopped
from factory.sampling.limits import SLACK
from factory.store import put

_NEVER: Final = 2**31 - 1
"""A sample index that no sample has."""

_CUTS: Final = pa.schema(
    [
        ("generator_id", pa.string()),
        ("end_index", pa.int32()),
        ("end_rank", pa.int32()),
        ("why", pa.string()),
        ("sampled", pa.bool_()),
    ]
)
_TARGETS: Final = pa.schema([("generator_id", pa.string()), ("rank", pa.int32()), ("target", pa.int32())])


def cut(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the tables `scoped` (sample_id) and `stops`, of the verdicts that are there.

    `stops`: one row for each asked problem and generator: problem_id, generator_id, generator, samples and
    correct in scope, and why its sampling stopped. Raises UsageError where an amount is in a currency that a
    stored sample does not tell.
    """
    wanted, ends = [_TARGETS.empty_table()], []
    states = {one.generator_id: standing(connection, plan, one) for one in _drawn(plan)}
    for one in _drawn(plan):
        found = targets(plan, one, states[one.generator_id])
        if found is not None:
            columns = [[one.generator_id] * len(found), list(range(len(found))), found.tolist()]
            wanted.append(pa.Table.from_arrays([pa.array(column) for column in columns], schema=_TARGETS))
    put(connection, "targets", pa.concat_tables(wanted))
    connection.execute(
        "CREATE OR REPLACE TABLE inside AS SELECT m.* EXCLUDE (before), t.target FROM (SELECT *,"
        " coalesce(count(*) FILTER (correct) OVER (PARTITION BY generator_id, problem_id"
        " ORDER BY sample_index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
        " FROM marked) m"
        " LEFT JOIN targets t ON t.generator_id = m.generator_id AND t.rank = m.rank"
        " WHERE m.whole AND (m.people OR t.target IS NULL OR m.before < t.target)"
    )
    spent: dict[Currency, float] = {}
    for one in plan.generators:
        end = (_NEVER, 0, "planned") if one.by_people else _end(connection, plan, one, states, spent)
        ends.append((one.generator_id, *end, one.sampled))
    rows = [dict(zip(_CUTS.names, end, strict=True)) for end in ends]
    put(connection, "cuts", pa.Table.from_pylist(rows, schema=_CUTS))
    connection.execute(
        "CREATE OR REPLACE TABLE scoped AS SELECT i.sample_id, i.problem_id, i.generator_id, i.correct"
        " FROM inside i JOIN cuts c ON c.generator_id = i.generator_id"
        " WHERE (i.sample_index, i.rank) < (c.end_index, c.end_rank)"
    )
    connection.execute(_stops(plan))


def _drawn(plan: Plan) -> list[PlannedGenerator]:
    return [one for one in plan.generators if not one.by_people]


def _end(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    generator: PlannedGenerator,
    states: dict[str, Standing],
    spent: dict[Currency, float],
) -> tuple[int, int, str]:
    """(sample_index, rank) of the first draw that no amount pays for, and which amount that is.

    `spent` of the total by the generators before this one; this one's share is added.
    """
    budget = plan.recipe.budget
    # Draws by what is correct are not made level by level; what they cost tells what was paid for. Where
    # generators are matched they are cut level by level all the same, so that neither has an odd share.
    loose = not budget.per_problem.fixed and (budget.match is None or budget.per_problem.rule == "adaptive")
    limits: list[tuple[str, Currency, float]] = []
    if budget.match is not None and budget.amount is not None:
        limits.append(("amount", budget.match, budget.amount))
    limits += [("total", one, most - spent.get(one, 0.0)) for one, most in (budget.total or {}).items()]
    if not limits:
        return _NEVER, 0, "failed"
    rows = _costs(connection, plan, generator, {currency for _, currency, _ in limits})
    number = len(rows["sample_index"])
    ends = [(_paid(rows, currency, amount, loose=loose), why) for why, currency, amount in limits]
    place, why = min(ends, key=lambda end: end[0])
    end = (_NEVER, 0)
    if place < number:
        end = (int(rows["sample_index"][place]), int(rows["rank"][place]))
    else:  # the amount that the next draw would not fit in, as far as stored draws tell
        why = _tightest(rows, limits)
    if generator.sampled and not loose:
        end = min(end, _gap(plan, generator, states[generator.generator_id]))
    inside = int(
        np.sum((rows["sample_index"] < end[0]) | ((rows["sample_index"] == end[0]) & (rows["rank"] < end[1])))
    )
    for _, currency, _ in limits[bool(budget.match) :]:
        spent[currency] = spent.get(currency, 0.0) + float(rows[currency][:inside].sum())
    return *end, why


def _costs(
    connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator, currencies: set[Currency]
) -> dict[str, Any]:
    """Of the draws before their problem's stop, level by level: index, rank, costs, and `CURRENCY_bound`s."""
    config = plan.recipe.generators[generator.name]
    cost, bound = spending.cost_sql(config, generator), spending.bound_sql(config, generator)
    chosen = sorted(currencies)
    columns = [f"({cost[one]})::DOUBLE AS {one}" for one in chosen]
    columns += [f"coalesce(({bound[one]})::DOUBLE, 0) AS {one}_bound" for one in chosen]
    found = connection.execute(
        f"SELECT sample_index, rank, {', '.join(columns)} FROM inside"
        f" WHERE generator_id = '{generator.generator_id}' ORDER BY sample_index, rank"
    ).fetchnumpy()
    for one in chosen:
        lacking = int(np.ma.getmaskarray(np.ma.asarray(found[one])).sum())
        if lacking:
            raise UsageError(
                f"{plan.recipe.id}: {lacking} stored samples of {generator.name} do not tell their cost in "
                f"{one} ({UNITS[one]}), and the budget limits it. Set generators.{generator.name}."
                f"{'price' if one == 'usd' else 'active_parameters'} where that is lacking, import the "
                "samples with their token counts, or choose another currency"
            )
    return {name: np.ma.getdata(column) for name, column in found.items()}


def _paid(rows: dict[str, Any], currency: Currency, amount: float, *, loose: bool) -> int:
    cost = rows[currency]
    bound = cost if loose else rows[f"{currency}_bound"]
    return matching.paid(cost, bound, amount * (1 + SLACK), by_clock=currency == "seconds")


def _tightest(rows: dict[str, Any], limits: list[tuple[str, Currency, float]]) -> str:
    """The limit with the smallest share left."""
    return min(limits, key=lambda one: (one[2] - float(rows[one[1]].sum())) / one[2] if one[2] > 0 else 0.0)[
        0
    ]


def _gap(plan: Plan, generator: PlannedGenerator, there: Standing) -> tuple[int, int]:
    """(sample_index, rank) of the first draw that is owed and not there."""
    (open_,) = np.nonzero(unstopped(plan, generator, there))
    if not len(open_):
        return _NEVER, 0
    lowest = int(there.present[open_].min())
    return lowest, int(open_[there.present[open_] == lowest][0])


def _stops(plan: Plan) -> str:
    rule = plan.recipe.budget.per_problem.rule
    whole = "planned" if rule in (None, "samples") else "at_most"
    elsewhere = "s.solved OR" if rule == "adaptive" else ""
    return (
        "CREATE OR REPLACE TABLE stops AS SELECT problem_id, generator_id, generator, samples, correct,"
        f" CASE WHEN people THEN 'planned' WHEN {elsewhere} correct >= target THEN 'reached'"
        f" WHEN samples >= most THEN '{whole}' WHEN NOT sampled AND samples = present THEN 'exhausted'"
        " ELSE why END AS why, generator_position FROM (SELECT r.problem_id, g.generator_id,"
        " g.name AS generator, g.position AS generator_position, g.people, g.most, c.sampled, c.why,"
        " t.target,"
        " coalesce(n.samples, 0)::INTEGER AS samples, coalesce(n.correct, 0)::INTEGER AS correct,"
        " coalesce(p.present, 0) AS present,"
        " coalesce(sum(n.correct) OVER (PARTITION BY r.problem_id) > 0, false) AS solved"
        " FROM ranked r CROSS JOIN planned g JOIN cuts c ON c.generator_id = g.generator_id"
        " LEFT JOIN targets t ON t.generator_id = g.generator_id AND t.rank = r.rank"
        " LEFT JOIN (SELECT problem_id, generator_id, count(*) AS samples,"
        " count(*) FILTER (correct) AS correct FROM scoped GROUP BY ALL) n"
        " ON n.problem_id = r.problem_id AND n.generator_id = g.generator_id"
        " LEFT JOIN (SELECT problem_id, generator_id, count(*) AS present FROM candidates GROUP BY ALL) p"
        " ON p.problem_id = r.problem_id AND p.generator_id = g.generator_id) s"
    )
