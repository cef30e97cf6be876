"""Bootstrap intervals: seeded, blind to order, as wide as theory says, small in memory; and Wilson's."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.metrics.intervals import BLOCK, MOST_DISTINCT, Interval, bootstrap_mean, of_equal, wilson


@pytest.mark.parametrize("values", [[], [0.5]])
def test_fewer_than_two_problems_have_no_interval(values: list[float]) -> None:
    assert bootstrap_mean(values, 200, 0) == Interval(None, None)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert bootstrap_mean([0.25] * 8, 200, 0) == Interval(0.25, 0.25)


def test_the_width_is_that_of_the_normal_interval() -> None:
    values = np.random.default_rng(5).random(2_000)
    low, high = bootstrap_mean(values, 4_000, 0)
    assert low is not None
    assert high is not None
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    source = np.random.default_rng(1)
    draws = source.binomial(1, 0.3, size=(300, 100))
    intervals = [bootstrap_mean(row, 300, seed) for seed, row in enumerate(draws)]
    covered = sum(
        one.low <= 0.3 <= one.high for one in intervals if one.low is not None and one.high is not None
    )
    assert 0.90 <= covered / 300 <= 0.98


def test_values_that_stand_for_many_problems_are_those_problems() -> None:
    values, counts = [0.0, 0.25, 1.0], [30, 11, 9]
    each = np.repeat(values, counts)
    assert bootstrap_mean(values, 300, 0, counts=counts) == bootstrap_mean(each, 300, 0)
    alone = bootstrap_mean(each, 300, 0, groups=np.arange(50))
    assert alone == pytest.approx(bootstrap_mean(each, 300, 0), abs=1e-12), "a group of one is its problem"


def test_groups_are_drawn_whole() -> None:
    values, groups = np.tile(np.repeat([0.0, 1.0], 50), 4), np.arange(400) // 50
    low, high = bootstrap_mean(values, 1_000, 0, groups=groups)
    of_eight = bootstrap_mean([0.0, 1.0] * 4, 1_000, 0)
    assert (low, high) == pytest.approx(of_eight, abs=0.13)
    unequal = bootstrap_mean([1.0, 0.0, 0.0, 0.0], 1_000, 0, groups=[0, 1, 1, 1])
    assert unequal == Interval(0.0, 1.0), "a resample has as many groups, not as many problems"
    assert bootstrap_mean(values, 1_000, 0, groups=np.zeros(400)) == Interval(None, None)


def test_neighbours_put_together_change_no_end_that_matters() -> None:
    values = np.random.default_rng(4).random(3 * MOST_DISTINCT)
    low, high = bootstrap_mean(values, 4_000, 0)
    error = values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error
    )


@pytest.mark.parametrize(
    ("value", "units", "least", "most", "expected"),
    [
        (0.0, 100, 0.0, 1.0, (0.0, 0.03622)),  # Clopper and Pearson's interval of 0 of 100
        (1.0, 100, 0.0, 1.0, (0.96378, 1.0)),
        (0.0, 100, 0.0, 8.0, (0.0, 0.28974)),
        (0.25, 100, 0.0, 1.0, (0.24095, 0.27716)),
        (0.25, 1, 0.0, 1.0, (None, None)),
    ],
)
def test_equal_values_leave_room_for_what_was_not_seen(
    value: float, units: int, least: float, most: float, expected: tuple[float | None, float | None]
) -> None:
    assert of_equal(value, units, least, most) == pytest.approx(expected, abs=1e-5)


def test_the_seed_decides() -> None:
    values = np.random.default_rng(2).random(50)
    assert bootstrap_mean(values, 200, 1) == bootstrap_mean(values, 200, 1) != bootstrap_mean(values, 200, 2)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=20).flatmap(
        lambda values: st.tuples(st.just(values), st.permutations(values))
    )
)
def test_order_changes_nothing_and_no_end_leaves_the_values(orders: tuple[list[float], list[float]]) -> None:
    values, other = orders
    low, high = bootstrap_mean(values, 200, 0)
    assert low is not None
    assert high is not None
    assert min(values) <= low <= high <= max(values)
    assert bootstrap_mean(other, 200, 0) == (low, high)


def test_blocks_bound_the_memory() -> None:
    values = np.random.default_rng(3).random(3 * BLOCK // 40)  # all distinct: the worst case
    tracemalloc.start()
    bootstrap_mean(values, 100, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120e6, "100 resamples at once would take 240 MB twice over"


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 0, None, None), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0), (1, 2, 0.0945312, 0.9054688)],
)
def test_wilson(successes: int, trials: int, low: float | None, high: float | None) -> None:
    assert wilson(successes, trials) == Interval(
        low if low is None else pytest.approx(low), high if high is None else pytest.approx(high)
    )


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_mirrors(successes: int, more: int) -> None:
    trials = successes + more
    low, high = wilson(successes, trials)
    assert low is not None
    assert high is not None
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored = wilson(more, trials)
    assert mirrored == Interval(pytest.approx(1 - high), pytest.approx(1 - low))
