"""A loop by its parts: the recipe of each round, what is handed on, going on, and why it ends."""

from __future__ import annotations

import copy
import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import filelock
import pytest
from rich.console import Console

from factory.commands import display_loop
from factory.errors import CheckFailed, NothingToRelease, UsageError
from factory.loop import loop_figures, loop_state, looping, rounds
from factory.progress import Silent
from factory.recipe import NewModel, Recipe
from factory.store import Store
from tests.support.loops import PLAIN, PROBLEMS, Script, model, recipe

GROWING = {"start": 0.2, "base": 0.2, "r1": 0.3, "r2": 0.4, "r3": 0.5}


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    one = Script(GROWING)
    one.install(monkeypatch, tmp_path)
    return one


def loop(folder: Path, **changes: Any) -> dict[str, Any]:
    return looping.run_loop(recipe(folder, **changes), folder, Store(folder / "store"), Silent())


def state(folder: Path) -> dict[str, Any]:
    found = loop_state.read(folder / "store/loops/loop@1.0.0")
    assert found is not None
    return found


# --- rounds ------------------------------------------------------------------------------------------


def test_a_round_samples_from_the_model_before_it_and_trains_the_base(script: Script, tmp_path: Path) -> None:
    done = loop(tmp_path)
    models = tmp_path / "store/models"
    start, first, second = script.asked("release")
    assert {name: one.engine for name, one in start.generators.items()} == {"people": "human"}
    assert first.generators["nano-r1"].model == str(models / "loop-r0@1.0.0")
    assert second.generators["nano-r2"].model == str(models / "loop-r1@1.0.0")
    assert [(one.name, one.base) for one in script.asked("train")] == [
        ("loop-r0@1.0.0", "./first"),
        ("loop-r1@1.0.0", "./first"),
        ("loop-r2@1.0.0", "./first"),
    ]
    last = script.asked("evaluate")[-1]
    assert [(one.label, Path(one.reference).name) for one in last.models] == [
        ("start", "loop-r0@1.0.0"),
        ("r1", "loop-r1@1.0.0"),
        ("r2", "loop-r2@1.0.0"),
    ]
    assert last.recipe.name == "loop-r2"
    assert last.train_problems == 500
    assert done["stopped"] == {"why": "rounds", "reason": "all 2 rounds are done"}
    assert [one["sampled_from"] for one in done["rounds"]] == [None, "loop-r0@1.0.0", "loop-r1@1.0.0"]
    assert state(tmp_path) == done


def test_the_model_before_can_be_trained_on(script: Script, tmp_path: Path) -> None:
    loop(tmp_path, loop__train_from="previous")
    bases = [Path(one.base).name for one in script.asked("train")]
    assert bases == ["first", "loop-r0@1.0.0", "loop-r1@1.0.0"]


def test_sampling_from_the_start_draws_anew_each_round(script: Script, tmp_path: Path) -> None:
    done = loop(tmp_path, loop__sample_from="start")
    _, first, second = (one.generators for one in script.asked("release"))
    assert first["nano-r1"].model == second["nano-r2"].model
    assert (first["nano-r1"].decoding.seed, second["nano-r2"].decoding.seed) == (5, 6)
    assert [one["sampled_from"] for one in done["rounds"][1:]] == ["loop-r0@1.0.0"] * 2


def test_without_a_start_the_first_round_samples_from_the_learners_model(
    script: Script, tmp_path: Path
) -> None:
    done = loop(tmp_path, loop__start=None, loop__rounds=1, generators__nano__model="org/instruct")
    (release,) = script.asked("release")
    assert release.generators["nano-r1"].model == "org/instruct"
    assert done["rounds"][0]["release"] is done["rounds"][0]["model"] is None
    assert [one.label for one in script.asked("evaluate")[-1].models] == ["base", "r1"]
    assert [one.base for one in script.asked("train")] == ["./first"]


