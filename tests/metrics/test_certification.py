"""Figures of a certificate: what counts as right, rates over no case, and requirements."""

from __future__ import annotations

import pytest

from factory.errors import UsageError
from factory.metrics import certification
from factory.metrics.certification import Outcome
from factory.records import Status

PASS, FAIL, NO_ANSWER, ERROR = Status.PASS, Status.FAIL, Status.NO_ANSWER, Status.ERROR


def outcomes(*words: tuple[bool, Status], category: str = "all") -> list[Outcome]:
    return [Outcome(category, expected, status, "why") for expected, status in words]


def test_only_a_pass_accepts_and_what_is_undecided_is_told_apart() -> None:
    found = certification.figures(
        outcomes((True, PASS), (True, NO_ANSWER), (True, ERROR), (False, PASS), (False, FAIL), (False, ERROR))
    )
    assert found["accuracy"] == pytest.approx(3 / 6)
    assert found["false_accept_rate"] == pytest.approx(1 / 3)
    assert found["false_reject_rate"] == pytest.approx(2 / 3)
    assert found["undecided_rate"] == pytest.approx(3 / 6)
    assert found["undecided"] == {"error: why": pytest.approx(2 / 6), "no_answer: why": pytest.approx(1 / 6)}
    assert (found["false_accepts"], found["expected_fail"]) == (1, 3)


def test_a_rate_over_no_case_is_unknown() -> None:
    found = certification.figures(outcomes((True, PASS)))
    assert found["false_accept_rate"] is None
    assert found["intervals"]["false_accept_rate"] == {"low": None, "high": None}
    assert certification.figures([])["accuracy"] is None


def test_categories_are_sorted_and_add_up() -> None:
    rows = [*outcomes((True, FAIL), category="b"), *outcomes((True, PASS), (False, PASS), category="a")]
    found = certification.by_category(rows)
    assert list(found) == ["a", "b"]
    assert [(one["cases"], one["accuracy"]) for one in found.values()] == [(2, 0.5), (1, 0.0)]


@pytest.mark.parametrize(
    ("condition", "missed"),
    [
        ("accuracy>=0.5", []),
        ("accuracy >= 0.98", ["accuracy is 0.5; required >= 0.98"]),
        (
            "false_accept_rate<=0.02",
            ["false_accept_rate is not measured: there is no such case; required <=0.02"],
        ),
    ],
)
def test_requirements(condition: str, missed: list[str]) -> None:
    figures = certification.figures(outcomes((True, PASS), (True, FAIL)))
    assert certification.unmet(figures, certification.conditions([condition])) == missed


def test_one_name_may_be_required_twice() -> None:
    figures = certification.figures(outcomes((True, PASS)))
    required = certification.conditions(["accuracy<=0.5", "accuracy>=0.5"])
    assert certification.unmet(figures, required) == ["accuracy is 1; required <=0.5"]


@pytest.mark.parametrize(
    "condition", ["accuracy", "accuracy=0.9", "accuracy>=x", "speed>=3", ">=0.9", "accuracy>=nan"]
)
def test_a_condition_of_another_form_is_refused(condition: str) -> None:
    with pytest.raises(UsageError, match="write NAME>=NUMBER") as refused:
        certification.conditions([condition])
    assert repr(condition) in str(refused.value)
    assert "false_reject_rate" in str(refused.value)
