"""From a real release to a model in its place: what it says, what it refuses, what a kill leaves."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from factory import cli, licensing, loading
from factory.errors import CheckFailed, OutsideError, UsageError
from factory.generators import references
from factory.generators.references import ModelFiles
from factory.loading import Loaded
from factory.loop import fine_tuning, trained_models, training_requests
from factory.loop.fine_tuning import EarlyStop, Trained, steps_of
from factory.progress import Silent
from factory.recipe import NewModel, Prompt, Train, TransformersGenerator
from factory.recipe import load as load_recipe
from factory.store import Store
from factory.training import folder, run
from tests.support import releases
from tests.support.tiny_model import make_model
from tests.support.trainings import Heard, Scripted, content

ASKED = Prompt(mode="completion", template="{{ prompt }}\n")
SETTINGS = Train(steps=4, batch=4, micro_batch=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A release whose licence is known, and beside its store the base `base`, under apache-2.0."""
    root = tmp_path_factory.mktemp("releases")
    store = releases.make_store(root)
    licences = tuple(f"generators.{name}.license=mit" for name in ("strong", "weak"))
    releases.release(root, store, sets=licences)
    make_model(root / "base")
    (root / "base" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A base\n")
    return loading.loaded("sums@1.0.0", store=store.root)


@pytest.fixture
def base(made: Loaded) -> str:
    return str(made.folder.parents[2] / "base")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    script = Scripted()
    monkeypatch.setattr(run, "run", script)
    return script


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def train(
    store: Store, made: Loaded, base: str, settings: Train = SETTINGS, name: str = "m@1.0.0", **more: Any
) -> Trained:
    asked = {"prompt": ASKED, "progress": Silent(), **more}
    return fine_tuning.train(store, made, settings, base=base, name=name, **asked)


# --- what is in the folder -------------------------------------------------------------------------------


def test_the_folder_says_what_it_was_trained_on(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    done = train(store, made, base)
    assert done.folder == store.root / "models" / "m@1.0.0"
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "loss.png",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "trained_on.parquet",
        "training.json",
    ]
    said = content(done.folder)
    assert said["release"]["release_id"] == made.release_id
    assert said["base"]["weights"] == references.folder_digest(Path(base))
    assert said["weights"] == done.weights == references.folder_digest(done.folder)
    assert said["rows"] == {"used": 20, "left_out": {}}
    assert (said["steps"], said["result"]["epochs"]) == (4, 0.8)
    assert not list((store.root / "models").glob(".*.work")), "nothing is left of the work"
    sft = next((made.folder / "data" / "sft").glob("*.parquet"))
    told = pq.read_table(done.folder / "trained_on.parquet").to_pylist()
    pairs = {(row["problem_id"], row["prompt"]) for row in pq.read_table(sft).to_pylist()}
    assert [tuple(row.values()) for row in told] == sorted(pairs)


def test_the_card_is_one_of_the_hub_and_its_licence_is_found(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    done = train(store, made, base)
    card = ModelCard.load(done.folder / "README.md")
    assert card.data.library_name == "transformers"
    # Weights under apache-2.0 and rows under cc-by-4.0, which asks for more.
    found = licensing.of_model(TransformersGenerator(engine="transformers", model=str(done.folder)))
    assert found == ("cc-by-4.0", "model card")
    for told in (made.release_id, done.training_id, "0.8", "loss.png"):
        assert told in card.text
    assert str(store.root) not in card.text + json.dumps(content(done.folder)), "no path of this machine"


def test_a_model_trained_on_another_is_told_with_all_it_saw(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    first = train(store, made, base)
    with_problem = [{"problem_id": "0" * 32, "prompt": "of the first alone"}]
    listed = pq.read_table(first.folder / "trained_on.parquet")
    os.chmod(first.folder / "trained_on.parquet", 0o644)
    added = [*with_problem, *listed.to_pylist()]
    pq.write_table(listed.from_pylist(added, schema=listed.schema), first.folder / "trained_on.parquet")
    second = train(store, made, str(first.folder), name="m-r2@1.0.0")
    said = content(second.folder)
    assert [one["name"] for one in said["lineage"]] == ["m@1.0.0"]
    assert said["base"]["reference"] == "m@1.0.0"
    assert pq.read_table(second.folder / "trained_on.parquet").to_pylist() == added
    assert second.training_id != first.training_id


def test_a_release_of_the_hub_is_named_as_there(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    done = train(store, replace(made, repo="acme/sums", commit="d" * 40), base)
    assert content(done.folder)["release"]["reference"] == "acme/sums@v1.0.0"
    card = ModelCard.load(done.folder / "README.md")
    assert card.data.datasets == ["acme/sums"]
    assert "d" * 40 in card.text


def test_the_base_keeps_its_id_of_the_hub_and_loses_its_path(tmp_path: Path) -> None:
    def told(name: str | None, found: Path) -> tuple[str, str | None]:
        said = trained_models.of_base(ModelFiles(found, "e" * 64, "as written", name))
        return said["reference"], said["hub"]

    (tmp_path / "tuned").mkdir()
    record = {"kind": "trained", "name": "m@1.0.0", "training_id": "a" * 32, "weights": "b" * 64}
    first = {"base": {"hub": "acme/tiny"}, "identity": {}, "lineage": [], "release": {"reference": "x@1.0.0"}}
    folder.write(tmp_path / "tuned", record | first)
    assert told("acme/tiny@main", tmp_path) == ("acme/tiny@main", "acme/tiny")
    assert told("wheel:tiny==1.0", tmp_path) == ("wheel:tiny==1.0", None)
    assert told(None, tmp_path) == (tmp_path.name, None)
    assert told(None, tmp_path / "tuned") == ("m@1.0.0", "acme/tiny")


# --- the same again, another one -------------------------------------------------------------------------


def test_the_same_training_again_changes_nothing(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    first = train(store, made, base)
    heard = Heard()
    again = train(store, made, base, SETTINGS.model_copy(update={"micro_batch": 4}), progress=heard)
    assert again == Trained(first.folder, first.training_id, first.weights, first.result, unchanged=True)
    assert (len(scripted.jobs), heard.stages) == (1, [])


def test_epochs_are_the_steps_they_come_to(store: Store, made: Loaded, base: str, scripted: Scripted) -> None:
    train(store, made, base)
    in_epochs = Train(epochs=0.8, batch=4, micro_batch=2)
    assert train(store, made, base, in_epochs).unchanged, "0.8 epochs of 20 rows are 4 steps of 4"


def test_the_order_of_the_generators_makes_no_other_training(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    both = {"steps": 4, "batch": 4, "micro_batch": 2}
    first = train(store, made, base, Train.model_validate({**both, "generators": ["weak", "strong"]}))
    again = train(store, made, base, Train.model_validate({**both, "generators": ["strong", "weak"]}))
    assert (again.unchanged, again.training_id) == (True, first.training_id)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"settings": Train(steps=5, batch=4, micro_batch=2)}, "steps: 4 there, 5 now"),
        ({"settings": Train(steps=4, batch=4, seed=1)}, "settings.seed: 0 there, 1 now"),
        (
            {"settings": Train(steps=4, batch=4, generators=("weak",))},
            r"generators: nothing there, \['weak'\] now",
        ),
        ({"prompt": Prompt(template="{{ prompt }}")}, "prompt.mode: 'completion' there, 'chat' now"),
        ({"early_stop": EarlyStop(2, lambda *_: 0.0)}, r"early_stop: nothing there, \[2, 4\] now"),
    ],
)
def test_another_training_under_the_name_is_refused(
    store: Store, made: Loaded, base: str, scripted: Scripted, changed: dict[str, Any], told: str
) -> None:
    first = train(store, made, base)
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    with pytest.raises(CheckFailed, match=f"is another model: {told}"):
        train(store, made, base, **changed)
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_a_model_that_was_changed_is_not_passed_off(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    done = train(store, made, base)
    os.chmod(done.folder / "config.json", 0o644)
    (done.folder / "config.json").write_text("{}")
    with pytest.raises(CheckFailed, match="was changed after it was trained"):
        train(store, made, base)


def test_a_folder_of_somebody_else_is_left_alone(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    (store.root / "models" / "m@1.0.0").mkdir(parents=True)
    with pytest.raises(CheckFailed, match="is no model that was trained here"):
        train(store, made, base)


@pytest.mark.parametrize("name", ["m", "M@1.0.0", "org/m@v1.0.0", "../m", "m@1", ""])
def test_a_model_is_named_as_a_release_is(store: Store, made: Loaded, base: str, name: str) -> None:
    with pytest.raises(UsageError, match=r"names no model of a store; write NAME@X\.Y\.Z"):
        train(store, made, base, name=name)


def test_one_process_trains_a_name(store: Store, made: Loaded, base: str, scripted: Scripted) -> None:
    (store.root / "models").mkdir(parents=True)
    with (
        filelock.FileLock(store.root / "models" / ".m@1.0.0.lock"),
        pytest.raises(CheckFailed, match=r"m@1.0.0 is being trained by another process"),
    ):
        train(store, made, base)


def test_a_base_whose_word_cannot_be_read_is_told_before_any_work(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    first = train(store, made, base)
    os.chmod(first.folder / "trained_on.parquet", 0o644)
    (first.folder / "trained_on.parquet").write_bytes(b"PAR1")
    with pytest.raises(CheckFailed, match="nobody can tell what the base was trained on"):
        train(store, made, str(first.folder), name="m-r2@1.0.0")
    assert len(scripted.jobs) == 1


# --- kills -----------------------------------------------------------------------------------------------


def test_what_a_kill_leaves_is_gone_on_with(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    scripted.dies_at = 3
    with pytest.raises(OutsideError, match="was killed"):
        train(store, made, base)
    assert not (store.root / "models" / "m@1.0.0").exists(), "half a model is none"
    rows = store.root / "models" / ".m@1.0.0.work" / "rows.parquet"
    heard = Heard()
    rows.with_name("out").mkdir()  # half a model
    assert not train(store, made, base, progress=heard).unchanged
    assert heard.stages == ["train"], "rows are not put into tokens again"
    assert [job.work for job in scripted.jobs] == [rows.with_name("checkpoints")] * 2
    assert not rows.exists()


def test_what_another_training_left_is_not_gone_on_with(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    scripted.dies_at = 3
    with pytest.raises(OutsideError, match="was killed"):
        train(store, made, base)
    heard = Heard()
    train(store, made, base, Train(steps=5, batch=4, micro_batch=2), progress=heard)
    assert heard.stages == ["put rows into tokens", "train"]
    assert "another training; this one starts anew" in heard.said[0]


def test_a_kill_between_the_model_and_the_end_leaves_nothing_for_ever(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    train(store, made, base)
    left = store.root / "models" / ".m@1.0.0.work"
    left.mkdir()
    assert train(store, made, base).unchanged
    assert not left.exists()


# --- early stop ------------------------------------------------------------------------------------------


class Judge:
    """Scores by step; dies once at `dies_at`."""

    def __init__(self, scores: dict[int, float], dies_at: int | None = None) -> None:
        self.scores, self.dies_at, self.seen = scores, dies_at, list[int]()

    def __call__(self, model: Path, step: int) -> float:
        if step == self.dies_at:
            self.dies_at = None
            raise KeyboardInterrupt
        assert json.loads((model / "config.json").read_text())["trained_steps"] == step
        self.seen.append(step)
        return self.scores[step]


@pytest.mark.parametrize(
    ("scores", "seen", "kept"),
    [
        ({1: 0.1, 2: 0.3, 3: 0.2}, [1, 2, 3], 2),
        ({1: 0.1, 2: 0.2, 3: 0.2, 4: 0.2}, [1, 2, 3, 4], 2),
        ({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}, [1, 2, 3, 4], 4),
        ({1: 0.3, 2: 0.2}, [1, 2], 1),
    ],
)
def test_training_ends_when_a_score_falls_and_the_first_of_the_best_is_kept(
    store: Store,
    made: Loaded,
    base: str,
    scripted: Scripted,
    scores: dict[int, float],
    seen: list[int],
    kept: int,
) -> None:
    judge = Judge(scores)
    done = train(store, made, base, early_stop=EarlyStop((1, 2, 3), judge))
    assert (judge.seen, done.result.steps) == (seen, kept)
    assert json.loads((done.folder / "config.json").read_text())["trained_steps"] == kept
    said = content(done.folder)
    assert said["judged"] == [{"step": step, "score": scores[step]} for step in seen]
    assert said["steps"] == 4, "the length that the schedule was for"


def test_nothing_is_judged_twice(store: Store, made: Loaded, base: str, scripted: Scripted) -> None:
    judge = Judge({2: 0.5, 4: 0.6}, dies_at=4)
    with pytest.raises(KeyboardInterrupt):
        train(store, made, base, early_stop=EarlyStop(2, judge))
    done = train(store, made, base, early_stop=EarlyStop(2, judge))
    assert judge.seen == [2, 4]
    assert [job.stop_at for job in scripted.jobs] == [2, 4, 4]
    assert done.result.steps == 4


@pytest.mark.parametrize(
    ("checks", "steps", "at"),
    [
        (4, 100, (25, 50, 75, 100)),
        (4, 3, (1, 2, 3)),
        (1, 7, (7,)),
        ((5, 2, 9, 0), 7, (2, 5, 7)),
        ((), 7, (7,)),
    ],
)
def test_checks(checks: int | tuple[int, ...], steps: int, at: tuple[int, ...]) -> None:
    assert EarlyStop(checks, lambda *_: 0.0).at(steps) == at


@given(st.integers(1, 10_000), st.integers(1, 512), st.floats(0.01, 50))
def test_epochs_are_never_cut_short(rows: int, batch: int, epochs: float) -> None:
    steps = steps_of(Train(epochs=epochs, batch=batch, micro_batch=1), rows)
    assert steps * batch >= epochs * rows * (1 - 1e-12)
    assert steps == 1 or (steps - 1) * batch < epochs * rows
    assert steps_of(Train(batch=batch, micro_batch=1), rows) == math.ceil(3 * rows / batch)


# --- a model made new --------------------------------------------------------------------------------------

SMALL = NewModel(hidden=8, layers=1, heads=1, context=64)


def test_a_new_model_is_made_once_from_the_texts_of_a_release(store: Store, made: Loaded) -> None:
    asked = Prompt(mode="completion", template="Question: {{ prompt }}")
    made_new = fine_tuning.make_base(store, SMALL, made, name="b@1.0.0", progress=Silent(), prompt=asked)
    before = {path.name: path.stat().st_mtime_ns for path in made_new.iterdir()}
    said = content(made_new)
    assert (said["kind"], said["release"]["release_id"]) == ("new", made.release_id)
    assert '"Question"' in (made_new / "tokenizer.json").read_text()
    assert ModelCard.load(made_new / "README.md").data.license == "cc-by-4.0"
    again = fine_tuning.make_base(store, SMALL, made, name="b@1.0.0", progress=Silent(), prompt=asked)
    assert {path.name: path.stat().st_mtime_ns for path in again.iterdir()} == before
    other = SMALL.model_copy(update={"seed": 1})
    with pytest.raises(CheckFailed, match=r"is another model: settings.seed: 0 there, 1 now"):
        fine_tuning.make_base(store, other, made, name="b@1.0.0", progress=Silent(), prompt=asked)


def test_a_trained_model_is_never_taken_for_a_new_one(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    train(store, made, base)
    with pytest.raises(CheckFailed, match="is another model"):
        fine_tuning.make_base(store, SMALL, made, name="m@1.0.0", progress=Silent())
    fine_tuning.make_base(store, SMALL, made, name="b@1.0.0", progress=Silent())
    with pytest.raises(CheckFailed, match="is another model"):
        train(store, made, base, name="b@1.0.0")


# --- the command ---------------------------------------------------------------------------------------


def command(*arguments: object) -> Any:
    """What the command printed; its error is raised."""
    result = CliRunner().invoke(cli.app, ["train", *(str(one) for one in arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_a_release_is_trained_by_its_name(made: Loaded, base: str, scripted: Scripted) -> None:
    root = made.folder.parents[1]
    sets = [f"base={base}", "prompt=plain", "steps=2", "batch=4", "micro_batch=4"]
    arguments = ["sums@1.0.0", "--store", root, "--name", "by-name@1.0.0", "--quiet"]
    arguments += [part for one in sets for part in ("--set", one)]
    found = json.loads(command(*arguments, "--json"))
    assert (found["result"]["steps"], found["unchanged"], found["license"]) == (2, False, "cc-by-4.0")
    shown = command(*arguments)
    for told in ("rows trained on", "epochs", "loss, last", "Model was there already, unchanged"):
        assert told in shown


def test_a_recipe_is_trained_as_it_says(made: Loaded, base: str, scripted: Scripted) -> None:
    root = made.folder.parents[1]
    recipe = root.parent / "sums-1.0.0.yaml"
    more = root.parent / "train.yaml"
    more.write_text(
        recipe.read_text() + f"train: {{base: {base}, prompt: plain, batch: 4, micro_batch: 2, steps: 9}}\n"
    )
    command(more, "--store", root, "--set", "train.steps=3", "--name", "by-recipe@1.0.0", "--quiet")
    said = content(root / "models" / "by-recipe@1.0.0")
    assert (said["steps"], said["identity"]["prompt"]["mode"]) == (3, "chat")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], "name the model to train, as --set base="),
        (
            ["base=./m"],
            r"how a problem is put is not clear \(prompts of the generators that wrote it: none\)",
        ),
        (["base=./m", "prompt=plain"], "there is no file or folder './m'"),
        (["bse=./m"], r"--set bse: bse is not a key here; did you mean base\?"),
        (["steps=1", "epochs=1"], "steps are set too"),
        (["base={hidden: 7}", "prompt=plain"], "hidden"),
    ],
)
def test_what_is_missing_is_asked_for(made: Loaded, sets: list[str], message: str) -> None:
    arguments = [part for one in sets for part in ("--set", one)]
    with pytest.raises(UsageError, match=message):
        command("sums@1.0.0", "--store", made.folder.parents[1], "--quiet", *arguments)


def test_a_recipe_without_its_release_is_told_how_to_make_it(made: Loaded, base: str, tmp_path: Path) -> None:
    recipe = made.folder.parents[2] / "sums-1.0.0.yaml"
    arguments = ["--set", f"train.base={base}", "--set", "train.prompt=plain"]
    with pytest.raises(UsageError, match="it has no release; `factory run RECIPE` makes one"):
        command(recipe, "--store", tmp_path / "other", "--quiet", *arguments)


@pytest.mark.parametrize(
    ("generators", "train_section", "expected"),
    [
        ({"a": "m1"}, {}, ("m1", "Say {{ prompt }}")),
        ({"a": "m1", "b": "m2"}, {"base": "m3"}, ("m3", "Say {{ prompt }}")),
        ({"a": "m1"}, {"prompt": "plain"}, ("m1", "{{ prompt }}")),
        ({"a": "m1", "b": "m2"}, {}, r"the model to train is not clear .*: 2\)"),
        ({}, {"base": "m"}, r"how a problem is put is not clear .*: none\)"),
        ({"a": "base"}, {}, "model: base means the base of train, and train.base is not set"),
    ],
)
def test_base_and_prompt_are_those_of_the_generator(
    made: Loaded, generators: dict[str, str], train_section: dict[str, str], expected: Any
) -> None:
    root = made.folder.parents[1]
    told = {"engine": "transformers", "prompt": {"template": "Say {{ prompt }}"}}
    recipe = load_recipe(
        root.parent / "sums-1.0.0.yaml",
        (
            f"generators={json.dumps({name: told | {'model': one} for name, one in generators.items()})}"
            if generators
            else "version=1.0.0",
            f"train={json.dumps(train_section)}",
        ),
    )
    if isinstance(expected, str):
        with pytest.raises(UsageError, match=expected):
            training_requests.of_recipe(recipe, Store(root), None)
    else:
        asked = training_requests.of_recipe(recipe, Store(root), None)
        assert (asked.base, asked.prompt.template) == expected
        assert asked.name == "sums@1.0.0"


def test_a_base_may_be_a_model_of_the_store(
    store: Store, made: Loaded, base: str, scripted: Scripted
) -> None:
    done = train(store, made, base)
    assert trained_models.reference(store, "m@1.0.0") == str(done.folder)
    assert trained_models.reference(store, "gpt2@main") == "gpt2@main"
    assert trained_models.reference(store, "org/m@1.0.0") == "org/m@1.0.0"
    with pytest.raises(
        UsageError, match=r"n@1\.0\.0: there is no such model in .*models, which has m@1\.0\.0"
    ):
        trained_models.reference(store, "n@1.0.0")
