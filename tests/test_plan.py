"""`factory plan`: the probe that the run uses, the forecast, and its chart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from factory import forecasting, intake, pipeline, probing
from factory import recipe as recipes
from factory.budget_sections import PerProblem
from factory.cli import app
from factory.commands import display_plan
from factory.errors import UsageError
from factory.progress import Silent
from factory.recipe import Recipe
from factory.report import forecast_chart
from factory.store import Store
from tests.support.running import write_lines

RECIPE = """
name: sums
version: 1.0.0
problems: [{source: file, path: problems.jsonl, columns: {prompt: question, answer: answer}, name: sums}]
generators:
  small: {engine: replay, imported: small}
  large: {engine: replay, imported: large}
budget: {per_problem: {samples: 6}}
verify: {decides: math, workers: 1}
measure: {k: [1, 4]}
"""
MAP = """
problem: {prompt: question, answer: answer, name: sums}
completions:
  - {generator: small, completion: small}
  - {generator: large, completion: large}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 30 problems and six imported completions of each by two generators."""
    folder, drawn = tmp_path_factory.mktemp("plan"), random.Random(0)
    sums = [(f"What is {one} + {two}?", one + two) for one in range(6) for two in range(5)]
    write_lines(folder / "problems.jsonl", [{"question": asked, "answer": str(sum_)} for asked, sum_ in sums])
    rows: list[dict[str, Any]] = []
    for asked, total in sums:
        for rate in (drawn.random() for _ in range(6)):
            said = [total if drawn.random() < one else total + 1 for one in (rate, rate**0.3)]
            texts = {
                name: f"The answer is {one}." for name, one in zip(("small", "large"), said, strict=True)
            }
            rows.append({"question": asked, "answer": str(total)} | texts)
    write_lines(folder / "solutions.jsonl", rows)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "map.yaml").write_text(MAP)
    intake.bring_in(
        folder / "solutions.jsonl", folder / "map.yaml", (), Store(folder / "store"), Silent(), command="test"
    )
    return folder


@pytest.fixture(scope="module")
def told(place: Path, kept_servers: None) -> dict[str, Any]:
    return foretold(place)


def foretold(place: Path) -> dict[str, Any]:
    recipe = recipes.load(place / "recipe.yaml", ())
    return forecasting.forecast(recipe, Store(place / "store"), place, Silent(), problems=8)


def test_without_a_probe_nothing_is_written(place: Path) -> None:
    found = CliRunner().invoke(
        app,
        ["plan", str(place / "recipe.yaml"), "--no-probe", "--json", "-q", "--store", str(place / "none")],
    )
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["forecast"] is None
    assert json.loads(found.stdout)["problems"] == {"asked": 30}
    assert not (place / "none").exists()


def test_a_forecast_holds_what_the_run_then_finds(place: Path, told: dict[str, Any]) -> None:
    forecast = told
    assert forecast["problems"] == 30
    assert forecast["generators"]["small"]["probe"]["problems"] == 8
    assert forecast["generators"]["small"]["probe"]["draws"] == 32, "four of each, though six are imported"
    recipe = recipes.load(place / "recipe.yaml", ())
    run = pipeline.run(recipe, Store(place / "store"), place, Silent())
    for name, entry in forecast["generators"].items():
        part = run.metrics["by"]["generator"][name]
        solved = 1 - part["solve_rate"]["histogram"][0]["problems"] / 30
        assert entry["samples"] == {"value": 180, "low": 180, "high": 180}
        assert entry["coverage"]["low"] <= solved <= entry["coverage"]["high"]


def test_a_probe_is_kept_and_judged_once(place: Path, told: dict[str, Any]) -> None:
    before = Store(place / "store").count("verdicts")
    assert foretold(place)["generators"].keys() == told["generators"].keys()
    assert Store(place / "store").count("verdicts") == before


def test_the_chart_names_the_generators_and_holds_no_script(place: Path, told: dict[str, Any]) -> None:
    forecast_chart.write(place / "c.svg", "sums@1.0.0", told)
    drawn = (place / "c.svg").read_text()
    assert drawn.startswith("<svg")
    assert "small" in drawn
    assert "<script" not in drawn
    figure = forecast_chart.figure("sums@1.0.0", told)
    assert figure is not None
    assert figure.head[2] == forecast_chart.AXES["samples"], "what every generator can tell"
    assert {row[0] for row in figure.rows} == {"small", "large"}


def test_every_estimate_is_shown_with_its_interval(told: dict[str, Any]) -> None:
    shown = list(display_plan.lines(told))
    assert "32 draws of 8 problems" in str(shown[0])
    table = shown[1]
    assert not isinstance(table, str)
    intervals = list(table.columns[3].cells)
    assert all(" to " in str(one) for one in intervals)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--no-probe", "--budget-curve", "c.png"), "leave --no-probe out"),
        (("--budget-curve", "c.pdf"), "ends in one of .png, .svg, .html"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_sampled(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    asked = ["plan", str(tmp_path / "recipe.yaml"), "--store", str(tmp_path / "store"), "-q", *arguments]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, UsageError)
    assert reason in str(refused.exception)
    assert not (tmp_path / "store").exists()


def test_a_replay_of_nothing_foretells_nothing_and_says_so(place: Path, tmp_path: Path) -> None:
    recipe = recipes.load(place / "recipe.yaml", ())
    found = forecasting.forecast(recipe, Store(tmp_path / "store"), place, Silent())
    assert "nothing can be foretold" in " ".join(found["notes"])
    assert found["all"] == {}
    with pytest.raises(UsageError, match="nothing can be foretold of any generator"):
        forecast_chart.write(tmp_path / "c.png", recipe.id, found)


def test_the_notes_are_shown_where_the_chart_cannot_be_drawn(place: Path, tmp_path: Path) -> None:
    asked = ["plan", str(place / "recipe.yaml"), "--store", str(tmp_path / "store"), "-q", "--budget-curve"]
    refused = CliRunner().invoke(app, [*asked, str(tmp_path / "c.svg")])
    assert isinstance(refused.exception, UsageError)
    assert "nothing can be foretold" in refused.stdout
    assert not (tmp_path / "c.svg").exists()


def budgeted(place: Path, budget: dict[str, Any]) -> Recipe:
    return recipes.load(place / "recipe.yaml", (f"budget={json.dumps(budget)}",))


@pytest.mark.parametrize(
    ("per_problem", "probed"),
    [
        ({"samples": 2}, PerProblem(samples=2)),
        ({"samples": 9, "by_generator": {"small": 3}}, PerProblem(samples=4, by_generator={"small": 3})),
        ({"until_correct": 2, "at_most": 64}, PerProblem(until_correct=2, at_most=4)),
        ({"adaptive": "coverage", "at_most": 3}, PerProblem(adaptive="coverage", at_most=3)),
        ({"proportional": "fail_rate", "at_most": 9, "probe": 3}, PerProblem(samples=3)),
    ],
)
def test_a_probe_never_asks_for_more_of_a_problem_than_the_recipe(
    place: Path, per_problem: dict[str, Any], probed: PerProblem
) -> None:
    part = probing.part(budgeted(place, {"per_problem": per_problem}), 20, 4)
    assert part.budget.per_problem == probed
    assert part.budget.problems == 20


def test_a_probe_spends_a_part_of_the_amount(place: Path) -> None:
    part = probing.part(budgeted(place, {"match": "tokens", "amount": 1e4, "problems": 5}), 20, 4)
    assert (part.budget.amount, part.budget.problems) == (1e3, 5)
    assert part.budget.per_problem == PerProblem(samples=4)
