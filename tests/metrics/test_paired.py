"""Bootstrap of several figures over the same problems: paired, by groups, and of any number of problems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from factory.metrics import paired

SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def alone(number: int) -> np.ndarray:
    """Each problem a group of its own."""
    return np.arange(number)


def width(found: dict[str, float]) -> float:
    return found["high"] - found["low"]


@given(SHARES)
def test_a_figure_and_what_is_always_one_more_than_it_differ_by_one_in_every_resample(
    values: list[float],
) -> None:
    drawn = paired.resamples(alone(len(values)), 200, 0)
    one, other = drawn.sums(values), drawn.sums(np.asarray(values) + 1)
    assert (other - one) / len(values) == pytest.approx(np.ones(200))
    found = paired.mean(np.ones(len(values)), drawn)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((1, 1, 1))


@given(SHARES, st.integers(0, 5))
def test_the_value_is_the_mean_and_lies_between_the_ends(values: list[float], seed: int) -> None:
    found = paired.mean(values, paired.resamples(alone(len(values)), 400, seed), (0.0, 1.0))
    assert found["value"] == pytest.approx(np.mean(values), abs=1e-9)
    assert -1e-9 <= found["low"] <= found["high"] <= 1 + 1e-9


def test_equal_values_and_seed_give_equal_ends_and_another_seed_others() -> None:
    values = np.random.default_rng(0).random(50)
    first, again, other = (paired.mean(values, paired.resamples(alone(50), 300, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_problems_of_one_template_count_as_one_draw() -> None:
    generator = np.random.default_rng(3)
    values = np.repeat(generator.random(20), 10)  # all ten problems of a template have the same value
    grouped = paired.mean(values, paired.resamples(np.repeat(np.arange(20), 10), 2000, 0))
    single = paired.mean(values, paired.resamples(alone(200), 2000, 0))
    assert grouped["value"] == single["value"]
    assert width(grouped) / width(single) == pytest.approx(np.sqrt(10), rel=0.1)


def test_groups_may_have_any_numbers() -> None:
    values = [0.0, 1.0, 1.0, 0.5]
    groups = [7, 7, -3, 100]
    first = paired.mean(values, paired.resamples(groups, 100, 0))
    assert first == paired.mean(values, paired.resamples([1, 1, 0, 2], 100, 0))


def test_the_ends_of_many_problems_are_those_of_the_normal_law() -> None:
    number = 4 * paired.MOST_UNITS
    values = np.random.default_rng(0).random(number)
    drawn = paired.resamples(alone(number), 2000, 0)
    assert drawn.units == paired.MOST_UNITS
    found = paired.mean(values, drawn)
    assert width(found) == pytest.approx(2 * 1.96 * values.std() / np.sqrt(number), rel=0.06)


@pytest.mark.parametrize(("value", "bounds"), [(0.0, (0.0, 1.0)), (1.0, (0.0, 1.0)), (0.0, (-1.0, 1.0))])
def test_values_that_are_all_equal_say_no_more_than_their_number_allows(
    value: float, bounds: tuple[float, float]
) -> None:
    found = paired.mean(np.full(40, value), paired.resamples(alone(40), 100, 0), bounds)
    unseen = stats.beta.ppf(0.975, 1, 40)  # Clopper and Pearson for none of 40
    assert found["value"] == value
    assert found["low"] == pytest.approx(value - unseen * (value - bounds[0]))
    assert found["high"] == pytest.approx(value + unseen * (bounds[1] - value))


def test_one_problem_has_a_value_and_no_ends_and_none_has_neither() -> None:
    drawn = paired.resamples(alone(3), 100, 0)
    assert paired.ratio([1, 0, 0], [1, 0, 0], drawn) == {"value": 1.0, "low": None, "high": None}
    assert paired.ratio([0, 0, 0], [0, 0, 0], drawn) == {"value": None, "low": None, "high": None}


def test_a_ratio_is_of_sums_and_no_mean_of_ratios() -> None:
    found = paired.ratio([1, 9], [1, 3], paired.resamples(alone(2), 100, 0))
    assert found["value"] == 2.5
    assert (found["low"], found["high"]) == (1.0, 3.0)


def test_intervals_of_paired_differences_hold_the_truth_about_as_often_as_they_say() -> None:
    generator, held, times = np.random.default_rng(5), 0, 300
    for _ in range(times):
        ease = generator.random(150)
        one, other = (generator.binomial(4, ease * scale, 150) / 4 for scale in (0.9, 0.7))
        found = paired.mean(one - other, paired.resamples(alone(150), 300, 0), (-1.0, 1.0))
        held += found["low"] <= 0.5 * (0.9 - 0.7) <= found["high"]
    assert stats.binomtest(held, times, 0.95).pvalue > 0.001, held
