"""Adaptive allocation: where draws go, what they learn from, and how much they save."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.allocation.adaptive import Adaptive
from factory.allocation.spread import FAR, Spread, posterior


def made(
    groups: list[int],
    *,
    cost: list[float] | None = None,
    most: int = 8,
    tries: list[int] | None = None,
    solved: list[bool] | None = None,
) -> Adaptive:
    number = len(groups)
    return Adaptive(
        np.array(groups, dtype=np.int64),
        np.array(cost or [1.0] * number),
        most,
        tries=np.array(tries or [0] * number, dtype=np.int64),
        solved=np.array(solved or [False] * number, dtype=np.bool_),
    )


def spend(adaptive: Adaptive, answers: list[list[bool]], most: int = 10_000) -> list[int]:
    """The places drawn, one draw at a time, until nothing is left."""
    drawn: list[int] = []
    used: Counter[int] = Counter()
    while len(drawn) < most and (place := adaptive.next()) is not None:
        adaptive.ended(place, answers[place][used[place]])
        used[place] += 1
        drawn.append(place)
    return drawn


def test_equal_problems_are_drawn_level_by_level_in_their_order() -> None:
    assert spend(made([0, 0, 0], most=2), [[False] * 2] * 3) == [0, 1, 2, 0, 1, 2]


def test_a_solved_problem_is_never_drawn_again() -> None:
    drawn = spend(made([0, 0, 0], solved=[False, True, False]), [[False, True], [], [True]])
    assert drawn == [0, 2, 0]


def test_each_problem_ends_at_most() -> None:
    drawn = spend(made([0, 1], most=5, tries=[3, 0]), [[False] * 5] * 2)
    assert Counter(drawn) == {0: 2, 1: 5}


def test_of_equal_chances_the_cheaper_comes_first() -> None:
    adaptive = made([0, 0, 0], cost=[3.0, 1.0, 2.0])
    assert [adaptive.next() for _ in range(3)] == [1, 2, 0]


def test_a_cost_that_is_seen_counts_from_then_on() -> None:
    adaptive = made([0, 0, 0], cost=[3.0, 1.0, 2.0])
    adaptive.cost_seen(1, 9.0)
    assert [adaptive.next(), adaptive.next()] == [2, 0]


def test_draws_under_way_do_not_pile_on_one_problem() -> None:
    adaptive = made([0] * 50, most=64)
    assert len({adaptive.next() for _ in range(50)}) == 50


def test_a_draw_that_cannot_be_told_is_a_draw_and_no_evidence() -> None:
    adaptive = made([0], most=3)
    before = adaptive.rates()
    for _ in range(3):
        place = adaptive.next()
        assert place == 0
        adaptive.ended(place, None)
    assert adaptive.next() is None, "three draws were all there may be"
    assert adaptive.rates() == before


def test_what_is_withdrawn_is_left_alone_though_it_is_under_way() -> None:
    adaptive = made([0, 0], most=2)
    assert adaptive.next() == 0
    adaptive.withdraw(0)
    adaptive.ended(0, False)
    assert [adaptive.next(), adaptive.next(), adaptive.next()] == [1, 1, None]


def test_a_draw_that_was_not_made_cannot_end() -> None:
    adaptive = made([0])
    with pytest.raises(ValueError, match="no draw of problem 0 is under way"):
        adaptive.ended(0, True)


def test_the_class_that_is_solved_more_often_comes_first() -> None:
    tries, solved = [0] * 20 + [6] * 20, [True] * 20 + [False] * 20
    adaptive = made(
        [0] * 20 + [1] * 20 + [1, 0], tries=[*tries, 0, 0], solved=[*solved, False, False], most=9
    )
    assert adaptive.next() == 41, "the last entry is of the class whose first draws were all right"
    rates = adaptive.rates()
    assert rates[0] > 0.8 > 0.2 > rates[1]


def test_a_class_without_draws_is_taken_for_one_like_all() -> None:
    tries, solved = [0] * 30 + [8] * 70, [True] * 30 + [False] * 70
    rates = made([0] * 100 + [1], tries=[*tries, 0], solved=[*solved, False], most=9).rates()
    assert rates[1] == pytest.approx(rates[0], abs=0.08)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cost": [1.0]}, "one entry a problem each"),
        ({"cost": [1.0, 0.0]}, "cost of problem 1 is 0.0"),
        ({"cost": [1.0, math.nan]}, "cost of problem 1 is nan"),
        ({"tries": [-1, 1]}, "tries of problem 0 is -1"),
        ({"groups": [0, -2]}, "groups of problem 1 is -2"),
        ({"most": 0}, "most must be 1 or more draws, got 0"),
    ],
)
def test_entries_that_do_not_fit_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        made(**({"groups": [0, 0]} | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("cost", [0.0, -1.0, math.inf])
def test_a_cost_that_is_none_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and finite"):
        made([0]).cost_seen(0, cost)


def known(a: float, b: float, never: float) -> Spread:
    point = [math.log(a / b), math.log(a + b), math.log(never / (1 - never))]
    return Spread(np.array([point]), np.ones(1))


def test_the_chance_of_a_draw_is_that_all_under_way_fail_and_it_does_not() -> None:
    rng = np.random.default_rng(0)
    rate = np.where(rng.random(800_000) < 0.3, 0.0, rng.beta(0.7, 2.0, 800_000))
    failed = rate[rng.random(len(rate)) < (1 - rate) ** 3]  # three failures
    assert known(0.7, 2.0, 0.3).hit(3, 2) == pytest.approx((failed * (1 - failed) ** 2).mean(), rel=0.01)


def test_what_failed_very_often_is_one_as_hopeless_as_the_other() -> None:
    spread = known(0.7, 2.0, 0.3)
    assert 0.0 < spread.hit(FAR + 9_000, 1) == spread.hit(FAR, 1) < spread.hit(FAR - 1, 1)
    assert posterior({}, {10**9: 3})[0] == posterior({}, {FAR: 3})[0]


def first_draws(rate: np.ndarray, draws: int, seed: int) -> tuple[Counter[int], Counter[int]]:
    """Problems by the failures before their first correct draw, and those without one in so many."""
    right = np.random.default_rng(seed).random((len(rate), draws)) < rate[:, None]
    first = np.where(right.any(axis=1), right.argmax(axis=1), draws)
    return Counter(first[first < draws].tolist()), Counter({draws: int((first == draws).sum())})


def test_the_posterior_finds_the_rates_and_the_share_that_is_never_solved() -> None:
    rng = np.random.default_rng(1)
    rate = np.where(rng.random(20_000) < 0.25, 0.0, rng.beta(1.5, 1.5, 20_000))
    point, spread = posterior(*first_draws(rate, 24, 2))
    assert 1 / (1 + math.exp(-point[2])) == pytest.approx(0.25, abs=0.02)
    assert math.exp(point[1]) == pytest.approx(3.0, rel=0.2)
    assert spread.mean() == pytest.approx(0.375, abs=0.01)
    for failures in (0, 4, 16):
        beyond = math.prod((1.5 + at) / (3.0 + at) for at in range(failures))
        wanted = 1.5 / (3.0 + failures) * 0.75 * beyond / (0.25 + 0.75 * beyond)
        assert spread.hit(failures, 0) == pytest.approx(wanted, rel=0.1)


def test_first_draws_alone_do_not_give_a_class_up() -> None:
    spread = posterior({0: 620}, {1: 380})[1]
    assert spread.mean() == pytest.approx(0.62, abs=0.02)
    assert 0.1 < spread.hit(1, 0) < 0.5, "as many may be hopeless as failed, or none"


@settings(max_examples=25)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(0, 20))
def test_the_chance_falls_with_failures_and_with_draws_under_way(
    solved: int, unsolved: int, after: int, flying: int
) -> None:
    spread = posterior({after // 2: solved}, {after: unsolved})[1]
    chances = [spread.hit(failures, 0) for failures in range(12)]
    assert all(0 < later <= sooner < 1 for sooner, later in pairwise(chances))
    assert spread.hit(after, flying + 1) <= spread.hit(after, flying)


def until_solved(group: np.ndarray, right: np.ndarray, goal: int) -> int:
    """The draws until so many problems are solved."""
    number, most = right.shape
    none = np.zeros(number, dtype=np.int64)
    adaptive = Adaptive(group, np.ones(number), most, tries=none, solved=none.astype(bool))
    used, solved = none.copy(), 0
    while solved < goal:
        place = adaptive.next()
        assert place is not None, f"{solved} of {goal} solved, and nothing is left"
        answer = bool(right[place, used[place]])
        adaptive.ended(place, answer)
        used[place], solved = used[place] + 1, solved + answer
    return int(used.sum())


def test_a_class_with_hopeless_problems_gives_way_to_one_of_hard_ones() -> None:
    rng = np.random.default_rng(5)
    group = np.arange(3000) % 2
    rate = np.where(group == 0, rng.beta(1.0, 3.0, 3000), rng.beta(4.0, 2.0, 3000))
    rate[(group == 1) & (rng.random(3000) < 0.5)] = 0.0
    right = rng.random((3000, 24)) < rate[:, None]
    assert until_solved(group, right, 1900) < 0.8 * until_solved(group * 0, right, 1900)


@settings(max_examples=40)
@given(st.data())
def test_every_draw_is_made_at_most_once_and_all_that_may_be_made_are(data: st.DataObject) -> None:
    number, most = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
    answers = [[data.draw(st.sampled_from([True, False, None])) for _ in range(most)] for _ in range(number)]
    adaptive = made([place % 3 for place in range(number)], most=most)
    flying: list[tuple[int, bool | None]] = []
    used: Counter[int] = Counter()
    over: set[int] = set()
    while True:
        place = adaptive.next() if len(flying) < 3 else None
        if place is None and not flying:
            break
        if place is not None:
            assert place not in over
            flying.append((place, answers[place][used[place]]))
            used[place] += 1
        else:
            ended, answer = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
            adaptive.ended(ended, answer)
            over |= {ended} if answer else set()
    for place in range(number):
        tried = answers[place][: used[place]]
        assert used[place] == most or True in tried, "it stops at a success or at its last draw"


def test_it_solves_as_many_with_fewer_draws_than_level_by_level() -> None:
    rng = np.random.default_rng(3)
    group = rng.integers(0, 3, 1500)
    rate = rng.beta(np.array([3.0, 0.6, 0.3])[group], np.array([0.6, 1.0, 4.0])[group])
    right = rng.random((1500, 32)) < rate[:, None]
    new = (right & (np.cumsum(right, axis=1) == 1)).T.ravel()
    uniform = int(np.searchsorted(np.cumsum(new), 1050)) + 1
    assert until_solved(group, right, 1050) < 0.5 * uniform
