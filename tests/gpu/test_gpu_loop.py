"""A loop of two rounds on one card, by the recipe of ReST^EM in small."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from factory.loop import loop_figures, loop_report, looping
from factory.progress import Silent
from factory.recipe import load
from factory.store import Store
from tests.gpu.conftest import used
from tests.gpu.test_gpu_training import GIVEN_BACK

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(3000),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("needs_vllm"),
]

RECIPE = Path(__file__).parents[2] / "recipes" / "rest-em-math.yaml"
SMALL = (
    "problems.0.limit=200",
    "budget.per_problem.samples=16",
    "measure.k=[1, 16]",
    "evaluate.sets.validation.problems.0.limit=100",
    "evaluate.sets.test.problems.0.limit=200",
    "evaluate.samples=4",
    "evaluate.k=[1, 4]",
    "evaluate.majority=[4]",
    "train.batch=32",
    "loop.rounds=2",
    "loop.early_stop=2",
    "loop.train_problems=100",
    "loop.stop.falls=false",
)


def overrides(base: str) -> tuple[str, ...]:
    data = os.environ.get("FACTORY_TEST_DATA")
    if not data:
        pytest.skip("needs GSM8K: set FACTORY_TEST_DATA to the folder that holds gsm8k/train.jsonl")
    train, test = (Path(data).resolve() / "gsm8k" / f"{one}.jsonl" for one in ("train", "test"))
    return (
        *SMALL,
        f"problems.0.path={train}",
        f"evaluate.sets.validation.problems.0.path={train}",
        f"evaluate.sets.test.problems.0.path={test}",
        f"generators.learner.model={base}",
    )


def test_two_rounds_leave_two_models_and_a_free_card(tmp_path: Path, base: str, card: str) -> None:
    before = used()
    store = Store(tmp_path / "store")
    recipe = load(RECIPE, overrides(base))
    state = looping.run_loop(recipe, RECIPE.parent, store, Silent())
    summary = loop_figures.summary(state)
    print(f"\n{card}\n{json.dumps(summary, indent=1)}")
    assert used() < before + GIVEN_BACK
    assert [row["round"] for row in summary["rounds"]] == [0, 1, 2], state["stopped"]
    for row in summary["rounds"][1:]:
        assert row["drawn"] == 16 * 200
        assert 0 < row["kept"] <= 10 * 200
        assert row["over_start"]["test"]["n_problems"] > 0
    assert summary["stopped"]["why"] == "rounds"
    assert loop_report.write(store, state).is_file()
    again = looping.run_loop(recipe, RECIPE.parent, store, Silent())
    assert again["rounds"] == state["rounds"], "what is finished is not made again"
