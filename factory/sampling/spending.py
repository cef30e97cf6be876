"""What a recipe has spent, read from the store: samples at their cost, and the charges of the ledger.

Guarantees: a sample's cost is what its row says, or else tokens times the price and the parameters that the
recipe or the model's files state; what nobody can tell is None, never 0. Everything here reads: it needs no
lock and no engine. Sums do not depend on the order of rows. Left out: what may be spent (`account.py`), and
calls under way (`claims.under_way`).

The view `candidates` is expected on the connection: the samples of asked problems and planned generators,
with the columns of SAMPLES; for a summary, the table `asked` too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import duckdb

from factory.amounts import CURRENCIES, NOTHING, UNITS, Amounts
from factory.budget_sections import Currency
from factory.errors import UsageError
from factory.generators import parameters
from factory.planning import Plan, PlannedGenerator

_SCALES: Final[Mapping[Currency, float]] = {
    "samples": 1.0, "tokens": 1.0, "flops": 1.0, "usd": 1e12, "seconds": 1e6
}  # fmt: skip
"""Sums are of whole parts, so that they do not depend on the order in which threads add."""

_LEDGER: Final[Mapping[Currency, str]] = {
    "samples": "samples",
    "tokens": "prompt_tokens + completion_tokens",
    "flops": "flops",
    "usd": "usd",
    "seconds": "engine_seconds",
}

WASTED: Final = ("presumed", "lost", "failed")
"""Kinds of charges for calls that gave nothing; which there are depends on kills and faults."""


# --- the cost of a sample in SQL ---------------------------------------------------------------------


def cost_sql(config: Any, generator: PlannedGenerator) -> dict[Currency, str]:
    """SQL over columns of SAMPLES: what a stored sample of a generator cost; null where it is not known.

    `config` is its section of the recipe. Worked solutions by people cost nothing.
    """
    if generator.by_people:
        return dict.fromkeys(CURRENCIES, "0.0")
    return _spelled(config, "completion_tokens", known=True) | {"seconds": "engine_seconds"}


def bound_sql(config: Any, generator: PlannedGenerator) -> dict[Currency, str]:
    """SQL over columns of SAMPLES: the most a draw with this prompt may cost; for imports, what it cost.

    Seconds have no bound: 0.
    """
    if not generator.sampled:
        return cost_sql(config, generator)
    return _spelled(config, str(config.decoding.max_tokens), known=False) | {"seconds": "0.0"}


def _spelled(config: Any, written: str, *, known: bool) -> dict[Currency, str]:
    """The costs of a call that reads prompt_tokens and writes `written`; `known`: columns go first."""
    weights, price = parameters.active(config), config.price
    flops = "NULL::DOUBLE" if weights is None else f"2.0 * {weights!r} * (prompt_tokens + {written})"
    usd = "NULL::DOUBLE"
    if price is not None:
        usd = f"({price.input!r} * prompt_tokens + {price.output!r} * {written}) / 1e6"
    return {
        "samples": "1.0",
        "tokens": f"(prompt_tokens + {written})::DOUBLE",
        "flops": f"coalesce(flops, {flops})" if known else flops,
        "usd": f"coalesce(usd, {usd})" if known else usd,
    }


def _sums(costs: Mapping[Currency, str]) -> str:
    """Aggregates of `costs`, a currency each; null where a part of it is."""
    return ", ".join(
        f"CASE WHEN count({cost}) = count(*) THEN"
        f" coalesce(sum(round(({cost}) * {_SCALES[name]!r})::HUGEINT), 0)::DOUBLE / {_SCALES[name]!r} END"
        f" AS {name}"
        for name, cost in costs.items()
    )


# --- what was spent ----------------------------------------------------------------------------------


def spent(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, Amounts]:
    """By generator_id: what the samples that are there cost, and every charge to this recipe's name."""
    sums = {one.generator_id: NOTHING for one in (*plan.generators, *plan.judges)}
    for one in plan.generators:
        sums[one.generator_id] += _of_samples(connection, plan, one)
    for (ident, _), charged in _charges(connection, plan).items():
        sums[ident] = sums.get(ident, NOTHING) + charged
    return sums


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum; of no amounts nothing."""
    return sum(amounts, NOTHING)


def _of_samples(connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator) -> Amounts:
    if generator.by_people:
        return NOTHING
    costs = cost_sql(plan.recipe.generators[generator.name], generator)
    (row,) = connection.execute(
        f"SELECT {_sums(costs)} FROM candidates WHERE generator_id = ?", [generator.generator_id]
    ).fetchall()
    return Amounts(**dict(zip(costs, row, strict=True)))


def _charges(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[tuple[str, str], Amounts]:
    """By generator_id and kind: what the ledger charges this recipe's name with, in any version of it."""
    rows = connection.execute(
        f"SELECT generator_id, kind, {_sums(_LEDGER)} FROM ledger WHERE recipe = ?"
        " GROUP BY generator_id, kind ORDER BY generator_id, kind",
        [plan.recipe.name],
    ).fetchall()
    return {(ident, kind): Amounts(**dict(zip(_LEDGER, row, strict=True))) for ident, kind, *row in rows}


# --- what can be told --------------------------------------------------------------------------------

_KEYS: Final[Mapping[Currency, str]] = {
    "flops": "active_parameters, the weights used for one token",
    "usd": "price: {input: .., output: ..}, in US dollars for a million tokens",
}