def test_a_base_that_is_to_be_made_is_made_once_of_what_the_start_is_taught(
    script: Script, tmp_path: Path
) -> None:
    done = loop(tmp_path, train__base={"hidden": 16})
    ((made),) = script.asked("make_base")
    assert (made.name, made.data.name) == ("loop-base@1.0.0", "loop-r0@1.0.0")
    assert isinstance(made.settings, NewModel)
    assert {Path(one.base).name for one in script.asked("train")} == {"loop-base@1.0.0"}
    assert (done["base"]["reference"], done["base"]["folder"]) == (None, "models/loop-base@1.0.0")


def test_the_start_is_taught_by_its_own_length_and_the_rounds_by_theirs(
    script: Script, tmp_path: Path
) -> None:
    script.rows = {f"loop-r{number}": {"sft": 8, "preference": 6} for number in range(3)}
    configs = {"configs": ["sft", "preference"]}
    loop(tmp_path, loop__start={"epochs": 4.0}, train__method="dpo", release=configs)
    settings = [one.settings for one in script.asked("train")]
    assert [(one.method, one.steps, one.epochs) for one in settings] == [
        ("sft", None, 4.0),
        ("dpo", 10, None),
        ("dpo", 10, None),
    ]


def of_round(folder: Path, number: int, **changes: Any) -> Recipe:
    read = recipe(folder, **changes)
    rounds.check(read)
    return rounds.round_recipe(read, number, [f"/models/{one}" for one in range(number)])


def test_pooled_rounds_keep_the_earlier_models_with_their_own_numbers(tmp_path: Path) -> None:
    third = of_round(tmp_path, 3, loop__pool_rounds=True, loop__samples=[2, 8])
    assert list(third.generators) == ["people", "nano-r1", "nano-r2", "nano-r3"]
    assert [one.model for one in third.generators.values() if one.engine == "transformers"] == [
        "/models/0",
        "/models/1",
        "/models/2",
    ]
    assert third.budget.per_problem.samples == 8
    assert third.budget.per_problem.by_generator == {"nano-r1": 2}


def test_another_generator_keeps_its_own_number_of_samples(tmp_path: Path) -> None:
    other = {"engine": "replay", "imported": "elsewhere"}
    second = of_round(tmp_path, 2, loop__samples=[2, 8], generators__other=other, loop__learner="nano")
    assert second.budget.per_problem.by_generator == {"other": 4}


def test_a_round_can_ask_a_part_of_the_problems_another_one_each(tmp_path: Path) -> None:
    parts = [of_round(tmp_path, number, loop__problems_per_round=6).budget for number in (1, 2)]
    assert [(one.problems, one.problems_seed) for one in parts] == [(6, 1), (6, 2)]


def test_a_learner_that_stands_apart_does_so_in_every_round(tmp_path: Path) -> None:
    second = of_round(tmp_path, 2, select={"apart": ["people", "nano"]}, loop__pool_rounds=True)
    assert second.select.apart == ("people", "nano-r1", "nano-r2")


def test_the_release_of_a_round_says_nothing_of_where_its_model_lies(tmp_path: Path) -> None:
    read = recipe(tmp_path)
    here, there = (rounds.round_recipe(read, 1, [f"{folder}/loop-r0@1.0.0"]) for folder in ("/a", "/b"))
    assert here.content() == there.content()


