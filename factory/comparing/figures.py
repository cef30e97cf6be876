"""The figures of a comparison: each side at a level, differences from the reference, curves, costs.

Guarantees: every figure of one comparison is of the same resamples; a figure that a problem has too few draws
for is null, with the count of such problems, and a cost that is not known of every draw is null. Left out:
which levels there are (`levels.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory.amounts import CURRENCIES
from factory.budget_sections import Currency
from factory.comparing import levels
from factory.comparing.counting import UNSTATED, Counted
from factory.comparing.levels import Level
from factory.metrics import paired
from factory.metrics.measure import rounded
from factory.metrics.paired import Resamples

METRICS: Final = ("coverage", "diversity")
MOST_CLASSES: Final = 60
"""Difficulties that are told apart; of more, the first by name."""

UNKNOWN: Final[dict[str, Any]] = {"value": None, "low": None, "high": None}

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Matched:
    """The sides on the problems that all have, what a judged draw costs each, and the resamples."""

    sides: Mapping[str, Counted]
    per_draw: Mapping[str, float]
    currency: Currency
    reference: str
    drawn: Resamples


def level(both: Matched, level: Level, of: Reals | None = None) -> dict[str, Any]:
    """A level in figures, of the problems where `of` is 1, or of all."""
    mask = np.ones(len(both.drawn.unit)) if of is None else of
    others = [name for name in both.sides if name != both.reference]
    return {
        "k": dict(level.k),
        "cost": level.cost,
        "all_in": level.all_in,
        **{
            metric: {name: _estimate(both, level, name, metric, mask) for name in both.sides}
            for metric in METRICS
        },
        "difference": {
            name: {metric: _difference(both, level, name, metric, mask) for metric in METRICS}
            for name in others
        },
    }


def _estimate(both: Matched, level: Level, name: str, metric: str, mask: Reals) -> dict[str, Any]:
    """{value, low, high, n_problems, n_short}; null where a problem has fewer than k judged draws."""
    one, k = both.sides[name], level.k[name]
    values = one.at(metric, k)
    told = {"n_problems": int(mask.sum()), "n_short": one.short(math.ceil(k))}
    if values is None:
        return UNKNOWN | told
    return paired.ratio(values * mask, mask, both.drawn, _bounds(metric, k)) | told


def _difference(both: Matched, level: Level, name: str, metric: str, mask: Reals) -> dict[str, Any]:
    """A side less the reference: {value, low, high, relative: {value, low, high}, n_problems}."""
    ours, theirs = (both.sides[one].at(metric, level.k[one]) for one in (name, both.reference))
    told = {"n_problems": int(mask.sum())}
    if ours is None or theirs is None:
        return UNKNOWN | {"relative": UNKNOWN} | told
    shift = _cost_error(both, level, name, metric, mask)
    shift = shift - _cost_error(both, level, both.reference, metric, mask)
    bounds = -_bounds(metric, level.k[both.reference])[1], _bounds(metric, level.k[name])[1]
    change, base = (ours - theirs) * mask, theirs * mask
    found = paired.ratio(change, mask, both.drawn, bounds, shift)
    bases = both.drawn.sums(base)
    scaled = shift * np.divide(both.drawn.sums(mask), bases, out=np.zeros_like(bases), where=bases > 0)
    return found | {"relative": paired.ratio(change, base, both.drawn, shift=scaled)} | told


def _bounds(metric: str, k: float) -> tuple[float, float]:
    """What a problem's value can be: coverage a share, diversity at most a path a draw."""
    return (0.0, 1.0) if metric == "coverage" else (0.0, k)


def _cost_error(both: Matched, level: Level, name: str, metric: str, mask: Reals) -> Reals:
    """What the error of the mean costs adds to a side's mean value in each resample, through k.

    k = k_anchor r_anchor / r with r the cost of a judged draw, a ratio of two means over problems. To first
    order (the linearised ratio, Cochran, Sampling Techniques, section 6.5) a problem moves r by
    (cost - r n) / mean n, so k by k times the anchor's relative change less this side's.
    """
    if level.cost is None or name == level.anchor:
        return np.zeros(len(both.drawn.weights))
    moved = _relative(both, level.anchor) - _relative(both, name)
    change = both.drawn.sums(moved) / both.drawn.sums(np.ones(len(moved)))
    return _slope(both.sides[name], metric, int(level.k[name]), mask) * level.k[name] * change


def _slope(one: Counted, metric: str, k: int, mask: Reals) -> float:
    """By how much the mean of a metric grows from k draws to one more, or to k where that is the last."""
    for first in (k, k - 1):
        ends = (one.at(metric, first), one.at(metric, first + 1)) if first >= 0 else (None, None)
        if ends[0] is not None and ends[1] is not None:
            return float(np.average(ends[1] - ends[0], weights=mask))
    return 0.0


def _relative(both: Matched, name: str) -> Reals:
    """What each problem adds to the relative error of a side's cost per draw."""
    one, rate = both.sides[name], both.per_draw[name]
    amounts = one.amounts("cost", both.currency)
    assert amounts is not None
    return (amounts - rate * one.n) / float(amounts.mean())


def curve(both: Matched, name: str) -> list[dict[str, Any]]:
    """Each metric at each k that the side reaches, with what it costs a problem."""
    one = both.sides[name]
    reached = {
        k: Level({name: float(k)}, name, rounded(k * both.per_draw[name]), all_in=False)
        for k in levels.thinned(one.least)
    }
    mask = np.ones(len(one.rows))
    return [
        {"k": k, "cost": level.cost}
        | {metric: _estimate(both, level, name, metric, mask) for metric in METRICS}
        for k, level in reached.items()
    ]


def by_difficulty(both: Matched, cost: Sequence[Level], facts: pl.DataFrame) -> dict[str, Any]:
    """The last level of equal cost of the problems of each difficulty; nothing where none is stated."""
    if facts["difficulty"].is_null().all() or not cost:
        return {}
    classes = facts["difficulty"].fill_null(UNSTATED)
    names = sorted(classes.unique())[:MOST_CLASSES]
    return {name: level(both, cost[-1], (classes == name).to_numpy().astype(np.float64)) for name in names}


def side(one: Counted, both: Matched) -> dict[str, Any]:
    """What a side is, and what it drew, spent and kept, on the problems that are compared."""
    side, rows = one.side, one.rows
    sums = {name: int(rows[name].sum()) for name in ("draws", "correct", "kept", "errors", "unverified")}
    return {
        "release": side.release.id,
        "release_id": side.release.manifest["release_id"],
        "generators": list(side.generators),
        **sums,
        "judged": int(one.n.sum()),
        "first": None if one.first is None else dict(one.first),
        "least": one.least,
        "spent": {name: _total(one.amounts("spent", name)) for name in CURRENCIES},
        "per_draw": _costs(one, "cost", one.n, both),
        "per_correct": _costs(one, "spent", rows["correct"].to_numpy(), both),
        "per_kept": _costs(one, "spent", rows["kept"].to_numpy(), both),
    }


def _total(amounts: Reals | None) -> float | None:
    return None if amounts is None else rounded(float(amounts.sum()))


def _costs(one: Counted, what: str, of: Any, both: Matched) -> dict[str, Any]:
    """{currency: {value, low, high}} of the cost of one of `of`; null where it is not known."""
    amounts = {name: one.amounts(what, name) for name in CURRENCIES}
    return {
        name: UNKNOWN if values is None else paired.ratio(values, of, both.drawn)
        for name, values in amounts.items()
    }
