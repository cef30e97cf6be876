"""The order of draws and their stops, by simulation: any rates, concurrency and order of ends."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.allocation import rules
from factory.allocation.adaptive import Adaptive
from factory.sampling.course import Best, Course, Draw, Levels, Probing

Truth = Callable[[Draw], bool]


def zeros(number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(number, dtype=np.int64)


def simulate(
    course: Course, truth: Truth, concurrency: int, seed: int, *, most: int = 10_000
) -> tuple[list[Draw], Counter[int], int]:
    """Draw until nothing is owed: the draws in order, correct ones by place, and the peak under way."""
    chance, flying = random.Random(seed), list[Draw]()
    made, correct, peak = list[Draw](), Counter[int](), 0
    while len(made) < most:
        while len(flying) < concurrency and len(made) < most and (draw := course.offer()) is not None:
            assert course.offer() == draw, "an offer stands until it is taken"
            course.take()
            made.append(draw)
            flying.append(draw)
        peak = max(peak, len(flying))
        if not flying:
            return made, correct, peak
        ended = flying.pop(chance.randrange(len(flying)))
        correct[ended.place] += truth(ended)
        course.judged(ended, truth(ended))
    return made, correct, peak


def coin(rates: list[float]) -> Truth:
    return lambda draw: random.Random(f"{draw.place} {draw.number}").random() < rates[draw.place]


def stop(rates: list[float], place: int, target: int, most: int) -> int:
    """The smallest number of first draws that hold `target` correct ones, counted one by one."""
    truth, correct = coin(rates), 0
    for number in range(most):
        correct += truth(Draw(place, number))
        if correct == target:
            return number + 1
    return most


RATES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=8)


@given(RATES, st.integers(1, 5), st.integers(1, 12), st.integers(1, 64), st.integers(0, 99))
def test_until_correct_stops_at_n_exactly_under_any_concurrency(
    rates: list[float], target: int, most: int, concurrency: int, seed: int
) -> None:
    number = len(rates)
    course = Levels(zeros(number), most, target=np.full(number, target))
    made, correct, _ = simulate(course, coin(rates), concurrency, seed)
    assert len(set(made)) == len(made), "no draw is made twice"
    drawn = Counter(draw.place for draw in made)
    for place in range(number):
        assert correct[place] <= target, "never one too many"
        assert drawn[place] >= stop(rates, place, target, most)
        assert correct[place] == target or drawn[place] == most, "given up at at_most alone"
        assert sorted(draw.number for draw in made if draw.place == place) == list(range(drawn[place]))


@given(RATES, st.integers(1, 4), st.integers(0, 40), st.integers(1, 16), st.integers(0, 99))
def test_a_rule_that_is_resumed_draws_what_is_lacking(
    rates: list[float], target: int, first: int, concurrency: int, seed: int
) -> None:
    """A run that dies after any number of draws goes on from what was stored of them."""
    number, most = len(rates), 10
    begun, _, _ = simulate(
        Levels(zeros(number), most, target=np.full(number, target)),
        coin(rates),
        concurrency,
        seed,
        most=first,
    )
    started, correct = zeros(number), zeros(number)
    for draw in sorted(begun):
        if draw.number == started[draw.place]:  # without a gap: what was under way when it died is lost
            started[draw.place] += 1
            correct[draw.place] += coin(rates)(draw)
    again = Levels(started, most, correct=correct, target=np.full(number, target))
    made, more, _ = simulate(again, coin(rates), concurrency, seed + 1)
    for place in range(number):
        in_all = int(correct[place]) + more[place]
        assert in_all <= target
        assert in_all == target or started[place] + sum(one.place == place for one in made) == most


def test_an_unjudged_draw_counts_as_correct() -> None:
    course = Levels(zeros(1), 10, target=np.array([2]), unknown=np.array([1]))
    assert course.offer() == Draw(0, 0)
    course.take()
    assert course.offer() is None, "one is not judged and one under way: both may be correct"
    course.judged(Draw(0, 0), False)
    assert course.offer() == Draw(0, 1)


def test_levels_come_in_turn_and_paid_ones_problem_by_problem() -> None:
    course = Levels(zeros(3), None, paid=0)
    order = []
    for _ in range(4):
        order.append(course.offer())
        course.take()
    assert order == [Draw(0, 0), Draw(1, 0), Draw(2, 0), Draw(0, 1)], "level by level, by rank"
    course.pay(8.0, 8.0)  # levels 1 of the two others, and two whole levels more
    order = []
    for _ in range(9):
        order.append(course.offer())
        course.take()
    places = [draw.place for draw in order if draw is not None]
    assert places == [0, 0, 1, 1, 1, 2, 2, 2, 0], "together as far as they are paid for, then level by level"


def test_what_no_longer_fits_is_drawn_level_by_level_again() -> None:
    course = Levels(zeros(4), None, paid=0)
    course.pay(40.0, 36.0)
    for _ in range(9):
        assert course.offer() is not None
        course.take()
    assert course.offer() == Draw(1, 0), "nine draws of the first problem came together"
    course.pay(12.0, 6.0)  # draws cost far more than they seemed to: the others get two each
    order = []
    for _ in range(9):
        order.append(course.offer())
        course.take()
    assert [draw.place for draw in order if draw] == [1, 1, 2, 2, 3, 3, 1, 2, 3]


def test_draws_under_way_may_need_another_that_is_to_be_paid_for() -> None:
    course = Levels(zeros(8), None, target=np.ones(8, dtype=np.int64), paid=0)
    draws = [Draw(place, 0) for place in range(8)]
    for draw in draws:
        assert course.offer() == draw
        course.take()
    course.judged(draws[0], False)
    course.pay(16.0, 16.0)
    assert course.paid == 3, "two more for each of eight problems, not sixteen for the one that waits"


def test_no_draw_is_made_above_one_that_may_be_needed() -> None:
    course = Levels(zeros(2), None, target=np.ones(2, dtype=np.int64), paid=0)
    for place in range(2):
        assert course.offer() == Draw(place, 0)
        course.take()
    course.judged(Draw(1, 0), False)
    assert course.offer() is None, "the first problem may need its second draw before the other one does"
    course.judged(Draw(0, 0), False)
    assert course.offer() == Draw(0, 1)


@given(RATES, st.integers(1, 3), st.integers(1, 16), st.integers(0, 99), st.integers(1, 40))
def test_where_the_money_ends_no_draw_below_is_lacking(
    rates: list[float], target: int, concurrency: int, seed: int, most: int
) -> None:
    course = Levels(zeros(len(rates)), 30, target=np.full(len(rates), target), paid=0)
    made, _, _ = simulate(course, coin(rates), concurrency, seed, most=most)
    number = Counter(draw.place for draw in made)
    highest = max(number.values())
    for place in range(len(rates)):
        needed = stop(rates, place, target, 30)
        assert number[place] >= min(needed, highest - 1), "lower than a level that others are above"


def test_a_problem_whose_draw_failed_is_left_alone() -> None:
    course = Levels(zeros(2), 4)
    first = course.offer()
    assert first == Draw(0, 0)
    course.take()
    course.failed(Draw(0, 0))
    rest = []
    while (draw := course.offer()) is not None:
        rest.append(draw)
        course.take()
    assert rest == [Draw(1, number) for number in range(4)]


@given(RATES, st.integers(1, 6), st.integers(1, 20), st.integers(1, 64), st.integers(0, 99))
def test_proportional_draws_each_target_exactly(
    rates: list[float], hardest: int, more: int, concurrency: int, seed: int
) -> None:
    number, probe = len(rates), 4
    course = Probing(
        zeros(number), probe + more, probe=probe, hardest=hardest, correct=zeros(number),
        judged=zeros(number), all_correct=zeros(number), unknown=zeros(number),
    )  # fmt: skip
    made, correct, _ = simulate(course, coin(rates), concurrency, seed)
    truth = coin(rates)
    probed = [sum(truth(Draw(place, one)) for one in range(probe)) for place in range(number)]
    targets = rules.proportional(np.array(probed), np.full(number, probe), hardest)
    drawn = Counter(draw.place for draw in made)
    for place in range(number):
        assert drawn[place] >= probe
        assert correct[place] <= max(probed[place], targets[place]), "never one too many"
        assert correct[place] >= targets[place] or drawn[place] == probe + more


def test_a_probing_that_lost_a_draw_sets_no_target() -> None:
    course = Probing(
        zeros(2), 8, probe=1, hardest=2, correct=zeros(2), judged=zeros(2), all_correct=zeros(2),
        unknown=zeros(2),
    )  # fmt: skip
    for _ in range(2):
        assert course.offer() is not None
        course.take()
    course.failed(Draw(0, 0))
    course.judged(Draw(1, 0), False)
    assert course.offer() is None


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_adaptive_draws_solve_a_problem_once_and_end(concurrency: int) -> None:
    rates = [0.0, 0.3, 0.9, 1.0, 0.5, 0.0]
    number = len(rates)
    adaptive = Adaptive(
        zeros(number), np.ones(number), 12, tries=zeros(number), solved=np.zeros(number, dtype=np.bool_)
    )
    made, correct, peak = simulate(Best(adaptive, zeros(number)), coin(rates), concurrency, 1)
    drawn = Counter(draw.place for draw in made)
    assert peak <= number, "one draw of a problem at a time"
    for place, rate in enumerate(rates):
        assert correct[place] <= 1
        assert drawn[place] == stop(rates, place, 1, 12) if rate else drawn[place] == 12


def test_a_failed_adaptive_draw_ends_its_problem() -> None:
    adaptive = Adaptive(zeros(1), np.ones(1), 5, tries=zeros(1), solved=np.zeros(1, dtype=np.bool_))
    course = Best(adaptive, zeros(1))
    assert course.offer() == Draw(0, 0)
    course.take()
    course.failed(Draw(0, 0))
    assert course.offer() is None
