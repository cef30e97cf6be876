"""What draws say of a model: vectors by hand, and the laws of the figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.metrics.evaluation import (
    Draw,
    as_solved,
    counts,
    difference,
    figure,
    majority_at_k,
    mcnemar,
    pass_at_k,
    solved,
    vote,
)
from factory.records import Status

MARKS = {"+": Status.PASS, "-": Status.FAIL, "0": Status.NO_ANSWER, "!": Status.ERROR, "?": None}


def draws(written: str) -> list[Draw]:
    """Draws as `+a -b 0 ! ?`: the verdict, and a letter for the group of its answer."""
    return [Draw(MARKS[one[0]], ord(one[1]) if one[1:] else None) for one in written.split()]


# --- greedy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+a", {"p": 1.0}),
        ("-a", {"p": 0.0}),
        ("0", {"p": 0.0}),
        ("!", {}),
        ("?", {}),
        ("", {}),
        ("-a +b", {"p": 0.0}),
        ("! +b", {"p": 0.0}),
    ],
)
def test_a_problem_is_solved_or_not_and_where_nothing_was_judged_nothing_is_known(
    written: str, expected: dict[str, float]
) -> None:
    assert solved({"p": draws(written)}) == expected


def test_a_model_gains_nothing_by_answers_that_cannot_be_judged() -> None:
    told = {"p": draws("+a"), "q": draws("!"), "r": draws("?"), "s": draws("0")}
    assert counts(told) == {"pass": 1, "fail": 0, "no_answer": 1, "error": 1, "unverified": 1}
    found = figure(solved(told), solved(as_solved(told)), 100, 0)
    assert (found["value"], found["at_most"], found["n_problems"]) == (0.25, 0.75, 4)
    plain = {"p": draws("+a"), "q": draws("-a"), "r": draws("-b"), "s": draws("0")}
    paired = difference(solved(told), solved(plain), 100, 0)
    assert (paired["value"], paired["n_problems"], paired["ties"]) == (0.0, 4, 4)


@pytest.mark.parametrize("written", ["! ? !", "?", "!"])
def test_where_no_draw_could_be_judged_nothing_is_known(written: str) -> None:
    told = {"p": draws(written), "q": draws(written)}
    assert solved(told) == pass_at_k(told, 1) == majority_at_k(told, 1) == {}
    assert as_solved(told) == {}
    assert figure({}, {}, 100, 0) == {
        "value": None, "low": None, "high": None, "n_problems": 0, "at_most": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("solved_ones", "problems", "expected"),
    [(0, 8, (0.0, 0.3244)), (8, 8, (0.6756, 1.0)), (1, 1, (0.2065, 1.0)), (10, 20, (0.2993, 0.7007))],
)
def test_greedy_intervals_are_wilsons(solved_ones: int, problems: int, expected: tuple[float, float]) -> None:
    scores = {str(number): float(number < solved_ones) for number in range(problems)}
    found = figure(scores, scores, 100, 0)
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=1e-4)


def test_one_problem_with_a_share_has_no_interval() -> None:
    found = figure({"p": 0.5}, {"p": 0.5}, 100, 0)
    assert (found["value"], found["low"], found["high"], found["n_problems"]) == (0.5, None, None, 1)


# --- pass@k ------------------------------------------------------------------------------------------


def test_pass_at_k_by_hand() -> None:
    # 1 - C(n - c, 2) / C(n, 2): two of four right, one of four, one of three
    told = {"p": draws("+a -b +a 0"), "q": draws("-a ! +b -a"), "r": draws("+a ! ?"), "s": draws("+a")}
    assert pass_at_k(told, 2) == {
        "p": pytest.approx(5 / 6),
        "q": pytest.approx(1 / 2),
        "r": pytest.approx(2 / 3),
    }
    assert pass_at_k(as_solved(told), 2)["q"] == pytest.approx(5 / 6)


def test_an_undecided_draw_does_not_take_its_problem_out_of_pass_at_all_draws() -> None:
    told = {"p": draws("+a -b !"), "q": draws("-a -b !")}
    assert pass_at_k(told, 3) == {"p": 1.0, "q": 0.0}
    assert pass_at_k(as_solved(told), 3) == {"p": 1.0, "q": 1.0}


def test_fewer_draws_than_k_are_no_failure() -> None:
    assert pass_at_k({"p": draws("-a !")}, 3) == {}
    assert majority_at_k({"p": draws("-a !")}, 3) == {}


# --- maj@k -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+a +a -b", 1.0),
        ("+a -b -b", 0.0),
        ("+a -b", 0.5),
        ("+a -b -c", 1 / 3),
        ("-b -c", 0.0),
        ("0 0 0", 0.0),
        ("0 0 +a", 1.0),
        ("0 0 -a", 0.0),
        # Where equality is no equivalence a group can hold both verdicts: its first draw stands for it.
        ("+a -a", 1.0),
        ("-a +a +b", 0.0),
        # A verdict without an answer to compare, as of a program, does not vote.
        ("+", 0.0),
    ],
)
def test_the_vote_of_one_block(written: str, expected: float) -> None:
    assert vote(draws(written)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("written", "k", "expected"),
    [
        ("+a +a -b -b -b +a", 3, 0.5),
        ("+a +a -b -b -b", 3, 1.0),  # the last two fill no block
        ("+a -b +a -b", 2, 0.5),
        ("+a ! -b ? -b +a", 2, 0.5),  # what is not judged does not vote: (a) (b) (b a)
        ("+a ! +a -b", 3, 1.0),
        ("! ! -b -b", 2, 0.0),
    ],
)
def test_blocks_are_taken_in_order_and_share_no_draw(written: str, k: int, expected: float) -> None:
    assert majority_at_k({"p": draws(written)}, k) == {"p": pytest.approx(expected)}


def test_at_most_the_undecided_vote_with_the_right() -> None:
    told = {"p": draws("-b +a !"), "q": draws("-b -b !"), "r": draws("-b ! !")}
    assert majority_at_k(told, 3) == {"p": 0.5, "q": 0.0, "r": 0.0}
    assert majority_at_k(as_solved(told), 3) == {"p": 1.0, "q": 0.0, "r": 1.0}


# --- differences -------------------------------------------------------------------------------------


def test_only_problems_that_both_tell_are_compared() -> None:
    found = difference({"p": 1.0, "q": 1.0, "r": 0.0}, {"q": 0.0, "r": 0.0, "s": 1.0}, 100, 0)
    assert (found["value"], found["n_problems"]) == (0.5, 2)
    assert (found["wins"], found["losses"], found["ties"], found["p"]) == (1, 0, 1, 1.0)


def test_nothing_in_common_is_no_difference_of_zero() -> None:
    found = difference({"p": 1.0}, {"q": 0.0}, 100, 0)
    assert (found["value"], found["low"], found["high"], found["n_problems"]) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (6, 1, 2 * 8 / 128),
        (1, 9, 2 * 11 / 1024),
        (3000, 0, 0.0),
    ],
)
def test_mcnemar_by_hand(wins: int, losses: int, expected: float) -> None:
    assert mcnemar(wins, losses) == pytest.approx(expected)


# --- laws --------------------------------------------------------------------------------------------

SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
DRAWN = st.builds(Draw, st.sampled_from([*Status, None]), st.one_of(st.none(), st.integers(0, 3)))
GROUPS = st.lists(DRAWN, min_size=1, max_size=8)


@given(GROUPS)
def test_pass_at_all_draws_is_whether_any_passes(group: list[Draw]) -> None:
    if any(one.status in (Status.PASS, Status.FAIL, Status.NO_ANSWER) for one in group):
        expected = float(any(one.status is Status.PASS for one in group))
        assert pass_at_k({"p": group}, len(group)) == {"p": pytest.approx(expected)}
    assert pass_at_k({"p": group}, len(group) + 1) == {}


RIGHT, WRONG, UNREAD = Draw(Status.PASS, 0), Draw(Status.FAIL, 1), Draw(Status.ERROR)
ALIKE = st.sampled_from([RIGHT, WRONG, WRONG._replace(group=2), UNREAD, Draw(None), Draw(Status.NO_ANSWER)])
"""Draws whose equal answers have equal verdicts."""


@given(st.lists(ALIKE, min_size=1, max_size=8), st.integers(1, 8))
def test_what_could_not_be_judged_can_only_add(group: list[Draw], k: int) -> None:
    told = {"p": group}
    for measured in (solved, lambda one: pass_at_k(one, k), lambda one: majority_at_k(one, k)):
        least, most = measured(told), measured(as_solved(told))
        assert least.keys() == most.keys()
        assert all(least[one] <= most[one] + 1e-12 for one in least)


@given(SCORES, SCORES)
def test_swapping_the_models_turns_the_difference_round(
    one: dict[str, float], other: dict[str, float]
) -> None:
    forth, back = difference(one, other, 100, 0), difference(other, one, 100, 0)
    assert forth["value"] == (None if back["value"] is None else -back["value"])
    assert (forth["wins"], forth["losses"]) == (back["losses"], back["wins"])
    assert (forth["ties"], forth["p"], forth["n_problems"]) == (back["ties"], back["p"], back["n_problems"])


@given(SCORES, st.integers(0, 5))
def test_the_interval_holds_the_value(scores: dict[str, float], seed: int) -> None:
    found = figure(scores, scores, 1000, seed)
    against = difference(scores, dict.fromkeys(scores, 0.0), 1000, seed)
    assert found["at_most"] == found["value"] == against["value"]
    if len(scores) > 1:
        assert found["low"] <= found["value"] <= found["high"]
        assert against["low"] <= against["value"] <= against["high"]


@given(GROUPS)
def test_a_vote_lies_between_all_wrong_and_any_right(group: list[Draw]) -> None:
    passes = any(one.status is Status.PASS and one.group is not None for one in group)
    assert 0.0 <= vote(group) <= float(passes)


@given(GROUPS)
def test_names_of_groups_do_not_matter(group: list[Draw]) -> None:
    renamed = [one._replace(group=None if one.group is None else 7 - one.group) for one in group]
    assert math.isclose(vote(renamed), vote(group))


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_probability_and_symmetric(wins: int, losses: int) -> None:
    assert 0.0 < mcnemar(wins, losses) == mcnemar(losses, wins) <= 1.0
