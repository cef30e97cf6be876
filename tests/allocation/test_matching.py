"""What an amount buys, against slow ways of counting the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.allocation import matching

COSTS = st.lists(st.floats(0.001, 10.0), max_size=30)


@pytest.mark.parametrize(
    ("samples", "cost", "other", "expected", "why"),
    [
        (10, 27e9, 9e9, 30, "27 B against 9 B parameters, ten samples (arXiv 2408.16737)"),
        (1, 27e9, 9e9, 3, "the low budget"),
        (1, 10.5, 0.3, 35, "10.5 against 0.3 USD: 35 although 10.5 / 0.3 is 34.999.. or 35.000.."),
        (1, 0.3, 10.5, 0, "the dear one for the price of the cheap one: not one whole sample"),
        (10, 27e9 * 200, 9e9 * 300, 20, "longer completions of the weak one count"),
        (3, 1.0, 1.0, 3, "equal costs"),
    ],
)
def test_matched_samples(samples: int, cost: float, other: float, expected: int, why: str) -> None:
    assert matching.matched(samples, cost, other) == expected, why


@pytest.mark.parametrize(("cost", "other"), [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_a_cost_that_is_none_is_refused(cost: float, other: float) -> None:
    with pytest.raises(ValueError, match="above 0 and finite"):
        matching.matched(1, cost, other)


@given(st.lists(st.integers(0, 12), max_size=12), st.integers(0, 120))
def test_levels_are_the_highest_that_the_draws_fill(drawn: list[int], draws: int) -> None:
    level = matching.levels(np.array(drawn, dtype=np.int64), draws)
    if not drawn:
        assert level == 0
        return
    needed = sum(max(0, level - one) for one in drawn)
    above = sum(max(0, level + 1 - one) for one in drawn)
    assert needed <= draws < above


@given(COSTS, st.lists(st.floats(0.0, 10.0), max_size=30), st.floats(0.0, 60.0))
def test_what_is_paid_fits_and_the_next_does_not(cost: list[float], more: list[float], amount: float) -> None:
    number = min(len(cost), len(more))
    costs = np.array(cost[:number])
    bounds = costs + np.array(more[:number])
    paid = matching.paid(costs, bounds, amount)
    for place in range(paid):
        assert costs[:place].sum() + bounds[place] <= amount * (1 + 1e-9)
    if paid < number:
        assert costs[:paid].sum() + bounds[paid] > amount * (1 - 1e-9)
    assert costs[:paid].sum() <= amount * (1 + 1e-9), "never overspent"


def test_by_the_clock_the_last_draw_may_overshoot() -> None:
    costs = np.array([2.0, 2.0, 2.0])
    assert matching.paid(costs, np.zeros(3), 3.0, by_clock=True) == 2
    assert matching.paid(costs, costs, 3.0) == 1, "not so where a bound is known"
    assert matching.paid(np.zeros(0), np.zeros(0), 3.0) == 0, "nothing to pay"
