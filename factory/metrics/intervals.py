"""Intervals: percentile bootstrap for the mean of a metric over problems, Wilson's for a share of cases.

Guarantees: problems are resampled, not samples, since samples of one problem are not independent; where
problems share a template, whole groups of them are. The same values, in any order, and the same seed give the
same interval with the same numpy; memory stays below about 100 MB for any number of problems. Left out:
intervals for anything but means and shares, and any correction of the bootstrap for small numbers of
problems, where it is too narrow.
"""

from __future__ import annotations

import math
import statistics
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL: Final = 0.95
BLOCK: Final = 4_000_000
"""Counts drawn at once: 32 MB of 64-bit integers."""

MOST_DISTINCT: Final = 4096
"""Values that are told apart."""

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]


class Interval(NamedTuple):
    """Both ends, or None and None where too little was measured (one problem, no case) for any."""

    low: float | None
    high: float | None


def bootstrap_mean(
    values: ArrayLike,
    resamples: int,
    seed: int,
    *,
    counts: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Interval:
    """The central 95 % of the means of `resamples` resamples of `values`, one value a problem.

    `counts` says how many problems each value stands for. `groups` has the number of each problem's group:
    groups are then drawn, with all of their problems.
    """
    sums, sizes, times = _units(values, counts, groups)
    units = int(times.sum())
    if units < 2:
        return Interval(None, None)
    # Drawing problems with replacement is drawing how often each distinct value comes up, and a
    # metric has few distinct values (n + 1 of them for pass@k at n samples a problem).
    shares = times / units
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, BLOCK // len(sums))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = generator.multinomial(units, shares, size=stop - start)
        means[start:stop] = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _units(
    values: ArrayLike, counts: ArrayLike | None, groups: ArrayLike | None
) -> tuple[Reals, Reals, Whole]:
    """The distinct units that are drawn: the sum of their values, how many problems they are, how often."""
    numbers = np.asarray(values, dtype=np.float64)
    if groups is not None:
        group = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        pairs = np.stack([np.bincount(group, weights=numbers), np.bincount(group)])
        units, often = np.unique(pairs, axis=1, return_counts=True)
        return units[0], units[1], often.astype(np.int64)
    distinct, back = np.unique(numbers, return_inverse=True)
    times: Whole = np.bincount(back.reshape(-1), weights=counts, minlength=len(distinct)).astype(np.int64)
    if len(distinct) > MOST_DISTINCT:
        # Neighbours are put together under their mean: within a cell of the range's 4,096th part that takes
        # less than 1e-7 of the range squared from the variance.
        spread = distinct[-1] - distinct[0]
        cell = ((distinct - distinct[0]) * (MOST_DISTINCT / spread)).astype(np.int64)
        in_cell = np.bincount(cell, weights=times)
        sums = np.bincount(cell, weights=times * distinct)[in_cell > 0]
        times = in_cell[in_cell > 0].astype(np.int64)
        distinct = sums / times
    return distinct, np.ones(len(distinct)), times


def of_equal(value: float, units: int, least: float, most: float) -> Interval:
    """The interval of a mean where all of `units` problems or groups have the same `value`.

    Resamples of equal values are equal and say nothing of what was not seen. None of the units differed, so
    with 95 % confidence fewer than 1 - 0.025^(1/units) of all do (Clopper and Pearson,
    doi 10.1093/biomet/26.4.404, as for 0 of n), each by no more than `least` and `most` leave.
    """
    if units < 2:
        return Interval(None, None)
    unseen = 1 - ((1 - LEVEL) / 2) ** (1 / units)
    return Interval(value - unseen * (value - least), value + unseen * (most - value))


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's score interval of the share `successes / trials` of independent trials."""
    if not trials:
        return Interval(None, None)
    z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # The ends are exact where nothing, or everything, succeeded; sums of floats would miss them.
    low = centre - half if successes else 0.0
    return Interval(low, centre + half if successes < trials else 1.0)
