"""Real trainings on real releases, and a tuned model that is sampled as any other model is."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from factory import loading, pipeline
from factory.loading import Loaded
from factory.loop import fine_tuning
from factory.progress import Silent
from factory.recipe import Lora, Prompt, Train, Weights
from factory.recipe import load as load_recipe
from factory.store import Store
from tests.support import releases
from tests.support.running import command, done, factory
from tests.support.tiny_model import make_model
from tests.support.trainings import content

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SMALL = {"batch": 4, "micro_batch": 2, "learning_rate": 0.01, "warmup": 0.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with releases in both forms, and a base under apache-2.0."""
    folder = tmp_path_factory.mktemp("tuned")
    store = releases.make_store(folder)
    licences = tuple(f"generators.{name}.license=mit" for name in ("strong", "weak"))
    releases.release(folder, store, sets=licences)
    releases.release(folder, store, "2.0.0", more="  form: messages\n", configs="sft", sets=licences)
    make_model(folder / "base", "llama")
    (folder / "base" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def trained(root: Path, version: str, name: str, prompt: Prompt, **settings: Any) -> dict[str, Any]:
    """training.json of a training on sums@VERSION."""
    data: Loaded = loading.loaded(f"sums@{version}", store=root / "store")
    made = fine_tuning.train(
        Store(root / "store"),
        data,
        Train.model_validate(SMALL | settings),
        base=str(root / "base"),
        prompt=prompt,
        name=name,
        progress=Silent(),
    )
    return content(made.folder)


def test_a_model_learns_from_conversations_and_is_sampled_under_its_licence(root: Path) -> None:
    said = trained(root, "2.0.0", "chat@1.0.0", Prompt(), steps=10)
    losses = [point["loss"] for point in said["result"]["curve"]]
    assert losses[-1] < losses[0] - 0.5, "ten steps teach it which bytes there are"
    assert (said["result"]["rows"], said["result"]["steps"], said["result"]["epochs"]) == (20, 10, 2.0)
    recipe = root / "next.yaml"
    model = json.dumps(str(root / "store" / "models" / "chat@1.0.0"))
    tuned = f"tuned: {{engine: transformers, model: {model}, prompt: plain, decoding: {{max_tokens: 4}}}}"
    text = releases.recipe_text("3.0.0", 1, configs="samples, problems")
    text = text.replace("strong: {engine: replay, imported: strong}", tuned)
    recipe.write_text(text.replace("  weak: {engine: replay, imported: weak}\n", ""))
    store = Store(root / "store")
    made = pipeline.run(load_recipe(recipe), store, root, Silent())
    assert made.sampled == {"tuned": releases.PROBLEMS}
    assert made.release is not None
    manifest = json.loads((made.release / "manifest.json").read_text())
    told = {one["role"]: (one["license"], one["said_by"]) for one in manifest["licences"]["inputs"]}
    assert told["generator"] == ("cc-by-4.0", "model card"), "computed from its base and its release"
    identity = manifest["lock"]["generators"]["tuned"]
    assert json.dumps(said["weights"]) in json.dumps(identity)


@pytest.mark.parametrize(
    ("settings", "trained_share"),
    [
        ({"method": "dpo", "adapter": Lora(rank=2), "steps": 3}, 0.5),
        ({"method": "weighted", "weights": Weights(by="advantage"), "epochs": 0.2}, 1.0),
    ],
)
def test_pairs_and_weights_train_a_model(root: Path, settings: dict[str, Any], trained_share: float) -> None:
    prompt = Prompt(mode="completion", template="{{ prompt }}\n")
    said = trained(root, "1.0.0", f"{settings['method']}@1.0.0", prompt, **settings)
    result = said["result"]
    assert 0 < result["trained_parameters"] <= trained_share * result["parameters"]
    assert all(point["loss"] > 0 for point in result["curve"])
    assert said["weights"] != said["base"]["weights"]
    assert said["rows"]["used"] == result["rows"]
    folder = root / "store" / "models" / said["name"]
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]


def test_a_training_that_is_killed_goes_on_where_it_was(root: Path) -> None:
    sets = ["base=./base", "prompt=plain", "steps=24", "checkpoint_every=2"]
    sets += [f"{key}={value}" for key, value in SMALL.items()]
    arguments = ["train", "sums@1.0.0", "--name", "killed@1.0.0", "--quiet", "--json"]
    arguments += [part for one in sets for part in ("--set", one)]
    models = root / "store" / "models"
    work = models / ".killed@1.0.0.work"
    process = subprocess.Popen(
        command(*arguments),
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list((work / "checkpoints").glob("checkpoint-*"))) < 2:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (models / "killed@1.0.0").exists()
    told = done(factory(*arguments, cwd=root, OMP_NUM_THREADS="1"))
    (step,) = told["result"]["resumed_at"]
    assert 2 <= step < 24
    assert [point["step"] for point in told["result"]["curve"]] == list(range(1, 25))
    assert told["rows"]["used"] == 20
    assert not work.exists()
