"""Generators or releases side by side at equal cost, and at equal number beside it.

Guarantees: all sides are compared on the problems that all of them drew, and what only some have is counted;
every figure has an interval of the same resamples of problems, or of groups of problems that share a
template, so that differences are paired. An interval of a difference at equal cost holds the uncertainty of
the mean costs too (to first order). A figure that a problem has too few draws for is null, with the count of
such problems. Left out: what made a side better, and costs that made no sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from factory.amounts import CURRENCIES, UNITS
from factory.budget_sections import Currency
from factory.comparing import cautions, counting, figures, levels, mistakes, sides
from factory.comparing.counting import Counted
from factory.comparing.figures import Matched
from factory.errors import UsageError
from factory.metrics import paired
from factory.metrics.measure import rounded
from factory.release import row_changes
from factory.store import Store

RESAMPLES: Final = 1000
SEED: Final = 0


def compare(
    store: Store,
    named: Sequence[str],
    match: Currency | None = None,
    overrides: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The comparison as plain data.

    Keys: match, unit, reference (the side whose draw costs most; differences are against it), sides (what
    each drew, spent and kept), false_positives (of each side, and against the reference), problems (compared,
    left out), ratio (draws of each side for the cost of one of the reference), equal_cost and equal_number
    (levels, with k, coverage, diversity, and difference of each side), by_difficulty (the last level of equal
    cost), curves, warnings. Raises UsageError for what cannot be compared, CheckFailed for a release that
    cannot be read.
    """
    opened = sides.opened(store, named, overrides)
    with row_changes.connect() as connection:
        counted = [counting.count(connection, one) for one in opened]
        facts = counting.problems(connection, opened[0])
    ids = counting.common(counted)
    if ids.is_empty():
        raise UsageError(
            f"{' and '.join(one.name for one in opened)} have drawn of no problem together, so there is "
            "nothing to compare; take releases of the same problems"
        )
    facts = ids.join(facts, on="problem_id", how="left")
    both = _matched([one.only(ids) for one in counted], match, facts)
    wanted = both.sides[both.reference].side.ks
    most = {name: int(one.n.max()) for name, one in both.sides.items()}
    least = {name: one.least for name, one in both.sides.items()}
    cost = levels.equal_cost(both.per_draw, least, most, wanted, both.reference)
    number = levels.equal_number(least, wanted, both.reference)
    wrong = {one.name: mistakes.of(store, one) for one in opened}
    return {
        "match": both.currency,
        "unit": UNITS[both.currency],
        "reference": both.reference,
        "sides": {name: figures.side(one, both) for name, one in both.sides.items()},
        "false_positives": mistakes.compared(wrong, both.reference),
        "problems": {
            "compared": len(ids),
            "groups": both.drawn.units if facts["group_id"].is_duplicated().any() else None,
            "left_out": {one.side.name: len(one.rows) - len(ids) for one in counted},
        },
        "ratio": {name: rounded(levels.ratio(both.per_draw, name, both.reference)) for name in both.sides},
        "equal_cost": [figures.level(both, one) for one in cost],
        "equal_number": [figures.level(both, one) for one in number],
        "by_difficulty": figures.by_difficulty(both, cost, facts),
        "curves": {name: figures.curve(both, name) for name in both.sides},
        "warnings": cautions.of([one.side for one in counted], both.sides),
    }


# --- matching ----------------------------------------------------------------------------------------


def _matched(both: Sequence[Counted], match: Currency | None, facts: pl.DataFrame) -> Matched:
    """The sides by name, at equal cost in the currency asked for, or in the one that fits."""
    for one in both:
        if one.first is not None and not sum(one.first.values()):
            raise UsageError(
                f"{one.side.name}: its budget ends the draws of a problem by what they turn out to be, so as "
                "many first draws count of each as all have, and one that was asked has none; give it an "
                "amount, or a total, that pays for a draw of each problem"
            )
        if not one.n.sum():
            raise UsageError(
                f"{one.side.name}: none of its draws could be judged, so nothing is known of it; "
                "`factory verify` says why"
            )
    currency = match or _currency(both)
    per_draw = {one.side.name: _per_draw(one, currency) for one in both}
    reference = max(per_draw, key=lambda name: per_draw[name])  # of equals the first
    groups = facts["group_id"].rank("dense").to_numpy()
    drawn = paired.resamples(groups, RESAMPLES, SEED)
    return Matched({one.side.name: one for one in both}, per_draw, currency, reference, drawn)


def _currency(both: Sequence[Counted]) -> Currency:
    """The recipes' match where they agree, else FLOPs, else tokens, else samples: the first that all tell."""
    written = {str((one.side.recipe.get("budget") or {}).get("match")) for one in both}
    wanted: list[Currency] = [one for one in CURRENCIES if {one} == written]
    order: list[Currency] = [*wanted, "flops", "tokens", "samples"]
    return next(one for one in order if all(side.amounts("cost", one) is not None for side in both))


def _per_draw(one: Counted, currency: Currency) -> float:
    """What a judged draw cost on average; those that could not be judged are paid for too."""
    amounts = one.amounts("cost", currency)
    if amounts is None:
        known = [name for name in CURRENCIES if one.amounts("cost", name) is not None]
        key = {"usd": "price", "flops": "active_parameters"}.get(currency)
        advice = f"write generators.NAME.{key} in its recipe and release a new version, or " if key else ""
        raise UsageError(
            f"--match {currency}: {one.side.name} does not tell what its draws cost in {UNITS[currency]}; "
            f"{advice}match one that it tells: {', '.join(known)}"
        )
    total = float(amounts.sum())
    if not total:
        raise UsageError(
            f"--match {currency}: the draws of {one.side.name} cost nothing, so there is no equal cost; "
            "match another currency"
        )
    return total / float(one.n.sum())
