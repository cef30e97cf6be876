"""kill -9 in each step of a loop: nothing finished is made again or changed, and it ends where it would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factory.recipe import NewModel
from factory.training import new_model
from tests.support import loop_kills

RECIPE = """
name: killed
version: 1.0.0
problems: [{source: story-sums, count: 24, seed: 1, steps: 1, largest: 9, worked: 12}]
generators:
  people: {engine: human}
  nano:
    engine: transformers
    model: base
    prompt: {mode: completion, template: "{{ prompt }}\\n"}
    slots: 4
    decoding: {max_tokens: 24}
budget: {per_problem: {samples: 4}}
verify: {decides: math, workers: 1}
select: {apart: [people]}
measure: {k: [1, 4], bootstrap: 100}
train: {base: ./first, steps: 24, batch: 8, learning_rate: 0.01, checkpoint_every: 3}
evaluate:
  sets: {test: {problems: [{source: story-sums, split: test, count: 24, seed: 2, steps: 1, largest: 9}]}}
  bootstrap: 100
loop: {rounds: 1, train_problems: 0}
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = "Ana Ben Cara Dan Eva has books cards coins eggs pens apples shells stamps buys finds gets gives"
    texts = [f"{words} away loses sells more How many does have now First Then . ? # + - = ####"]
    shape = NewModel(hidden=16, layers=1, heads=2, context=96)
    making = loop_kills.PROCESSES.Process(target=new_model.make, args=(shape, texts, tmp_path / "first"))
    making.start()
    making.join()
    assert making.exitcode == 0
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_loop_that_is_killed_in_every_step_ends_as_an_undisturbed_one(workplace: Path) -> None:
    whole = workplace / "undisturbed"
    expected = loop_kills.finish("recipe.yaml", whole, workplace)
    store = workplace / "store"
    moments = [loop_kills.sampling(1, 16), loop_kills.training(1, 1), loop_kills.evaluating(1, 1)]
    came = []
    drawn: dict[str, Any] = {}
    made: dict[str, Any] = {}
    for moment in moments:
        came.append(loop_kills.kill("recipe.yaml", store, workplace, moment))
        now, files = loop_kills.samples(store), loop_kills.outputs(store)
        assert {key: now[key] for key in drawn} == drawn, "a committed sample was changed"
        assert {key: files[key] for key in made} == made, "a finished release or model was written again"
        drawn, made = now, files
    state = loop_kills.finish("recipe.yaml", store, workplace)
    now, files = loop_kills.samples(store), loop_kills.outputs(store)
    assert {key: now[key] for key in drawn} == drawn
    assert {key: files[key] for key in made} == made
    assert came[:2] == [True, True], "killed in sampling and in training"
    assert state["resumed"] == sum(came)
    assert state["rounds"][1]["model"]["result"]["resumed_at"], "training went on from a checkpoint"
    undisturbed = loop_kills.samples(whole)
    assert {key: one["completion"] for key, one in now.items()} == {
        key: one["completion"] for key, one in undisturbed.items()
    }, "which samples are decoded side by side does not change a text"
    assert loop_kills.settled(state) == loop_kills.settled(expected)
