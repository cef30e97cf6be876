"""What draws say of a model: vectors by hand, and the laws of the figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.metrics.evaluation import (
    Draw,
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
    ],
)
def test_a_problem_is_solved_or_not_or_nobody_can_tell(written: str, expected: dict[str, float]) -> None:
    assert solved({"p": draws(written)}) == expected


def test_errors_are_counted_and_are_no_failures() -> None:
    told = {"p": draws("+a"), "q": draws("!"), "r": draws("?"), "s": draws("0")}
    assert counts(told) == {"pass": 1, "fail": 0, "no_answer": 1, "error": 1, "unverified": 1}
    assert figure(solved(told), 100, 0)["value"] == 0.5
    assert figure(solved(told), 100, 0)["n_problems"] == 2


@pytest.mark.parametrize("scores", [{}, {"p": 1.0}])
def test_too_few_problems_have_no_interval(scores: dict[str, float]) -> None:
    found = figure(scores, 100, 0)
    assert (found["low"], found["high"], found["n_problems"]) == (None, None, len(scores))
    assert found["value"] == (1.0 if scores else None)


# --- pass@k ------------------------------------------------------------------------------------------


def test_pass_at_k_by_hand() -> None:
    # 1 - C(2, 2) / C(4, 2) with two of four right; one of three right: 1 - C(2, 2) / C(3, 2)
    told = {"p": draws("+a -b +a 0"), "q": draws("-a ! +b -a"), "r": draws("+a ! ?")}
    assert pass_at_k(told, 2) == {"p": pytest.approx(5 / 6), "q": pytest.approx(2 / 3)}


def test_fewer_judged_draws_than_k_are_no_failure() -> None:
    assert pass_at_k({"p": draws("-a ! !")}, 2) == {}
    assert majority_at_k({"p": draws("-a ! !")}, 2) == {}


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
        ("+a ! -b ? -b +a", 2, 0.5),  # errors are no draws: (a b) (b a)
        ("+a ! +a -b", 3, 1.0),
    ],
)
def test_blocks_are_taken_in_order_and_share_no_draw(written: str, k: int, expected: float) -> None:
    assert majority_at_k({"p": draws(written)}, k) == {"p": pytest.approx(expected)}


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
    judged = [one for one in group if one.status in (Status.PASS, Status.FAIL, Status.NO_ANSWER)]
    if judged:
        expected = float(any(one.status is Status.PASS for one in judged))
        assert pass_at_k({"p": group}, len(judged)) == {"p": pytest.approx(expected)}
    assert pass_at_k({"p": group}, len(judged) + 1) == {}


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
    found = figure(scores, 1000, seed)
    if len(scores) > 1:
        assert found["low"] <= found["value"] <= found["high"]
    against = difference(scores, dict.fromkeys(scores, 0.0), 1000, seed)
    assert [against[key] for key in ("value", "low", "high")] == [
        found[key] for key in ("value", "low", "high")
    ]


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