def test_round_0_is_of_worked_solutions_alone(tmp_path: Path) -> None:
    start = rounds.start_recipe(
        recipe(
            tmp_path,
            budget={"per_problem": {"samples": 4, "by_generator": {"nano": 2}}, "problems": 3},
            loop__start={"problems": [{"source": "story-sums", "count": 5, "seed": 9}]},
            release={"configs": ["sft", "kto"], "require": {"coverage@4": ">= 0.2"}},
        )
    )
    assert start.name == "loop-r0"
    assert list(start.generators) == ["people"]
    assert (start.budget.problems, start.budget.per_problem.by_generator) == (None, None)
    assert start.release.require == {}
    assert start.select.apart == ("people",)
    assert [one.count for one in start.problems if one.source == "story-sums"] == [5]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loop": None}, "loop@1.0.0 has no loop: add for example  loop: {rounds: 2}"),
        ({"train": None}, "loop@1.0.0 has a loop but no train; add for example  train: {epochs: 3}"),
        ({"train__base": None}, "model: base means the base of train, and train.base is not set"),
        (
            {"train__base": {"hidden": 16}, "loop__start": None},
            "train.base is a model to make, which can write nothing before it was taught",
        ),
        (
            {"loop__pool_rounds": True, "loop__problems_per_round": 5},
            "loop.pool_rounds and loop.problems_per_round exclude each other",
        ),
        (
            {"evaluate__greedy": False},
            "loop.stop.on decides by greedy accuracy, and evaluate.greedy is false",
        ),
        (
            {"train__method": "dpo"},
            "train.method dpo reads preference of each round's release; add to release.configs, which has",
        ),
        (
            {"generators__nano-r1": {"engine": "replay", "imported": "x"}},
            "round 1 samples from nano-r1, and a generator of that name is there already",
        ),
        (
            {"train": {"base": "./first", "epochs": 2.0}, "loop__start": {"steps": 3, "epochs": 1.0}},
            "loop.start: epochs: Value error, steps are set too",
        ),
    ],
)
def test_a_recipe_that_cannot_loop_is_refused(
    script: Script, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as error:
        loop(tmp_path, **changes)
    assert told in str(error.value)


# --- ending ------------------------------------------------------------------------------------------


def test_the_best_round_is_the_result_and_not_the_last(script: Script, tmp_path: Path) -> None:
    script.accuracies = {"start": 0.2, "r1": 0.4, "r2": 0.3}
    done = loop(tmp_path, loop__rounds=3)
    assert done["stopped"]["why"] == "falls"
    found = loop_figures.summary(done)
    assert (found["best"], found["best_model"]) == (1, "models/loop-r1@1.0.0")
    assert json.loads((tmp_path / "store/loops/loop@1.0.0/result.json").read_text()) == found


def test_a_loop_without_evaluation_goes_on_to_its_last_round(script: Script, tmp_path: Path) -> None:
    done = loop(tmp_path, evaluate=None, loop={"rounds": 2, "start": {}})
    assert script.asked("evaluate") == []
    assert (done["stopped"]["why"], done["best"]) == ("rounds", 2)


def test_draws_for_training_are_those_of_the_rounds_own_model(script: Script, tmp_path: Path) -> None:
    done = loop(tmp_path, loop__stop={"on": "validation", "samples": 40})
    assert done["stopped"] == {
        "why": "samples",
        "reason": "40 samples are drawn for training, and stop.samples is 40",
    }
    (row,) = loop_figures.summary(done)["rounds"][1:]
    assert (row["drawn"], row["correct"], row["kept"], row["k"]) == (40, 8, 5, 4), "people wrote the rest"


def test_rounds_are_compared_at_a_k_that_all_of_them_measured(script: Script, tmp_path: Path) -> None:
    done = loop(tmp_path)
    unknown = {"value": None, "low": None, "high": None, "n_problems": 0}
    done["rounds"][1]["release"]["metrics"]["by"]["generator"]["nano-r1"]["coverage@4"] = unknown
    assert [row["k"] for row in loop_figures.summary(done)["rounds"]] == [None, 1, 1]


def test_what_to_do_next_keeps_the_changes_of_the_command(script: Script, tmp_path: Path) -> None:
    found = loop_figures.summary(loop(tmp_path))
    changes = ["loop.rounds=2", "loop.samples=[1, 2]"]
    assert list(display_loop.next_commands(found, Path("r.yaml"), Path("s"), changes)) == [
        "evaluate r.yaml --store s --set 'loop.samples=[1, 2]' --model loop-r2@1.0.0",
        "report loop-r2@1.0.0 --store s",
        "loop r.yaml --store s --set 'loop.samples=[1, 2]' --set loop.rounds=3",
    ]


def test_a_figure_that_was_not_measured_is_an_empty_cell(script: Script, tmp_path: Path) -> None:
    script.accuracies = {"start": 0.2, "r1": None, "r2": 0.4}
    rows = loop_figures.summary(loop(tmp_path))["rounds"]
    console = Console(file=io.StringIO(), width=200)
    for one in display_loop.lines({**loop_figures.summary(state(tmp_path)), "rounds": rows}):
        console.print(one)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "0.200 [0.100, 0.300]" in shown
    assert "+0.200 [+0.190, +0.210]" in shown
    assert "None" not in shown
    assert "It ended because all 2 rounds are done." in shown


def test_a_round_that_keeps_nothing_ends_the_loop(script: Script, tmp_path: Path) -> None:
    script.rows["loop-r2"] = {"samples": 40, "problems": 10}
    done = loop(tmp_path)
    assert done["stopped"]["why"] == "nothing"
    assert done["stopped"]["reason"].startswith(
        "round 2 made no release to train on: loop-r2@1.0.0 has no rows of sft: no sample is kept."
    )
    assert done["best"] == 1
    assert len(loop_figures.summary(done)["rounds"]) == 2
    assert loop(tmp_path)["stopped"] == done["stopped"], "the same command ends with the same word"
    assert [one.name for one in script.asked("release")] == ["loop-r0", "loop-r1", "loop-r2"]


def test_a_first_round_that_keeps_nothing_fails_and_its_state_is_kept(script: Script, tmp_path: Path) -> None:
    script.rows["loop-r1"] = NothingToRelease("there is nothing to release")
    with pytest.raises(NothingToRelease, match="there is nothing to release"):
        loop(tmp_path)
    left = state(tmp_path)
    assert left["stopped"] == {
        "why": "nothing",
        "reason": "round 1 made no release to train on: there is nothing to release",
    }
    assert [one["done"] for one in left["rounds"]] == [True, False]


def test_a_release_that_is_refused_for_another_reason_is_no_end(script: Script, tmp_path: Path) -> None:
    script.rows["loop-r2"] = CheckFailed("loop-r2@1.0.0 is released already")
    with pytest.raises(CheckFailed, match="is released already"):
        loop(tmp_path)
    assert state(tmp_path)["stopped"] is None


# --- early stop --------------------------------------------------------------------------------------


def test_checkpoints_are_judged_on_the_set_that_decides(script: Script, tmp_path: Path) -> None:
    script.accuracies = GROWING | {"checkpoint": 0.25}
    loop(tmp_path, loop__early_stop=3)
    start, first, _ = script.asked("train")
    assert start.early_stop is None, "the start is taught for as long as it says"
    assert first.early_stop.checks == 3
    assert first.early_stop.judge(model(tmp_path / "checkpoint", "x"), 7) == 0.25
    last = script.asked("evaluate")[-1]
    assert (last.recipe.name, last.only) == ("loop-r1-s7", ["validation"])
    assert [one.reference for one in last.models] == [str(tmp_path / "checkpoint")]


def test_a_checkpoint_that_nobody_can_judge_stops_no_training_in_silence(
    script: Script, tmp_path: Path
) -> None:
    loop(tmp_path, loop__early_stop=3)
    judge = script.asked("train")[1].early_stop.judge
    with pytest.raises(CheckFailed, match="none of the problems of validation could be judged"):
        judge(model(tmp_path / "checkpoint", "x"), 7)


# --- going on ----------------------------------------------------------------------------------------

STEPS = [f"{step} loop-r{number}" for number in range(3) for step in ("release", "train", "evaluate")]


def settled(done: dict[str, Any]) -> dict[str, Any]:
    """A state less what tells how it came about."""
    plain = copy.deepcopy(done)
    plain.pop("resumed")
    for entry in plain["rounds"]:
        entry.pop("seconds")
    return plain


class Stopped(Exception):
    """What a step that is broken off leaves with."""


@pytest.mark.parametrize("at", STEPS)
def test_what_was_finished_is_not_made_again(script: Script, tmp_path: Path, at: str) -> None:
    undisturbed = Script(GROWING)
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "other").mkdir()
        undisturbed.install(patch, tmp_path / "other")
        expected = loop(tmp_path / "other")

    def fail(step: str) -> None:
        if step.removesuffix("@1.0.0") == at:
            raise Stopped(step)

    script.fail = fail
    with pytest.raises(Stopped):
        loop(tmp_path)
    script.fail = lambda step: None
    done = loop(tmp_path)
    assert settled(done) == settled(expected)
    assert done["resumed"] == 1
    names = [(kind, getattr(what, "name", None) or what.recipe.name) for kind, what in script.calls]
    assert len(names) == len(set(names)), "a step that was finished was made again"


