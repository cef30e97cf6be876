"""What a card says of budget, stops and false positives: with what is not known and not seen apart."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest
from markdown_it import MarkdownIt

from factory.release import card_budget
from factory.release.limits import limits
from tests.support import told_budgets as budgets

RENDERER: Final = MarkdownIt("commonmark").enable("table")
COUNTS: Final = {"selection": {"kept": 100, "wrong": 219}}


def told(metrics: dict[str, Any], counts: Any = COUNTS) -> str:
    return "\n\n".join(card_budget.budget(metrics, counts))


def cells(shown: str, of: str) -> list[str]:
    """The cells of a table's row, the first of which is `of`."""
    (line,) = [line for line in shown.splitlines() if line.startswith(f"| {of} |")]
    return [one.strip() for one in line.strip("|").split("|")]


def false_positives(value: float | None = 0.02) -> dict[str, Any]:
    found = budgets.false_positives() | {"said": "Of 50 labelled <b>at most 7.1 %</b> are wrong."}
    found["kept"]["per_solution"] = budgets.estimate(value, 0.005, 0.071)
    found["accepted"]["per_problem"] = {"value": None, "low": None, "high": None}
    return found


# --- the budget --------------------------------------------------------------------------------------


def test_every_currency_of_every_generator_stands_with_what_is_left() -> None:
    shown = told({"budget": budgets.budget()})
    assert "Each generator may spend 5e+13 FLOPs." in shown
    assert cells(shown, "`weak`") == [
        *("`weak`", "300", "290", "29,000", "4.6e+13", "not known", "300.5", "1.5e+12", ""),
    ]
    assert cells(shown, "all generators and judges")[-2:] == ["", "3,199"]
    assert cells(shown, "`judge wise`")[2] == "10"
    assert "<table>" in RENDERER.render(shown)


def test_what_nobody_saw_and_what_was_lost_stand_apart() -> None:
    shown = told({"budget": budgets.budget()})
    assert "what they cost was not seen, and at most was 2 samples, 2e+12 FLOPs." in shown
    assert "calls that gave no sample and no vote cost 5e+11 FLOPs." in shown
    clean = budgets.budget()
    clean["all"] = budgets.entry(budgets.amounts(samples=319)) | {"left": None}
    assert "Besides" not in told({"budget": clean})


def test_a_kept_row_costs_what_all_samples_cost_in_the_currencies_that_are_known() -> None:
    shown = told({"budget": budgets.budget()})
    assert "A kept row cost 3.19 samples, 319 tokens, 9.5e+11 FLOPs, 4.01 seconds of the engine" in shown
    assert "US dollars, all samples paid for" not in shown
    assert "A kept row" not in told({"budget": budgets.budget()}, {"selection": {"wrong": 5}})


@pytest.mark.parametrize(
    "metrics",
    [{}, {"budget": None}, {"budget": {"match": None, "amount": None, "total": None, "generators": {}}}],
)
def test_a_release_that_says_nothing_of_its_budget_has_no_section(metrics: dict[str, Any]) -> None:
    assert told(metrics) == ""


def test_stops_are_counted_in_problems_and_left_out_where_every_problem_has_what_was_planned() -> None:
    shown = told({"budget": budgets.budget(), "stops": budgets.stops()})
    assert "| generator | enough are correct | given up at the most draws | the amount is spent |" in shown
    assert "| `strong` | 13 | 12 | 1 |" in shown
    planned = [one | {"why": "planned"} for one in budgets.stops()]
    assert "Why sampling stopped" not in told({"budget": budgets.budget(), "stops": planned})


def test_a_name_from_outside_changes_no_table() -> None:
    found = copy.deepcopy(budgets.budget())
    found["generators"] = {"a|b\n# <script>`": found["generators"]["weak"]}
    drawn = RENDERER.render(told({"budget": found}))
    assert "<script" not in drawn
    assert drawn.count("<h2>") == 1
    assert "<h1>" not in drawn


# --- false positives ---------------------------------------------------------------------------------


def test_no_rate_of_false_positives_stands_without_its_interval() -> None:
    shown = "\n\n".join(card_budget.false_positives({"false_positives": false_positives()}))
    assert "| kept | of its solutions | 2.0% | 0.5% to 7.1% |" in shown
    assert "| accepted, before selection | of its problems |" not in shown, "it could not be estimated"
    assert "<b>" not in RENDERER.render(shown)


def test_without_labels_there_is_an_interval_and_no_rate() -> None:
    shown = "\n\n".join(card_budget.false_positives({"false_positives": false_positives(None)}))
    assert "| kept | of its solutions | not known | 0.5% to 7.1% |" in shown
    assert list(card_budget.false_positives({})) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "Nobody has looked for kept samples"),
        (false_positives(None), "what a judge or an arithmetic check says of them is no measure"),
        (false_positives(), "Up to 7.1% of kept samples may have a right answer and wrong reasoning"),
    ],
    ids=["nobody looked", "no labels", "labelled"],
)
def test_the_limits_say_how_far_anybody_looked(found: Any, said: str) -> None:
    manifest = {
        "lock": {"verifiers": [], "generators": {}},
        "counts": {},
        "recipe": {"problems": [], "select": {}, "release": {}},
    }
    lines = limits(manifest, {"false_positives": found} if found else {})
    assert sum(said in line for line in lines) == 1
    assert sum("reasoning" in line for line in lines) == 1
