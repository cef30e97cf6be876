"""How many samples an amount buys: of another generator, of every problem, and of a row of draws.

Guarantees: arithmetic alone; what is said to be paid for is. Left out: what a draw costs (`sampling/`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

_WHOLE = 1e-9
"""Rounding of floating point that still counts as a whole sample."""


def matched(samples: int, cost: float, other: float) -> int:
    """Whole samples of a generator whose draws cost `other` for the price of `samples` that cost `cost`.

    S_WC = S_SE x (P_SE x W_SE) / (P_WC x W_WC) of compute-matched sampling (arXiv 2408.16737, section 3):
    the cost of a draw is 2 x parameters x tokens in FLOPs, or its price. 10 samples of 27 B parameters buy
    30 of 9 B; one at 10.5 USD buys 35 at 0.3. Raises ValueError for costs that are not above 0.
    """
    if not (cost > 0 and other > 0 and math.isfinite(cost) and math.isfinite(other)):
        raise ValueError(f"costs of a draw must be above 0 and finite, got {cost} and {other}")
    exact = samples * cost / other
    return math.floor(exact * (1 + _WHOLE))


def levels(drawn: Counts, draws: float) -> int:
    """The highest level that so many more draws raise every problem to: n problems are at `drawn`.

    The greatest L with sum(max(0, L - drawn)) <= draws; 0 where there is no problem.
    """
    if not len(drawn):
        return 0
    heights = np.sort(drawn)
    # Raising the lowest j + 1 problems to the height of the next costs area[j]; the rest is spread evenly.
    number = np.arange(1, len(heights) + 1)
    area = number * heights - np.cumsum(heights)  # what it takes to lift all before to heights[j]
    reached = int(np.searchsorted(area, draws, side="right")) - 1
    if reached < 0:
        return int(heights[0])
    return int(heights[reached] + (draws - area[reached]) // number[reached])


def paid(cost: Reals, bound: Reals, amount: float, *, by_clock: bool = False) -> int:
    """How many leading draws an amount pays for: each needs cost of those before + its own bound <= amount.

    The bound is what a draw may cost before it is made. `by_clock`: a draw starts while the time before it is
    below the amount, whatever it takes.
    """
    before = np.concatenate([[0.0], np.cumsum(cost)[:-1]]) if len(cost) else np.zeros(0)
    fits = before < amount if by_clock else before + bound <= amount
    return len(fits) if bool(fits.all()) else int(np.argmin(fits))
