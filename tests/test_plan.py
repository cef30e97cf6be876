"""`factory plan`: the probe that the run uses, the forecast, and its chart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from factory import forecasting, pipeline, probing
from factory import recipe as recipes
from factory.budget_sections import PerProblem
from factory.commands import display_plan
from factory.errors import UsageError
from factory.progress import Silent
from factory.recipe import Recipe
from factory.report import forecast_chart
from factory.store import Store
from tests.support.running import done, factory, write_lines

RECIPE = """
name: sums
version: 1.0.0
problems: [{source: file, path: problems.jsonl, columns: {prompt: question, answer: answer}, name: sums}]
generators:
  small: {engine: replay, imported: small, active_parameters: 1.0e6, price: {input: 0.1, output: 0.2}}
  large: {engine: replay, imported: large, active_parameters: 3.0e6, price: {input: 0.3, output: 0.6}}
budget: {per_problem: {samples: 6}}
verify: {decides: math, workers: 1}
measure: {k: [1, 4]}
"""
MAP = """
problem: {prompt: question, answer: answer, name: sums}
completions:
  - {generator: small, completion: small, prompt_tokens: read, completion_tokens: wrote}
  - {generator: large, completion: large, prompt_tokens: read, completion_tokens: wrote}
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
            rows.append(
                {"question": asked, "answer": str(total), "read": 20, "wrote": drawn.randint(5, 15)} | texts
            )
    write_lines(folder / "solutions.jsonl", rows)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "map.yaml").write_text(MAP)
    done(factory("import", "solutions.jsonl", "--map", "map.yaml", "--json", "-q", cwd=folder))
    return folder


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Any]:
    made = factory(
        "plan", "recipe.yaml", "--json", "-q", "--probe", "8", "--budget-curve", "c.svg", cwd=place
    )
    found: dict[str, Any] = done(made)
    return found


def test_without_a_probe_nothing_is_written(place: Path) -> None:
    before = sorted(path.name for path in (place / "store").iterdir())
    found = done(factory("plan", "recipe.yaml", "--no-probe", "--json", "-q", "--store", "none", cwd=place))
    assert found["forecast"] is None
    assert found["problems"] == {"asked": 30}
    assert not (place / "none").exists()
    assert sorted(path.name for path in (place / "store").iterdir()) == before


def test_a_forecast_holds_what_the_run_then_finds(place: Path, told: dict[str, Any]) -> None:
    forecast = told["forecast"]
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
        spent = run.metrics["budget"]["generators"][name]["realised"]
        for currency in ("tokens", "flops", "usd"):
            # Half as far again: one interval of twenty misses, and a test may not.
            low, high = (entry[currency][end] for end in ("low", "high"))
            assert low - (high - low) / 2 <= spent[currency] <= high + (high - low) / 2, currency


def test_a_probe_is_kept_and_judged_once(place: Path, told: dict[str, Any]) -> None:
    verdicts = duckdb.sql(f"SELECT count(*) FROM '{place}/store/verdicts/*.parquet' WHERE attempt = 0")
    before = verdicts.fetchall()
    again = done(factory("plan", "recipe.yaml", "--json", "-q", "--probe", "8", cwd=place))
    assert (
        duckdb.sql(f"SELECT count(*) FROM '{place}/store/verdicts/*.parquet' WHERE attempt = 0").fetchall()
        == before
    )
    assert set(again["forecast"]["generators"]) == {"small", "large"}


def test_the_chart_names_the_generators_and_holds_no_script(place: Path, told: dict[str, Any]) -> None:
    drawn = (place / "c.svg").read_text()
    assert drawn.startswith("<svg")
    assert "small" in drawn
    assert "<script" not in drawn
    figure = forecast_chart.figure("sums@1.0.0", told["forecast"])
    assert figure is not None
    assert figure.head[2] == "US dollars", "the first currency that every generator can tell"
    assert {row[0] for row in figure.rows} == {"small", "large"}


def test_every_estimate_is_shown_with_its_interval(told: dict[str, Any]) -> None:
    shown = list(display_plan.lines(told["forecast"]))
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
        (("--probe", "1"), "not in the range"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_drawn(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    refused = factory("plan", "recipe.yaml", "-q", *arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert reason in " ".join(refused.stderr.replace("│", " ").split())
    assert not (tmp_path / "store").exists()


def test_a_replay_of_nothing_foretells_nothing_and_says_so(place: Path, tmp_path: Path) -> None:
    recipe = recipes.load(place / "recipe.yaml", ())
    found = forecasting.forecast(recipe, Store(tmp_path / "store"), place, Silent())
    assert "nothing can be foretold" in " ".join(found["notes"])
    assert found["all"] == {}
    with pytest.raises(UsageError, match="nothing can be foretold of any generator"):
        forecast_chart.write(tmp_path / "c.png", recipe.id, found)


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
