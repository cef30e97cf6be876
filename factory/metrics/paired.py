"""Bootstrap of several figures over the same problems: what one resample draws, it draws for all of them.

Guarantees: problems are resampled, or whole groups of them where problems share a template; every figure that
is asked of one `Resamples` is of the same resamples, so differences of figures are paired. Time and memory do
not grow with the problems beyond one pass over them. The same values and seed give the same ends. Left out:
what the figures are (`comparing/`), and any correction for few problems, for which the ends are too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from factory.metrics.intervals import LEVEL, of_equal
from factory.metrics.measure import rounded

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_UNITS: Final = 8192
"""Problems or groups that are drawn one by one; more are put together at random into so many lots, whose
resamples vary as much as those of the problems do, since a lot is a random sample of them."""


@dataclass(frozen=True)
class Resamples:
    """`unit` of each problem: what is drawn as one; `weights`, of shape (resamples, units): how often."""

    unit: Whole
    weights: Reals

    @property
    def units(self) -> int:
        """How many things are drawn of."""
        return int(self.weights.shape[1])

    def sums(self, values: ArrayLike) -> Reals:
        """The sum of `values`, one a problem, in each resample."""
        of_unit = np.bincount(self.unit, weights=np.asarray(values, dtype=np.float64), minlength=self.units)
        return np.asarray(self.weights @ of_unit, dtype=np.float64)


def resamples(groups: ArrayLike, number: int, seed: int) -> Resamples:
    """`number` resamples of problems, each problem with the number of its group in `groups`.

    A resample draws as many groups as there are, with replacement, and each with all of its problems.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    unit, units = group.reshape(-1).astype(np.int64), int(group.max(initial=-1)) + 1
    generator = np.random.default_rng(seed)
    if units > MOST_UNITS:
        unit = (generator.permutation(units) % MOST_UNITS)[unit]
        units = MOST_UNITS
    weights = generator.multinomial(units, np.full(units, 1 / max(units, 1)), size=number)
    return Resamples(unit, weights.astype(np.float64))


def ratio(
    top: ArrayLike,
    bottom: ArrayLike,
    drawn: Resamples,
    bounds: tuple[float, float] | None = None,
    shift: Reals | None = None,
) -> dict[str, Any]:
    """{value, low, high} of the sum of `top` over that of `bottom`, both one a problem.

    With `bottom` 1 for each problem it is a mean, with 0 or 1 the mean of a class of them. None where the sum
    of `bottom` is 0; no ends for fewer than two units.

    `shift` is added to the ratio of each resample: what else varies with it, and is 0 in what was seen.
    `bounds` are the least and the most that a value can be, for where all values are equal
    (`intervals.of_equal`).
    """
    above, below = (np.asarray(one, dtype=np.float64) for one in (top, bottom))
    total = float(below.sum())
    if not total:
        return {"value": None, "low": None, "high": None}
    value = float(above.sum()) / total
    low, high = _ends(value, above, below, drawn, bounds, shift)
    return {"value": rounded(value), "low": _rounded(low), "high": _rounded(high)}


def mean(values: ArrayLike, drawn: Resamples, bounds: tuple[float, float] | None = None) -> dict[str, Any]:
    """{value, low, high} of the mean of `values`, one a problem; see `ratio`."""
    return ratio(values, np.ones(len(np.asarray(values))), drawn, bounds)


def _ends(
    value: float,
    above: Reals,
    below: Reals,
    drawn: Resamples,
    bounds: tuple[float, float] | None,
    shift: Reals | None,
) -> tuple[float | None, float | None]:
    counted = below > 0
    units = len(np.unique(drawn.unit[counted]))
    if units < 2:
        return None, None
    values = above[counted] / below[counted]
    if bounds is not None and values.max() - values.min() < 1e-12:
        return of_equal(value, units, *bounds)
    tops, bottoms = drawn.sums(above), drawn.sums(below)
    there = bottoms > 0
    ratios = tops[there] / bottoms[there] + (0.0 if shift is None else shift[there])
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _rounded(value: float | None) -> float | None:
    return None if value is None else rounded(value)
