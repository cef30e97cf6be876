"""Intervals: percentile bootstrap for the mean of a metric over problems, Wilson's for a share of cases.

Guarantees: problems are resampled, not samples, since samples of one problem are not independent.
The same values, in any order, and the same seed give the same interval with the same numpy; memory
stays below about 100 MB for any number of problems. Left out: intervals for anything but means and
shares, and any correction of the bootstrap for small numbers of problems, where it is too narrow.
"""

from __future__ import annotations

import math
import statistics
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LEVEL: Final = 0.95
BLOCK: Final = 4_000_000
"""Counts drawn at once: 32 MB of 64-bit integers."""


class Interval(NamedTuple):
    """Both ends, or None and None where too little was measured (one problem, no case) for any."""

    low: float | None
    high: float | None


def bootstrap_mean(values: ArrayLike, resamples: int, seed: int) -> Interval:
    """The central 95 % of the means of `resamples` resamples of `values`, one value a problem."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return Interval(None, None)
    # Drawing problems with replacement is drawing how often each distinct value comes up, and a
    # metric has few distinct values (n + 1 of them for pass@k at n samples a problem).
    distinct, counts = np.unique(numbers, return_counts=True)
    shares = counts / len(numbers)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, BLOCK // len(distinct))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = generator.multinomial(len(numbers), shares, size=stop - start)
        means[start:stop] = drawn @ distinct / len(numbers)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


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
