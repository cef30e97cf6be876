"""The recipe of the loop that runs anywhere: what it promises, and a smaller size of it from start to end.

`python -m tests.benchmarks.nano_loop FOLDER` runs it in full, over several seeds.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from factory import problems
from factory import recipe as recipes
from factory.errors import UsageError
from factory.loop import rounds
from factory.recipe import NewModel, Recipe, StorySums
from factory.records import Problem
from tests.support import running

RECIPE = Path(__file__).parents[1] / "recipes" / "rest-em-nano.yaml"

SMALLER = {
    "problems.0.count": 1000,
    "train.base.layers": 2,
    "train.steps": 130,
    "loop.rounds": 1,
    "loop.train_problems": 200,
    "evaluate.sets.validation.problems.0.count": 400,
    "evaluate.sets.test.problems.0.count": 500,
}


def read() -> Recipe:
    return recipes.load(RECIPE)


def of(source: Any) -> list[Problem]:
    return list(problems.load(source, RECIPE.parent))


def test_few_problems_are_worked_and_many_have_answers_alone() -> None:
    found = of(read().problems[0])
    worked = [one for one in found if one.solutions]
    assert found[: len(worked)] == worked
    assert 100 <= len(worked) < len(found) / 4


def test_it_is_measured_on_problems_that_it_never_sees() -> None:
    recipe = read()
    assert recipe.evaluate is not None
    sets = {name: {one.prompt for one in of(each.problems[0])} for name, each in recipe.evaluate.sets.items()}
    assert {name: len(prompts) for name, prompts in sets.items()} == {"validation": 500, "test": 2000}
    assert not sets["validation"] & sets["test"]
    trained = {one.prompt for one in of(recipe.problems[0])}
    assert not trained & (sets["validation"] | sets["test"])
    sources = [one for source in recipe.evaluate.sets.values() for one in source.problems]
    kinds = {(one.steps, one.largest) for one in (*sources, *recipe.problems) if isinstance(one, StorySums)}
    assert len(kinds) == 1, "it is taught another family than it is measured on"


def test_the_rounds_fit_together() -> None:
    recipe = read()
    rounds.check(recipe)
    assert isinstance(recipe.train and recipe.train.base, NewModel)
    start = rounds.start_recipe(recipe)
    assert list(start.generators) == ["people"]
    second = rounds.round_recipe(recipe, 2, ["./r0", "./r1"])
    assert list(second.generators) == ["people", "nano-r2"]
    assert second.select.apart == ("people",)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("train.base.hiden=9", "hiden"),
        ("problems.0.split=dev", "'dev'"),
        ("problems.0.worked=-1", "worked"),
        ("loop.stop.on=dev", "'dev'"),
        ("generators.nano.engine=replay", "imported"),
    ],
)
def test_a_size_that_is_misspelt_is_refused(wrong: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipes.load(RECIPE, (wrong,))
    assert told in str(caught.value)


# --- a smaller size of it ----------------------------------------------------------------------------


def loop(folder: Path) -> dict[str, Any]:
    """The smaller loop in a process of its own; what its --json tells."""
    command = running.command("loop", RECIPE, "--store", "store", "--json")
    for key, value in SMALLER.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def unchanged(store: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file of the models, releases and samples."""
    kinds = ("models", "releases", "samples", "verdicts", "problems")
    files = [one for kind in kinds for one in (store / kind).rglob("*") if one.is_file()]
    return {str(one.relative_to(store)): (one.stat().st_size, one.stat().st_mtime_ns) for one in files}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_model_made_of_nothing_learns_from_its_own_solutions(tmp_path: Path) -> None:
    told = loop(tmp_path)
    start, first = told["rounds"]
    assert (told["stopped"]["why"], told["best"]) == ("rounds", 1)

    # Round 0 is taught the worked solutions, round 1 those and what the start wrote and the verifiers passed.
    assert (start["rows"], start["steps"]) == (150, 130)
    assert (first["drawn"], first["steps"]) == (4 * 1000, 130)
    assert first["rows"] == first["kept"] + start["rows"] > start["rows"]
    assert first["rows"] - start["rows"] <= min(first["correct"], 2 * 1000)
    assert first["coverage"]["value"] >= first["correct"] / first["drawn"]

    gain = first["over_start"]["test"]
    assert gain["n_problems"] == 500
    assert gain["low"] > 0, f"no gain: {gain}"
    expected = first["accuracy"]["test"]["value"] - start["accuracy"]["test"]["value"]
    assert gain["value"] == pytest.approx(expected)

    # The same command again finds everything made.
    before = unchanged(tmp_path / "store")
    assert loop(tmp_path)["rounds"] == told["rounds"]
    assert unchanged(tmp_path / "store") == before