def test_a_loop_that_has_ended_changes_nothing_when_it_is_called_again(
    script: Script, tmp_path: Path
) -> None:
    first = loop(tmp_path)
    calls = len(script.calls)
    assert loop(tmp_path) == first
    assert len(script.calls) == calls


def test_more_rounds_go_on_where_the_loop_ended(script: Script, tmp_path: Path) -> None:
    loop(tmp_path)
    done = loop(tmp_path, loop__rounds=3)
    assert [one.name for one in script.asked("release")] == ["loop-r0", "loop-r1", "loop-r2", "loop-r3"]
    assert (done["stopped"]["reason"], done["resumed"]) == ("all 3 rounds are done", 0)


def test_a_loop_that_fell_goes_on_when_that_may_be(script: Script, tmp_path: Path) -> None:
    script.accuracies = {"start": 0.2, "r1": 0.1, "r2": 0.4}
    assert loop(tmp_path)["stopped"]["why"] == "falls"
    done = loop(tmp_path, loop__stop={"on": "validation", "falls": False, "no_gain": False})
    assert (done["stopped"]["why"], done["best"]) == ("rounds", 2)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train__steps": 11}, "train.steps: 10 -> 11"),
        ({"budget__per_problem": {"samples": 5}}, "budget.per_problem.samples: 4 -> 5"),
        ({"loop__stop": {"on": "test"}}, 'loop.stop.on: "validation" -> "test"'),
        ({"loop__start": {"steps": 3}}, "loop.start.steps: null -> 3"),
        ({"evaluate__samples": 8}, "evaluate.samples: 0 -> 8"),
        ({"generators__nano__decoding": {"seed": 6}}, "generators.nano.decoding.seed: 5 -> 6"),
    ],
)
def test_other_settings_are_refused_with_what_differs(
    script: Script, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    loop(tmp_path)
    before = state(tmp_path)
    with pytest.raises(CheckFailed) as error:
        loop(tmp_path, **changes)
    assert f"begun with other settings: {told}." in str(error.value)
    assert state(tmp_path) == before


def test_how_fast_it_goes_may_change(script: Script, tmp_path: Path) -> None:
    loop(tmp_path)
    loop(tmp_path, train__micro_batch=4, train__checkpoint_every=2, generators__nano__slots=4)
    assert len(script.asked("train")) == 3


def test_a_model_that_is_gone_is_told_and_not_trained_again(script: Script, tmp_path: Path) -> None:
    loop(tmp_path)
    folder = tmp_path / "store/models/loop-r1@1.0.0"
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(CheckFailed, match=r"the model of round 1 \(.*loop-r1@1\.0\.0\) is not there"):
        loop(tmp_path, loop__rounds=3)
    assert len(script.asked("train")) == 3


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (
            "store/models/loop-r0@1.0.0/model.safetensors",
            "other weights of the start",
            "the model of round 0 ",
        ),
        ("first/model.safetensors", "other weights of the base", "the base (./first) has other weights"),
        (
            "store/releases/loop-r2@1.0.0/note.json",
            '{"release_id": "0", "rows": {}}',
            "is 0, and the round made",
        ),
    ],
)
def test_what_was_changed_is_told(script: Script, tmp_path: Path, path: str, text: str, told: str) -> None:
    loop(tmp_path)
    (tmp_path / path).write_text(text)
    with pytest.raises(CheckFailed) as error:
        loop(tmp_path, loop__rounds=3)
    assert told in str(error.value)
    assert "to begin anew" in str(error.value)


