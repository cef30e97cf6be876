"""What the command line and metrics.json show of a budget and of stops."""

from __future__ import annotations

import io

import duckdb
import pyarrow as pa
import pytest
from rich.console import Console

from factory import amounts, reporting
from factory.commands import display_budget
from factory.sampling import stops
from tests.support import told_budgets as budgets


def shown(found: object) -> str:
    console = Console(width=200, record=True, force_terminal=False, file=io.StringIO())
    for one in display_budget.lines(found):  # type: ignore[arg-type]
        console.print(one)
    return console.export_text()


def test_status_tells_planned_spent_presumed_lost_and_left() -> None:
    text = shown(budgets.budget())
    (line,) = [line for line in text.splitlines() if "weak" in line and "FLOPs" in line]
    assert [one.strip() for one in line.strip("│ ").split("│")] == [
        *("weak", "FLOPs", "5e+13", "4.6e+13", "2e+12", "5e+11", "1.5e+12"),
    ]
    assert "Presumed: calls were under way when their process died" in text
    assert "Lost: calls that were paid for and gave no sample" in text
    assert "Each generator may spend 5e+13 FLOPs." in text


def test_what_nobody_lost_is_not_told() -> None:
    found = budgets.budget()
    whole = budgets.entry(budgets.amounts(samples=29))
    found |= {"generators": {"strong": whole | {"planned": {}, "left": None}}, "all": whole, "judges": {}}
    text = shown(found)
    assert "Presumed:" not in text
    assert "Lost:" not in text
    assert "FLOPs │" not in text, "nothing is known of them"


@pytest.mark.parametrize("found", [None, {}, {"generators": {}}])
def test_no_budget_shows_nothing(found: object) -> None:
    assert shown(found) == ""


def test_a_generators_name_steers_no_terminal() -> None:
    found = budgets.budget()
    found["generators"] = {"\x1b[31mred": found["generators"]["weak"]}
    assert "\x1b" not in shown(found)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Two problems asked, one of them twice in the plan, and one that was not."""
    opened = duckdb.connect()
    asked = [("p1", "easy", "asked"), ("p2", None, "asked"), ("p1", "easy", "duplicate_problem")]
    opened.register("asked", pa.table({
        name: [row[place] for row in [*asked, ("p3", "easy", "bad_gold: it has no answer")]]
        for place, name in enumerate(("problem_id", "difficulty", "reason"))
    }))  # fmt: skip
    opened.register("planned", pa.table({"generator_id": ["w", "s"], "position": [0, 1]}))
    found = [
        ("p1", "s", "strong", 2, 2, "reached"),
        ("p2", "s", "strong", 8, 1, "at_most"),
        ("p1", "w", "weak", 8, 0, "at_most"),
        ("p2", "w", "weak", 8, 0, "at_most"),
    ]
    names = ("problem_id", "generator_id", "generator", "samples", "correct", "why")
    opened.register("stops", pa.table({name: [row[at] for row in found] for at, name in enumerate(names)}))
    return opened


def test_stops_are_counted_by_generator_difficulty_and_reason(connection: duckdb.DuckDBPyConnection) -> None:
    found = [tuple(one.values()) for one in stops.summary(connection)]
    assert found == [
        ("weak", "easy", "at_most", 1, 8, 0),
        ("weak", None, "at_most", 1, 8, 0),
        ("strong", "easy", "reached", 1, 2, 2),
        ("strong", None, "at_most", 1, 8, 1),
    ], "a problem that stands twice counts once, one that was not asked not at all"


def test_which_draws_count_is_said_and_metrics_without_any_value_are_named() -> None:
    assert amounts.first_draws({"weak": 2, "strong": 1000}).endswith("measured: 2 of weak, 1,000 of strong.")
    unknown = {"value": None, "why": "nothing to vote for"}
    known = {"value": 0.5, "why": None}
    short = {"value": None, "why": "3 of 9 problems have fewer than 4 judged draws"}
    metrics = {"pass@1": short, "coverage@1": known, "coverage@4": short, "maj@4": unknown, "maj@1": unknown}
    assert reporting._unknown(metrics) == {"nothing to vote for": ["maj@k"]}, "a chart says why it ends"
