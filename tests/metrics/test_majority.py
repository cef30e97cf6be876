"""maj@k against all subsets, known values and its laws; what ties and draws without an answer do."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.metrics import majority
from factory.metrics.majority import majority_at_k, majority_at_k_array


def share_of(votes: Counter[int | None]) -> float:
    """What the right answer, -1, has of the win; None is a draw without an answer."""
    voted = {one: number for one, number in votes.items() if one is not None}
    most = max(voted.values(), default=0)
    winners = [one for one, number in voted.items() if number == most]
    return 1 / len(winners) if -1 in winners else 0.0


def by_all_subsets(n: int, right: int, others: list[int], k: int) -> float:
    given_: list[int | None] = [-1] * right
    given_ += [place for place, size in enumerate(others) for _ in range(size)]
    given_ += [None] * (n - len(given_))
    shares = [share_of(Counter(drawn)) for drawn in combinations(given_, k)]
    return sum(shares) / len(shares)


@pytest.mark.parametrize(
    ("n", "right", "others", "k", "expected"),
    [
        (4, 2, [2], 4, 0.5),  # a tie shares evenly
        (3, 1, [1, 1], 3, 1 / 3),
        (5, 1, [], 5, 1.0),  # four without an answer do not vote
        (4, 0, [], 4, 0.0),  # none votes: not solved, and no answer that cannot be read ever wins
        (2, 0, [], 1, 0.0),
        (6, 2, [3], 6, 0.0),
        (6, 3, [2], 6, 1.0),
        (10, 4, [3, 3], 1, 0.4),  # one draw: pass@1
    ],
)
def test_ties_and_draws_without_an_answer(
    n: int, right: int, others: list[int], k: int, expected: float
) -> None:
    assert majority_at_k(n, right, others, k) == pytest.approx(expected, abs=1e-12)


_CASE = st.tuples(st.integers(0, 6), st.lists(st.integers(1, 4), max_size=4), st.integers(0, 3)).filter(
    lambda one: 1 <= one[0] + sum(one[1]) + one[2] <= 10
)


@settings(max_examples=60, deadline=None)
@given(_CASE)
def test_it_is_the_average_over_all_subsets(case: tuple[int, list[int], int]) -> None:
    right, others, silent = case
    n = right + sum(others) + silent
    for k in range(1, n + 1):
        expected = by_all_subsets(n, right, others, k)
        assert majority_at_k(n, right, others, k) == pytest.approx(expected, abs=1e-10), k


@given(st.lists(st.tuples(_CASE, st.integers(0, 5)), min_size=1, max_size=8))
def test_problems_with_unequally_many_draws_are_each_their_own(
    cases: list[tuple[tuple[int, list[int], int], int]],
) -> None:
    counted = [
        (right, others, right + sum(others) + silent + more) for (right, others, silent), more in cases
    ]
    k = min(n for _, _, n in counted)
    owner = [place for place, (_, others, _) in enumerate(counted) for _ in others]
    sizes = [size for _, others, _ in counted for size in others]
    values, variances = majority_at_k_array(
        [n for _, _, n in counted], [right for right, _, _ in counted], owner, sizes, k
    )
    alone = [majority_at_k(n, right, others, k) for right, others, n in counted]
    assert values == pytest.approx(alone, abs=1e-12)
    assert not variances.any(), "exact"


@pytest.mark.parametrize("k", [2, 3, 9, 31, 62, 63, 64])
def test_another_vote_for_the_right_answer_never_hurts(k: int) -> None:
    others = [12, 7, 3, 1, 1]
    values = [majority_at_k(64, right, others, k) for right in range(40)]
    assert values[0] == 0.0
    assert np.all(np.diff(values) >= -1e-10)


@pytest.mark.parametrize(("n", "k"), [(300, 299), (300, 300), (5000, 4999), (141, 2), (141, 139)])
def test_exact_wherever_there_are_few_subsets(n: int, k: int) -> None:
    value, variance = majority_at_k_array([n], [n // 3], [0, 0], [n // 3, n // 4], k)
    assert variance[0] == 0.0
    if k >= n - 1:  # by hand: the one that is left out decides the tie
        tied = 0.5 if k == n else (n // 3 * 0.0 + n // 3 * 1.0 + (n - n // 3 * 2) * 0.5) / n
        assert value[0] == pytest.approx(tied, abs=1e-12)


def test_seeded_draws_agree_with_the_exact_value_within_their_error(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(3)
    right = source.integers(0, 30, 200)
    owner = np.repeat(np.arange(200), 4)
    sizes = source.integers(1, 9, 800)
    exact, nothing = majority_at_k_array([64] * 200, right, owner, sizes, 16)
    monkeypatch.setattr(majority, "TERMS", 0)
    drawn, variances = majority_at_k_array([64] * 200, right, owner, sizes, 16, seed=1)
    again, _ = majority_at_k_array([64] * 200, right, owner, sizes, 16, seed=1)
    assert not nothing.any()
    assert (drawn == again).all(), "the seed decides"
    error = np.sqrt(variances.sum()) / 200
    assert 0 < error < 0.002
    assert abs(drawn.mean() - exact.mean()) < 5 * error
    unsure = variances > 1e-6
    assert 0.7 < np.std((drawn - exact)[unsure] / np.sqrt(variances[unsure])) < 1.3


@pytest.mark.parametrize(
    ("n", "right", "others", "k"),
    [(4, 1, [1], 5), (4, 1, [1], 0), (4, 3, [2], 2), (4, -1, [], 2), (4, 1, [0], 2), (4, 1, [-1], 2)],
)
def test_refused(n: int, right: int, others: list[int], k: int) -> None:
    with pytest.raises(ValueError, match=rf"got n={n}, right={right}, others=\{others}, k={k}$"):
        majority_at_k(n, right, others, k)


def test_no_problems() -> None:
    values, variances = majority_at_k_array([], [], [], [], 4)
    assert values.shape == variances.shape == (0,)