def test_a_release_that_is_gone_is_told(script: Script, tmp_path: Path) -> None:
    loop(tmp_path)
    (tmp_path / "store/releases/loop-r1@1.0.0/note.json").unlink()
    with pytest.raises(CheckFailed, match=r"the release of round 1 \(.*\) cannot be read"):
        loop(tmp_path)


def test_two_processes_do_not_carry_on_one_loop(script: Script, tmp_path: Path) -> None:
    folder = tmp_path / "store/loops/loop@1.0.0"
    folder.mkdir(parents=True)
    held, release = threading.Event(), threading.Event()

    def other() -> None:
        with filelock.FileLock(folder / "lock"):
            held.set()
            release.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(30)
    try:
        with pytest.raises(CheckFailed, match="is carried on by another process"):
            loop(tmp_path)
    finally:
        release.set()
        thread.join()
    assert script.calls == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}'], ids=["empty", "cut", "list", "later"])
def test_a_state_that_cannot_be_read_is_no_new_loop(script: Script, tmp_path: Path, text: str) -> None:
    loop(tmp_path)
    (tmp_path / "store/loops/loop@1.0.0/state.json").write_text(text)
    with pytest.raises(CheckFailed, match="is not the state of a loop that this version reads"):
        loop(tmp_path)
    assert len(script.asked("release")) == 3


