"""How many correct samples a problem is to get, against the formula and by laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.allocation import rules


def targets(correct: list[int], judged: list[int], hardest: int) -> list[int]:
    return [int(one) for one in rules.proportional(np.array(correct), np.array(judged), hardest)]


@pytest.mark.parametrize(
    ("correct", "judged", "hardest", "expected", "why"),
    [
        (
            [8, 4, 0],
            [8, 8, 8],
            8,
            [1, 4, 8],
            "the hardest gets all, a half of its rate a half, the easiest 1",
        ),
        ([8, 8], [8, 8], 192, [1, 1], "nothing failed: one of each, and no division by zero"),
        ([6, 4], [8, 8], 10, [5, 10], "rates count beside the highest there is, not beside 1"),
        ([0, 4], [0, 8], 8, [8, 4], "no draw was told right from not right: as hard as can be"),
        ([7, 0], [8, 8], 2, [1, 2], "a target that rounds to 0 is 1"),
        ([0], [8], 1, [1], "one problem"),
        ([], [], 4, [], "no problem"),
    ],
)
def test_targets_are_proportional_to_the_fail_rate(
    correct: list[int], judged: list[int], hardest: int, expected: list[int], why: str
) -> None:
    assert targets(correct, judged, hardest) == expected, why


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1).map(
        lambda pairs: [(min(pair), max(pair)) for pair in pairs]
    ),
    st.integers(1, 200),
)
def test_a_harder_problem_never_gets_less(pairs: list[tuple[int, int]], hardest: int) -> None:
    correct, judged = [one for one, _ in pairs], [number for _, number in pairs]
    found = targets(correct, judged, hardest)
    rates = [1 - one / number if number else 1.0 for one, number in pairs]
    assert all(1 <= target <= hardest for target in found)
    for rate, target in zip(rates, found, strict=True):
        for other, least in zip(rates, found, strict=True):
            assert rate < other or target >= least
    if max(rates) > 0:
        assert max(found) == hardest
