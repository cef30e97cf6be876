"""The beta distribution: its cumulative probability, its quantiles, and intervals of shares by them.

Guarantees: numbers to about 9 digits for parameters up to 1e5, by the standard library alone. Left out:
arrays, and parameters that are 0, which the callers mean as a point mass.
"""

from __future__ import annotations

import math
from typing import Final

from factory.metrics.intervals import LEVEL, Interval

_STEPS: Final = 100_000
_TINY: Final = 1e-300
_CLOSE: Final = 1e-15


def probability(x: float, a: float, b: float) -> float:
    """P(X <= x) of X ~ Beta(a, b): the regularised incomplete beta function (DLMF 8.17.1).

    By its continued fraction (DLMF 8.17.22) on the side of the mean where that converges in about the square
    root of max(a, b) steps. Raises ValueError unless a and b are positive.
    """
    if not (a > 0 and b > 0):
        raise ValueError(f"Beta(a, b) needs a > 0 and b > 0, got a={a}, b={b}")
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - probability(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction, by the method of Lentz."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        before = value
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            value *= c * d
        if abs(value - before) <= _CLOSE * abs(value):
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def quantile(share: float, a: float, b: float) -> float:
    """The x with P(X <= x) = share, for 0 < share < 1, by bisection."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high) or high - low < 1e-13 * high:
            return middle
        if probability(middle, a, b) < share:
            low = middle
        else:
            high = middle


def clopper_pearson(successes: float, trials: float) -> Interval:
    """The exact 95 % interval of a share (Clopper and Pearson 1934); fractions of trials are allowed.

    With no success in n trials its upper end is 1 - 0.025^(1/n): 7.1 % for 50.
    """
    if trials <= 0:
        return Interval(None, None)
    tail = (1 - LEVEL) / 2
    return Interval(
        quantile(tail, successes, trials - successes + 1) if successes > 0 else 0.0,
        quantile(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0,
    )
