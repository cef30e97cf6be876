"""Charts of budgets, stops and false positives: what is drawn, what is apart, and what is not known."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from factory.amounts import CURRENCIES, EVERYONE, NAMES, STOPS, allowed
from factory.report import budget_charts, drawing, false_positive_charts
from tests.support import told_budgets as budgets

HOSTILE = '</svg><script>alert(1)</script>"&<b>'


def bars(found: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """{(generator, what): amount} of a chart."""
    figure = budget_charts.budget(found)
    assert figure is not None
    values = figure.spec["layer"][0]["data"]["values"]
    return {(one["generator"], one["what"]): one["amount"] for one in values}


# --- the budget --------------------------------------------------------------------------------------


def test_what_was_seen_what_is_presumed_and_what_is_left_are_parts_of_a_bar() -> None:
    assert bars(budgets.budget()) == {
        ("weak", "spent"): 4.6e13,
        ("weak", "presumed"): 2e12,
        ("weak", "lost"): 5e11,
        ("weak", "left"): 1.5e12,
        ("strong", "spent"): 4.9e13,
        ("strong", "left"): 1e12,
    }
    figure = budget_charts.budget(budgets.budget())
    assert figure is not None
    assert figure.spec["layer"][1]["data"]["values"] == [{"amount": 5e13}], "a line stands at the amount"
    assert "Presumed is the bound of calls whose process died" in figure.caption
    assert "Lost is the cost of calls that gave nothing" in figure.caption


def test_the_table_has_every_currency_that_is_known_of_a_generator_and_no_other() -> None:
    figure = budget_charts.budget(budgets.budget())
    assert figure is not None
    rows = {(row[0], row[1]): row[2:] for row in figure.rows}
    assert ("weak", "US dollars") not in rows, "nobody stated its price"
    assert rows["strong", "US dollars"] == ("no plan", 1.25, 0.0, 0.0, "no stop")
    assert rows["weak", "FLOPs"] == (5e13, 4.6e13, 2e12, 5e11, 1.5e12)
    assert rows[EVERYONE, "seconds of the engine"] == ("no plan", 401.0, 0.0, 0.0, 3199.0)
    assert rows["judge wise", "tokens"] == ("no plan", 800, 0.0, 0.0, "no stop")


def test_a_budget_of_samples_has_no_line_and_what_is_owed_is_left() -> None:
    found = budgets.budget() | {"match": None, "amount": None, "total": None}
    figure = budget_charts.budget(found)
    assert figure is not None
    assert len(figure.spec["layer"]) == 1
    assert figure.spec["layer"][0]["encoding"]["x"]["title"] == "samples"
    assert bars(found)["weak", "left"] == 10
    assert figure.caption.startswith("Samples are planned, and no amount is set.")


def test_a_generator_that_cannot_tell_the_currency_draws_no_bar_and_stands_in_the_table() -> None:
    found = budgets.budget() | {"match": "usd", "amount": 10.0}
    assert {generator for generator, _ in bars(found)} == {"strong"}
    figure = budget_charts.budget(found)
    assert figure is not None
    assert any(row[0] == "weak" for row in figure.rows)


NOTHING: Mapping[str, Callable[[], Any]] = {
    "no budget": lambda: None,
    "an empty one": dict,
    "no generator": lambda: budgets.budget() | {"generators": {}},
    "nothing known": lambda: {
        "generators": {"a": budgets.entry(budgets.amounts()) | {"planned": {}, "left": None}}
    },
}


@pytest.mark.parametrize("made", NOTHING.values(), ids=NOTHING)
def test_a_budget_of_which_nothing_is_known_draws_nothing(made: Callable[[], Any]) -> None:
    assert budget_charts.budget(made()) is None


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "Samples are planned, and no amount is set."),
        ({"match": "usd", "amount": 2.5}, "Each generator may spend 2.5 US dollars."),
        (
            {"total": {"samples": 1000, "usd": 20.0}},
            "All generators and judges together may spend 1,000 samples, 20 US dollars.",
        ),
        (
            {"match": "flops", "amount": 5e13, "total": {"seconds": 3600}},
            "Each generator may spend 5e+13 FLOPs. All generators and judges together may spend 3,600 "
            "seconds of the engine.",
        ),
    ],
)
def test_what_may_be_spent_is_said_in_words(found: dict[str, Any], told: str) -> None:
    assert allowed(found) == told


def test_every_currency_has_a_name() -> None:
    assert tuple(NAMES) == CURRENCIES


# --- stops -------------------------------------------------------------------------------------------


def test_stops_are_shares_of_the_problems_of_a_generator_and_difficulty() -> None:
    figure = budget_charts.stops(budgets.stops())
    assert figure is not None
    values = {(one["of"], one["why"]): one["share"] for one in figure.spec["data"]["values"]}
    assert values["weak, easy", STOPS["reached"]] == pytest.approx(10 / 13)
    for name in {one for one, _ in values}:
        assert sum(share for (of, _), share in values.items() if of == name) == pytest.approx(1.0)
    assert "n = 52 pairs" in figure.caption
    assert ("weak", "hard", STOPS["at_most"], 10, 40, 0, 4.0) in figure.rows


def test_one_difficulty_is_not_told_and_generators_are_the_bars() -> None:
    found = [one | {"difficulty": None} for one in budgets.stops()]
    figure = budget_charts.stops(found)
    assert figure is not None
    assert {one["of"] for one in figure.spec["data"]["values"]} == {"weak", "strong"}


def test_a_reason_of_tomorrow_stands_under_its_own_name() -> None:
    found = [budgets.stops()[0] | {"why": "bored"}]
    figure = budget_charts.stops(found)
    assert figure is not None
    assert "bored: 100%" in figure.caption
    assert drawing.svg(figure.spec, 640).startswith("<svg")


def test_no_stop_draws_nothing_and_many_bars_are_cut_and_said() -> None:
    assert budget_charts.stops([]) is None
    many = [budgets.stops()[0] | {"difficulty": f"d{number:03}"} for number in range(60)]
    figure = budget_charts.stops(many)
    assert figure is not None
    assert len(figure.spec["data"]["values"]) == budget_charts.MOST_BARS
    assert "20 more stand in the table only" in figure.caption
    assert len(figure.rows) == 60


def test_names_from_outside_are_data_and_no_markup() -> None:
    found = copy.deepcopy(budgets.budget())
    found["generators"] = {HOSTILE: found["generators"]["weak"]}
    first = budget_charts.budget(found)
    second = budget_charts.stops([one | {"generator": HOSTILE} for one in budgets.stops()])
    for figure in (first, second):
        assert figure is not None
        drawn = drawing.svg(figure.spec, 640)
        assert "<script" not in drawn
        assert drawn.count("</svg>") == 1


# --- false positives ---------------------------------------------------------------------------------


def test_every_rate_of_false_positives_has_its_interval() -> None:
    figure = false_positive_charts.false_positives(budgets.false_positives())
    assert figure is not None
    assert len(figure.rows) == 12, "before and after selection, per solution and problem, whole and each"
    assert ("all generators", "kept", "per solution", 0.02, "0.001 to 0.071", 50, 2) in figure.rows
    lines, dots = (layer["data"]["values"] for layer in figure.spec["layer"])
    assert [one["what"] for one in lines] == [one["what"] for one in dots]
    assert figure.spec["layer"][0]["encoding"]["x2"] == {"field": "high"}
    assert drawing.svg(figure.spec, 340).startswith("<svg")


def test_one_generator_is_told_once() -> None:
    found = budgets.false_positives()
    found["by"]["generator"].pop("strong")
    figure = false_positive_charts.false_positives(found)
    assert figure is not None
    assert len(figure.rows) == 4
    assert "kept, per solution: 0.020 (0.001 to 0.071)" in figure.alt


def test_without_labels_there_is_a_line_from_0_to_1_and_no_dot() -> None:
    nothing = {"per_solution": budgets.estimate(None, 0.0, 1.0, labelled=0, unsure=0)}
    figure = false_positive_charts.false_positives({"accepted": nothing, "kept": nothing, "by": {}})
    assert figure is not None
    lines, dots = (layer["data"]["values"] for layer in figure.spec["layer"])
    assert [(one["low"], one["high"]) for one in lines] == [(0.0, 1.0)] * 2
    assert dots == []
    assert [row[3] for row in figure.rows] == ["not known"] * 2


@pytest.mark.parametrize("found", [None, {}, {"kept": {"per_solution": {"value": None, "low": None}}}])
def test_nothing_accepted_draws_no_rate(found: Any) -> None:
    assert false_positive_charts.false_positives(found) is None
    assert false_positive_charts.signals(found) is None


def test_what_signals_say_stands_beside_labels_and_never_alone() -> None:
    found = budgets.false_positives()
    figure = false_positive_charts.signals(found)
    assert figure is not None
    assert ("suspect", 40, 15, 1, 1, 23) in figure.rows
    assert "unjudged" not in [row[0] for row in figure.rows]
    assert "suspect: 1 of 16 labelled are wrong" in figure.caption
    for one in found["signal"].values():
        one |= {"right": 0, "wrong": 0}
    assert false_positive_charts.signals(found) is None


def test_the_judges_opinion_is_called_one_and_what_it_could_not_tell_is_apart() -> None:
    told = " ".join(false_positive_charts.notes(budgets.false_positives()))
    assert "330 pass, 40 fail, 30 could not be told" in told
    assert "0.108 fail (0.080 to 0.140). That is its opinion." in told
    assert "0.900 (0.700 to 0.980) agree" in told
    assert "The check of the arithmetic" not in told, "it was not asked"
    assert false_positive_charts.notes(None) == []
