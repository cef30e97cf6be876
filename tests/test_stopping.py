"""When a loop ends: each reason in its words, in one order, and never for what was not measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.loop.stopping import Decision, Gain, RoundFigures, best, decide
from factory.recipe import Stop

ON = Stop(on="validation")


def round_(
    number: int,
    accuracy: float | None,
    gain: tuple[float, float, float] | None = None,
    minutes: float = 1.0,
    draws: int = 100,
) -> RoundFigures:
    told = None if gain is None else Gain(*gain, n_problems=200)
    return RoundFigures(number, accuracy, told, minutes, draws)


START = round_(0, 0.2, draws=0)
BETTER = round_(1, 0.3, (0.1, 0.05, 0.15))


@pytest.mark.parametrize(
    ("rounds", "stop", "why", "reason"),
    [
        (
            [START, round_(1, 0.15, (-0.05, -0.08, -0.02))],
            ON,
            "falls",
            "accuracy on validation fell in round 1, from 20.0 % to 15.0 %",
        ),
        (
            [START, round_(1, 0.21, (0.01, -0.02, 0.04))],
            ON,
            "no_gain",
            "round 1 gained +1.0 points on validation over the round before, and the 95% interval of that, "
            "-2.0 points to +4.0 points, holds 0 (200 problems; more would tell a smaller gain)",
        ),
        (
            [START, round_(1, 0.15, (-0.05, -0.08, -0.02))],
            Stop(on="validation", falls=False),
            "no_gain",
            "round 1 gained -5.0 points on validation over the round before, and the 95% interval of that, "
            "-8.0 points to -2.0 points, lies below 0 (200 problems)",
        ),
        (
            [START, round_(1, 0.2, (0.0, 0.0, 0.0))],
            ON,
            "no_gain",
            "round 1 gained +0.0 points on validation over the round before, and the 95% interval of that, "
            "+0.0 points to +0.0 points, holds 0 (200 problems)",
        ),
        ([START, BETTER, round_(2, 0.4, (0.1, 0.01, 0.2))], ON, "rounds", "all 2 rounds are done"),
        (
            [START, round_(1, 0.3, (0.1, 0.05, 0.15), minutes=4.0)],
            Stop(on="validation", minutes=5.0),
            "minutes",
            "5.0 minutes of work are spent, and stop.minutes is 5",
        ),
        (
            [START, round_(1, 0.3, (0.1, 0.05, 0.15), draws=1500)],
            Stop(samples=1500),
            "samples",
            "1,500 samples are drawn for training, and stop.samples is 1,500",
        ),
    ],
)
def test_a_loop_ends_and_says_why(rounds: list[RoundFigures], stop: Stop, why: str, reason: str) -> None:
    found = decide(rounds, stop, 2)
    assert (found.go_on, found.why, found.reason) == (False, why, reason)


@pytest.mark.parametrize(
    ("rounds", "stop"),
    [
        ([START], ON),
        ([START, BETTER], ON),
        ([START, round_(1, 0.15, (-0.05, -0.08, -0.02))], Stop(on="validation", falls=False, no_gain=False)),
        ([START, round_(1, None)], ON),
        ([round_(0, None), round_(1, 0.1)], ON),
        ([START, round_(1, 0.3, (0.1, 0.05, 0.15), minutes=3.9)], Stop(minutes=5.0)),
        ([START, round_(1, 0.3, (0.1, 0.05, 0.15), draws=1499)], Stop(samples=1500)),
    ],
    ids=["start", "gain", "rules off", "not measured", "nothing to compare", "minutes left", "samples left"],
)
def test_a_loop_goes_on(rounds: list[RoundFigures], stop: Stop) -> None:
    found = decide(rounds, stop, 2)
    assert (found.go_on, found.why, found.reason) == (True, "", "")


def test_the_only_round_is_not_called_all_of_them() -> None:
    assert decide([START, BETTER], ON, 1).reason == "the only round is done"


def test_a_fall_is_told_before_the_rounds_that_are_done() -> None:
    found = decide([START, BETTER, round_(2, 0.1, (-0.2, -0.3, -0.1))], ON, 2)
    assert found == Decision(
        False, "falls", "accuracy on validation fell in round 2, from 30.0 % to 10.0 %", best=1
    )


def test_without_a_measure_the_last_round_is_the_result() -> None:
    assert best([round_(0, None), round_(1, None), round_(2, None)]) == 2


def test_a_round_that_was_not_measured_is_not_the_result_where_another_was() -> None:
    assert best([round_(0, 0.2), round_(1, None)]) == 0


def test_of_equal_rounds_the_first_is_the_result() -> None:
    assert best([round_(0, 0.2), round_(1, 0.3), round_(2, 0.3)]) == 1


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=8))
def test_no_round_is_better_than_the_result(accuracies: list[float | None]) -> None:
    rounds = [round_(number, accuracy) for number, accuracy in enumerate(accuracies)]
    chosen = rounds[best(rounds)].accuracy
    measured = [one for one in accuracies if one is not None]
    assert chosen == (pytest.approx(max(measured), abs=1e-8) if measured else None)


def test_rounds_are_compared_on_the_problems_that_both_were_judged_on() -> None:
    """Half of the answers of round 1 could not be judged: 8 of 53 is more than 12 of 100, and solves less."""
    rounds = [round_(0, 0.11), round_(1, 8 / 53, (0.019, -0.04, 0.08)), round_(2, 0.12, (0.019, 0.0, 0.06))]
    found = decide(rounds, Stop(on="validation", no_gain=False), 2)
    assert (found.why, found.best) == ("rounds", 2)


def test_a_fall_that_the_accuracies_hide_is_told_by_the_gain() -> None:
    found = decide([round_(0, 0.2), round_(1, 0.3, (-0.05, -0.08, -0.02))], ON, 2)
    assert (found.why, found.best) == ("falls", 0)
    assert found.reason == (
        "accuracy on validation fell in round 1, by -5.0 points on the problems whose answers could be "
        "judged in both rounds"
    )
