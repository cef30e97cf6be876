"""Requirements of a release: what fails, by how much, what would help, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from factory.errors import UsageError
from factory.metrics.beta import clopper_pearson
from factory.metrics.measure import NO_ANSWERS
from factory.metrics.requirements import draws_for_coverage, labels_for_upper, require

METRICS = {
    "pass@1": {"value": 0.25, "low": 0.2, "high": 0.3, "n_problems": 50},
    "coverage@4": {"value": 0.5, "low": None, "high": None, "n_problems": 1},
    "coverage@64": {
        "value": None, "low": None, "high": None, "n_problems": 47, "n_short": 3,
        "why": "3 problems have fewer than 64 judged draws",
    },
    "maj@4": {"value": 0.4, "low": 0.3, "high": 0.5, "n_problems": 50},
    "unique_paths": {"value": 1.5, "low": 1.2, "high": 1.9, "n_problems": 30},
    "problems": 50,
    "samples": {"verified": 800},
    "solve_rate": {"histogram": []},
    "budget": {
        "all": {"realised": {"samples": 800, "tokens": 90_000, "flops": None, "usd": 3.2, "seconds": None}}
    },
}  # fmt: skip


def audited(**entry: Any) -> dict[str, Any]:
    told = {"value": 0.02, "high": 0.0711, "labelled": 50, "wrong": 1, "effective": 50.0, "population": 9000}
    accepted = {"per_solution": {"population": 12_000}}
    return METRICS | {"false_positives": {"kept": {"per_solution": told | entry}, "accepted": accepted}}


def rates(coverage_of_one: float, problems: int = 200, n: int = 8) -> tuple[Any, Any]:
    """(n, c) of problems that are solved in half of the draws, or in none."""
    solved = np.arange(problems) < coverage_of_one * problems
    drawn = np.random.default_rng(0).binomial(n, 0.5, problems)
    return np.full(problems, n), np.where(solved, np.maximum(drawn, 1), 0)


@pytest.mark.parametrize(
    "condition", [">= 0.25", "<= 0.25", "> 0.2", "<0.3", " >=2.5e-1 ", "> -1", "< 1.0e+3"]
)
def test_met(condition: str) -> None:
    assert require(METRICS, {"pass@1": condition}) == []


@pytest.mark.parametrize(
    ("condition", "bound", "missed"),
    [
        ("> 0.25", "> 0.25", ""),
        ("< 0.25", "< 0.25", ""),
        (">= 0.26", ">= 0.26", ", missed by 0.01"),
        ("<= 0.2", "<= 0.2", ", missed by 0.05"),
        (">= 1", ">= 1", ", missed by 0.75"),
    ],
)
def test_not_met_and_by_how_much(condition: str, bound: str, missed: str) -> None:
    (sentence,) = require(METRICS, {"pass@1": condition})
    assert sentence == f"pass@1 is 0.25 (95 % interval 0.2 to 0.3, 50 problems); required {bound}{missed}"


def test_each_failure_has_its_sentence_and_what_is_null_says_why() -> None:
    assert require(METRICS, {"coverage@4": "> 0.6", "pass@1": "> 0", "coverage@64": ">= 0"}) == [
        "coverage@4 is 0.5 (no interval, 1 problems); required > 0.6, missed by 0.1",
        "coverage@64 could not be measured: 3 problems have fewer than 64 judged draws; required >= 0. Draw "
        "64 or more of each problem: --set 'budget.per_problem={samples: 64}'",
    ]


@pytest.mark.parametrize("condition", [">= 0", "<= 1", "> -1", "< 2"])
@pytest.mark.parametrize("name", ["coverage@64", "flops_per_kept_row", "false_positive_upper"])
def test_what_could_not_be_measured_meets_no_condition(name: str, condition: str) -> None:
    (sentence,) = require(METRICS, {name: condition}, kept=300)
    assert sentence.startswith(f"{name} could not be measured: ")


# --- what would help ---------------------------------------------------------------------------------


def test_coverage_at_a_k_is_no_matter_of_more_draws_at_that_k() -> None:
    (sentence,) = require(METRICS, {"coverage@4": ">= 0.58"}, solved=rates(0.6))
    assert "More draws at the same k make coverage@4 surer and no larger" in sentence
    reached = draws_for_coverage(*rates(0.6), 0.58)
    assert reached is not None
    assert 4 < reached < 40
    assert f"require coverage@{reached}" in sentence
    assert f"with {reached} in measure.k" in sentence


def test_problems_that_are_never_solved_are_beyond_more_draws() -> None:
    (sentence,) = require(METRICS, {"coverage@4": ">= 0.97"}, solved=rates(0.6))
    assert "another generator, or other problems, would" in sentence
    assert draws_for_coverage(*rates(0.6), 0.97) is None


def test_a_bound_that_chance_missed_asks_for_problems() -> None:
    (sentence,) = require(METRICS, {"coverage@4": ">= 0.51"}, solved=rates(0.6))
    assert sentence.endswith("more problems would tell, --set budget.problems")


def test_rows() -> None:
    assert require(METRICS, {"rows": ">= 300"}, kept=300) == []
    (sentence,) = require(METRICS, {"rows": ">= 1000"}, kept=300)
    assert sentence.startswith(
        "rows is 300; required >= 1000, missed by 700. At 0.375 kept rows a sample about"
    )
    assert "1,867 samples more would do" in sentence
    (none,) = require(METRICS, {"rows": ">= 1"}, kept=0)
    assert "No sample is kept so far" in none


def test_costs_are_of_all_that_was_spent() -> None:
    assert require(METRICS, {"samples_per_kept_row": "<= 4", "usd_per_kept_row": "<= 0.016"}, kept=200) == []
    (sentence,) = require(METRICS, {"usd_per_kept_row": "<= 0.008"}, kept=200)
    assert sentence.startswith(
        "usd_per_kept_row is 0.016; required <= 0.008, missed by 0.008. Of what was spent 2 "
    )
    (unknown,) = require(METRICS, {"flops_per_kept_row": "<= 5.0e+13"}, kept=200)
    assert "write active_parameters; required <= 5e+13" in unknown
    (nothing,) = require(METRICS, {"usd_per_kept_row": "<= 1"}, kept=0)
    assert "could not be measured: no row is kept" in nothing


def test_a_bound_that_more_labels_could_show_says_how_many() -> None:
    assert require(audited(), {"false_positive_upper": "<= 0.08"}) == []
    (sentence,) = require(audited(), {"false_positive_upper": "<= 0.05"})
    enough = labels_for_upper(0.02, 0.05)
    assert enough is not None
    assert (
        f"About {enough - 50:,} labels more would show it if the rate is the 0.02 that it seems" in sentence
    )
    assert f"factory audit RECIPE --number {-(-enough * 4 // 3)}" in sentence, "three of four are kept ones"


def test_labels_that_count_less_are_needed_in_greater_number() -> None:
    (alike,) = require(audited(), {"false_positive_upper": "<= 0.05"})
    (fewer,) = require(audited(effective=25.0), {"false_positive_upper": "<= 0.05"})
    assert int(fewer.rpartition(" ")[2]) == pytest.approx(2 * int(alike.rpartition(" ")[2]), abs=2)


def test_a_rate_that_is_too_high_is_no_matter_of_labels() -> None:
    (sentence,) = require(audited(), {"false_positive_upper": "<= 0.01"})
    assert "no number of labels would help" in sentence
    assert "audit" not in sentence


def test_more_labels_than_samples_are_not_asked_for() -> None:
    (sentence,) = require(audited(population=60), {"false_positive_upper": "<= 0.03"})
    assert "Nearly all of the 60 kept samples would need a label" in sentence


def test_without_labels_the_message_says_how_many_would_do() -> None:
    unlabelled = audited(value=None, high=1.0, labelled=0, wrong=0, effective=0.0)
    for metrics in (METRICS, unlabelled):
        (sentence,) = require(metrics, {"false_positive_upper": "<= 0.02"})
        assert "could not be measured: nobody has labelled a kept sample" in sentence
        assert "About 183 labels more would show it if none of them is wrong" in sentence


@pytest.mark.parametrize(("rate", "bound"), [(0.0, 0.02), (0.02, 0.05), (0.1, 0.11)])
def test_the_least_number_of_labels_is_the_least(rate: float, bound: float) -> None:
    least = labels_for_upper(rate, bound)
    assert least is not None
    assert (clopper_pearson(rate * least, least).high or 1) <= bound
    assert (clopper_pearson(rate * (least - 1), least - 1).high or 1) > bound


def test_no_number_of_labels_shows_less_than_the_rate() -> None:
    assert labels_for_upper(0.05, 0.05) is None


# --- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["coverage@5", "problems", "solve_rate", "value", ""])
def test_an_unknown_name_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(UsageError, match="not measured; use one of pass@1, coverage@4, coverage@64, maj@4"):
        require(METRICS, {name: ">= 0"})


@pytest.mark.parametrize("condition", ["0.2", "== 0.2", ">= x", ">= nan", ""])
def test_what_is_no_comparison_is_refused(condition: str) -> None:
    with pytest.raises(UsageError, match="is not a comparison such as"):
        require(METRICS, {"pass@1": condition})


def test_more_draws_are_no_help_where_there_is_nothing_to_vote_for() -> None:
    silent = METRICS | {
        "maj@4": {"value": None, "low": None, "high": None, "n_problems": 50, "why": NO_ANSWERS}
    }
    (said,) = require(silent, {"maj@4": ">= 0.5"})
    assert NO_ANSWERS in said
    assert "Draw" not in said
    assert "verify.decides" in said


def test_a_cost_that_is_too_low_needs_no_rows() -> None:
    (said,) = require(METRICS, {"usd_per_kept_row": ">= 1"}, kept=800)
    assert "times as many rows" not in said