def test_the_seconds_of_a_step_that_was_killed_are_counted_to_its_last_sign_of_life(tmp_path: Path) -> None:
    read = recipe(tmp_path)
    folder = tmp_path / "loop"
    folder.mkdir()
    one = loop_state.opened(folder, read, "nano")
    loop_state.round_of(one, 0)["seconds"]["train"] = 5.0
    one["running"] = {"round": 0, "step": "train", "since": time.time() - 100}
    loop_state.save(folder, one)
    loop_state.Pulse(folder).beat()
    found = loop_state.opened(folder, read, "nano")
    assert 104 <= found["rounds"][0]["seconds"]["train"] <= 160
    assert (found["resumed"], found["running"]) == (1, None)


def test_settings_tell_every_section_of_the_recipe(tmp_path: Path) -> None:
    """A section that a later version adds is compared too, unless this says otherwise."""
    told = loop_state.settings(recipe(tmp_path))
    assert set(PLAIN) <= set(told)
    assert told["loop"]["stop"] == {"on": "validation"}
    assert "rounds" not in told["loop"]
    assert told["problems"][0]["seed"] == PROBLEMS[0]["seed"]


def test_every_loop_of_a_store_is_told_as_it_stands(script: Script, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert loop_state.overview(store) == []

    def fail(step: str) -> None:
        if step == "train loop-r1@1.0.0":
            raise Stopped(step)

    script.fail = fail
    with pytest.raises(Stopped):
        loop(tmp_path)
    ((told),) = loop_state.overview(store)
    assert told == {
        "loop": "loop@1.0.0",
        "told": "round 0 is done; it has not ended; `factory loop` with the same recipe goes on",
    }
    script.fail = lambda step: None
    loop(tmp_path)
    assert loop_state.overview(store)[0]["told"] == "round 2 is done; it ended: all 2 rounds are done"
    (tmp_path / "store/loops/loop@1.0.0/state.json").write_text("{")
    assert "is not the state of a loop" in loop_state.overview(store)[0]["told"]
