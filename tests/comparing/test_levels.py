"""At how many draws sides are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.comparing import levels

COSTS = st.floats(1e-6, 1e12)


@pytest.mark.parametrize(
    ("per_draw", "expected"),
    [
        ({"27b": 27.0, "9b": 9.0}, 3.0),  # arXiv 2408.16737: 10 draws of the larger are 30 of the smaller
        ({"27b": 10.5, "9b": 0.3}, 35.0),  # by price per million tokens, August 2024
        ({"27b": 27.0 * 400, "9b": 9.0 * 600}, 2.0),  # longer solutions of the smaller cost it draws
    ],
)
def test_the_sampling_ratio_is_that_of_the_costs_of_a_draw(
    per_draw: dict[str, float], expected: float
) -> None:
    assert levels.ratio(per_draw, "9b", "27b") == pytest.approx(expected)


def test_ten_draws_of_the_larger_are_thirty_of_the_smaller() -> None:
    found = levels.equal_cost(
        {"27b": 27.0, "9b": 9.0}, {"27b": 10, "9b": 30}, {"27b": 10, "9b": 30}, (1, 10, 20), "27b"
    )
    assert [(one.k["27b"], one.k["9b"], one.cost, one.all_in) for one in found] == [
        (1.0, 3.0, 27.0, False),
        (10.0, 30.0, 270.0, True),
    ], "20 is more than anybody drew, and the last level is the one of all draws"


@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(COSTS, st.integers(1, 500)), min_size=2),
    st.lists(st.integers(1, 64), max_size=5),
)
def test_every_side_spends_the_same_and_none_more_than_it_has_at_the_last_level(
    sides: dict[str, tuple[float, int]], ks: list[int]
) -> None:
    per_draw = {name: cost for name, (cost, _) in sides.items()}
    least = {name: number for name, (_, number) in sides.items()}
    most = {name: number + 3 for name, number in least.items()}
    reference = max(per_draw, key=lambda name: per_draw[name])
    found = levels.equal_cost(per_draw, least, most, ks, reference)
    for one in found:
        assert one.cost is not None
        for name, k in one.k.items():
            assert k <= most[name]
            assert k * per_draw[name] == pytest.approx(one.cost, rel=1e-9)
        assert one.k[one.anchor] == int(one.k[one.anchor])
    last = found[-1]
    assert last.all_in
    assert sum(one.all_in for one in found) == 1
    assert all(k <= least[name] * (1 + 1e-9) for name, k in last.k.items())


def test_where_a_problem_has_no_judged_draw_no_level_is_reached_by_all() -> None:
    found = levels.equal_cost({"a": 1.0, "b": 2.0}, {"a": 0, "b": 4}, {"a": 8, "b": 4}, (1, 8), "b")
    assert [(one.k, one.all_in) for one in found] == [({"a": 2.0, "b": 1.0}, False)]
    assert levels.equal_number({"a": 0, "b": 4}, (1, 2), "b") == []


def test_equal_numbers_end_where_the_side_with_the_fewest_does() -> None:
    found = levels.equal_number({"a": 13, "b": 3}, (1, 2, 4), "b")
    assert [(one.k, one.all_in) for one in found] == [
        ({"a": 1.0, "b": 1.0}, False),
        ({"a": 2.0, "b": 2.0}, False),
        ({"a": 3.0, "b": 3.0}, True),
    ]


@given(st.integers(0, 100_000))
def test_a_curve_has_its_first_and_last_point_and_not_too_many(most: int) -> None:
    found = levels.thinned(most)
    assert found == sorted(set(found))
    assert len(found) <= levels.MOST_POINTS
    if most:
        assert (found[0], found[-1]) == (1, most)