def check(plan: Plan, connection: duckdb.DuckDBPyConnection | None = None) -> None:
    """Raise UsageError where a limit is in a currency that a generator or judge cannot tell.

    With a `connection` (and its view `candidates`), stored samples are asked too: their rows tell their
    costs, or nothing does. The message names the key to write.
    """
    for section, one, currencies in _limited(plan):
        models: Mapping[str, Any] = plan.recipe.generators if section == "generators" else plan.recipe.judges
        config = models[one.name]
        drawn = one.engine not in ("imported",)
        for currency in currencies:
            lacking = {"flops": drawn and parameters.active(config) is None}
            lacking["usd"] = drawn and config.price is None
            if lacking.get(currency, False):
                raise UsageError(
                    f"budget: {UNITS[currency]} are limited, and {section}.{one.name} cannot tell them. "
                    f"Write {section}.{one.name}.{_KEYS[currency]}"
                )
        if connection is not None and section == "generators":
            _check_stored(connection, plan, one, currencies)


def _check_stored(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    generator: PlannedGenerator,
    currencies: Iterable[Currency],
) -> None:
    there = _of_samples(connection, plan, generator)
    for currency in currencies:
        if there.of(currency) is None:
            key = _KEYS.get(currency, "engine")
            advice = f"Write generators.{generator.name}.{key}" if currency in _KEYS else ""
            raise UsageError(
                f"budget: {UNITS[currency]} are limited, and stored samples of generators.{generator.name} "
                f"do not tell theirs. {advice or 'Limit another currency, such as samples'}"
            )


def _limited(plan: Plan) -> Iterator[tuple[str, PlannedGenerator, tuple[Currency, ...]]]:
    """(section, generator or judge, the currencies that limit it) of a plan."""
    budget = plan.recipe.budget
    totals = tuple(budget.total or ())
    matched = () if budget.match is None else (budget.match,)
    for one in plan.generators:
        if not one.by_people:
            yield "generators", one, tuple(dict.fromkeys((*matched, *totals)))
    for one in plan.judges:
        yield "judges" if one.name in plan.recipe.judges else "generators", one, totals


# --- for status, metrics and card --------------------------------------------------------------------


def summary(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, Any]:
    """What was planned, realised and left, for JSON.

    {match, amount, total, generators: {name: entry}, judges: {name: entry}, all: entry}; an entry is
    {planned: {samples, and the amount in match's unit}, realised: what the samples (or a judge's votes)
    cost, presumed, lost, failed: charges of calls that gave nothing, left: of the amount in match's unit, or
    null}, `all`'s left is by currency of `total`. Amounts are {samples, tokens, flops, usd, seconds}, null
    where not known. `realised` follows from recipe and samples; what `WASTED` names depends on kills and
    faults.
    """
    budget, charges = plan.recipe.budget, _charges(connection, plan)
    entries, costs = {}, []
    for one in plan.generators:
        if one.by_people:
            continue
        realised = _of_samples(connection, plan, one)
        wasted = {kind: charges.get((one.generator_id, kind), NOTHING) for kind in WASTED}
        costs.append((realised, wasted))
        left = None
        if budget.match is not None and budget.amount is not None and one.sampled:
            left = _left(budget.amount, total([realised, *wasted.values()]).of(budget.match))
        planned = _planned(connection, plan, one)
        entries[one.name] = {"planned": planned, **_entry(realised, wasted), "left": left}
    judges = {}
    for one in {judge.generator_id: judge for judge in plan.judges}.values():
        realised = charges.get((one.generator_id, "judge"), NOTHING)
        wasted = {kind: charges.get((one.generator_id, kind), NOTHING) for kind in WASTED}
        costs.append((realised, wasted))
        judges[one.name] = _entry(realised, wasted)
    whole = total(realised for realised, _ in costs)
    lost = {kind: total(wasted[kind] for _, wasted in costs) for kind in WASTED}
    gone = total([whole, *lost.values()])
    left_of = {name: _left(most, gone.of(name)) for name, most in (budget.total or {}).items()}
    return {
        "match": budget.match,
        "amount": budget.amount,
        "total": dict(budget.total) if budget.total else None,
        "generators": entries,
        "judges": judges,
        "all": _entry(whole, lost) | {"left": left_of or None},
    }


def _entry(realised: Amounts, wasted: Mapping[str, Amounts]) -> dict[str, Any]:
    return {"realised": realised.as_dict(), **{kind: one.as_dict() for kind, one in wasted.items()}}


def _left(most: float, gone: float | None) -> float | None:
    return None if gone is None else max(0.0, most - gone)


def _planned(
    connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator
) -> dict[str, float | None]:
    """The most samples that the rule asks for, and the amount in match's unit."""
    per_problem, budget = plan.recipe.budget.per_problem, plan.recipe.budget
    most = (per_problem.by_generator or {}).get(generator.name, per_problem.most)
    ((asked,),) = connection.execute("SELECT count(*) FROM asked WHERE reason = 'asked'").fetchall()
    planned: dict[str, float | None] = {"samples": None if most is None else float(most * asked)}
    if budget.match == "samples":
        ends = [one for one in (planned["samples"], budget.amount) if one is not None]
        planned["samples"] = min(ends)
    elif budget.match is not None:
        planned[budget.match] = budget.amount
    return planned
