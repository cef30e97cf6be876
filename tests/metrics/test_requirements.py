"""Requirements of a release: what fails, in words, and what is refused."""

from __future__ import annotations

import pytest

from factory.errors import UsageError
from factory.metrics.requirements import require

METRICS = {
    "pass@1": {"value": 0.25, "low": 0.2, "high": 0.3, "n_problems": 50},
    "coverage@4": {"value": 0.5, "low": None, "high": None, "n_problems": 1},
    "coverage@64": {"value": None, "low": None, "high": None, "n_problems": 0},
    "problems": 50,
    "solve_rate": {"histogram": []},
}


@pytest.mark.parametrize("condition", [">= 0.25", "<= 0.25", "> 0.2", "<0.3", " >=2.5e-1 ", "> -1"])
def test_met(condition: str) -> None:
    assert require(METRICS, {"pass@1": condition}) == []


@pytest.mark.parametrize("condition", ["> 0.25", "< 0.25", ">= 0.26", "<= 0.2", ">= 1"])
def test_not_met(condition: str) -> None:
    (sentence,) = require(METRICS, {"pass@1": condition})
    assert sentence == f"pass@1 is 0.25 (95 % interval 0.2 to 0.3, 50 problems); required {condition}"


def test_each_failure_has_its_sentence() -> None:
    assert require(METRICS, {"coverage@4": "> 0.6", "pass@1": "> 0", "coverage@64": ">= 0"}) == [
        "coverage@4 is 0.5 (no interval, 1 problems); required > 0.6",
        "coverage@64 could not be measured: no problem has enough verified samples; required >= 0",
    ]


@pytest.mark.parametrize("name", ["coverage@5", "problems", "solve_rate", "value", ""])
def test_an_unknown_name_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(UsageError, match="not measured; use one of pass@1, coverage@4, coverage@64, or"):
        require(METRICS, {name: ">= 0"})


@pytest.mark.parametrize("condition", ["0.2", "== 0.2", ">= x", ">= nan", ""])
def test_what_is_no_comparison_is_refused(condition: str) -> None:
    with pytest.raises(UsageError, match="is not a comparison such as"):
        require(METRICS, {"pass@1": condition})
