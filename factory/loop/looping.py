"""Rounds: sample from the latest model, verify, select, release, train, evaluate, decide.

Guarantees: each round is a release, a model and an evaluation of its own, made by the same code as single
ones; a step that is finished is written down and never made again: the same command goes on after it, once
what it made was found unchanged. One model is in memory at a time: an engine is closed before a training
begins, which runs in a process of its own. Left out: the recipe of a round (`rounds.py`), when a loop ends
(`stopping.py`), what is remembered (`loop_state.py`), and what was made before (`loop_outputs.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from factory import loading, pipeline
from factory.atomic import write_atomically
from factory.configs import EMPTY
from factory.errors import CheckFailed, NothingToRelease
from factory.loop import (
    evaluating,
    fine_tuning,
    loop_figures,
    loop_models,
    loop_outputs,
    loop_state,
    rounds,
    stopping,
)
from factory.loop.loop_models import Told, Unseen, Work
from factory.loop.loop_state import Pulse, State
from factory.loop.training_rows import CONFIGS
from factory.progress import Progress
from factory.recipe import Recipe, Train
from factory.release import reading
from factory.release.findings import refusal
from factory.store import Store

RESULT: Final = "result.json"


def run_loop(
    recipe: Recipe, base_folder: Path, store: Store, progress: Progress, *, command: str = "factory loop"
) -> State:
    """Carry the loop on to its end; returns its state (see `loop_state.State`).

    Raises UsageError for a recipe that is no loop, CheckFailed when what it made before is not there as it
    was made, when it was begun with other settings, or when no round could be finished because nothing of it
    was kept; and what its steps raise. What was finished before is kept.
    """
    rounds.check(recipe)
    folder = loop_state.folder_of(store, recipe.id)
    with loop_state.held(folder, recipe.id):
        state = loop_state.opened(folder, recipe, rounds.learner_of(recipe)[0])
        work = Work(recipe, base_folder, store, folder, state, Told(progress, Pulse(folder)), command)
        loop_outputs.verify(store, folder, state)
        _go_on(work)
    return state


def _go_on(work: Work) -> None:
    state, loop = work.state, rounds.loop_of(work.recipe)
    while True:
        number = sum(one["done"] for one in state["rounds"])
        if number:
            decision = stopping.decide(loop_figures.figures(state), loop.stop, loop.rounds)
            state["best"] = decision.best
            if not decision.go_on:
                _end(work, decision.why, decision.reason)
                return
        try:
            _round(work, number)
        except NothingToRelease as error:
            _end(work, "nothing", f"round {number} made no release to train on: {error}")
            if number <= 1:  # not even one round: there is no result
                raise
            return


def _end(work: Work, why: str, reason: str) -> None:
    work.state["stopped"] = {"why": why, "reason": reason}
    loop_state.save(work.folder, work.state)
    text = json.dumps(loop_figures.summary(work.state), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(work.folder / RESULT, lambda file: file.write(text.encode()))


# --- a round -----------------------------------------------------------------------------------------


def _round(work: Work, number: int) -> None:
    """All steps of a round that are not finished. Raises NothingToRelease without rows to train on."""
    loop_state.round_of(work.state, number)
    if number or rounds.loop_of(work.recipe).start is not None:
        asked, settings = _asked(work, number)
        _release(work, number, asked, settings)
        _train(work, number, asked, settings)
    _evaluate(work, number)


def _asked(work: Work, number: int) -> tuple[Recipe, Train]:
    """The recipe of a round's release, and how it is trained on."""
    train = work.recipe.train
    assert train is not None
    if number == 0:
        return rounds.start_recipe(work.recipe), rounds.start_settings(work.recipe)
    models = [loop_models.sampler(work, one) for one in range(1, number + 1)]
    return rounds.round_recipe(work.recipe, number, models), train


def _release(work: Work, number: int, asked: Recipe, settings: Train) -> None:
    entry = work.state["rounds"][number]
    if entry["release"] is None:
        with _step(work, number, "release"):
            done = pipeline.run(asked, work.store, work.base_folder, work.progress, command=work.command)
            entry["sampled_from"] = loop_models.told_model(work, number) if number else None
            entry["release"] = {
                "id": asked.id,
                "release_id": done.release_id,
                "counts": done.counts,
                "metrics": done.metrics,
                **_rows(work, asked),
            }
    for config in CONFIGS[settings.method]:
        if config not in entry["release"]["rows"]:
            raise NothingToRelease(
                f"{asked.id} has no rows of {config}: {EMPTY[config]}. Every sample is kept; `factory sql` "
                "shows them. Draw more samples, give more problems, or loosen verify and select"
            )


def _rows(work: Work, asked: Recipe) -> dict[str, Any]:
    """The rows of each config of a release that was just made, and the kept samples of each generator."""
    folder = work.store.releases / asked.id
    found, findings = reading.read(folder)
    if found is None:
        raise CheckFailed(f"{asked.id} cannot be read: {refusal(findings)}")
    rows = {name: one.rows for name, one in found.configs.items()}
    return {"rows": rows, "kept": loop_outputs.kept(folder, found)}


def _train(work: Work, number: int, asked: Recipe, settings: Train) -> None:
    entry = work.state["rounds"][number]
    if entry["model"] is not None:
        return
    with _step(work, number, "train"):
        data = loading.loaded(asked.id, store=work.store.root)
        base = loop_models.base(work, data, settings)
        previous = work.state["rounds"][number - 1]["model"] if number else None
        if previous is not None and rounds.loop_of(work.recipe).train_from == "previous":
            base = loop_models.inside(work, previous["folder"])
        done = fine_tuning.train(
            work.store,
            data,
            settings,
            base=base,
            prompt=loop_models.prompt(work.recipe),
            name=asked.id,
            progress=work.progress,
            early_stop=_early_stop(work, number),
        )
        entry["model"] = {
            "id": asked.id,
            "folder": f"models/{asked.id}",
            "training_id": done.training_id,
            "weights": done.weights,
            "result": json.loads(done.result.to_json()),
        }


def _evaluate(work: Work, number: int) -> None:
    entry = loop_state.round_of(work.state, number)
    with _step(work, number, "evaluate"):
        if work.recipe.evaluate is not None:
            models = [
                evaluating.Model(loop_figures.label(work.state, one), loop_models.made_by(work, one))
                for one in range(number + 1)
            ]
            entry["evaluation"] = evaluating.evaluate(
                _renamed(work.recipe, rounds.round_name(work.recipe, number)),
                work.base_folder,
                work.store,
                models,
                work.progress,
                train_problems=rounds.loop_of(work.recipe).train_problems,
            )
        entry["done"] = True


def _step(work: Work, number: int, name: str) -> Any:
    """Tell which step begins, and time it."""
    planned = rounds.loop_of(work.recipe).rounds
    work.progress.prefix = f"round {number}: "
    spent, left = loop_figures.minutes(work.state, planned)
    told = f"; {spent:.1f} minutes so far" if spent else ""
    told += f", about {left:.0f} left" if left is not None else ""
    work.progress.say(f"Round {number} of {planned}: {name}{told}")
    return loop_state.step(work.folder, work.state, number, name)


# --- early stop --------------------------------------------------------------------------------------


def _early_stop(work: Work, number: int) -> fine_tuning.EarlyStop | None:
    """How many checkpoints of a round's training are judged, and by what: greedy accuracy on stop.on."""
    loop = rounds.loop_of(work.recipe)
    if loop.early_stop is None or loop.stop.on is None or number == 0:
        return None
    on = loop.stop.on

    def judge(model: Path, step: int) -> float:
        named = f"{rounds.round_name(work.recipe, number)}-s{step}"
        found = evaluating.evaluate(
            _greedy_alone(_renamed(work.recipe, named)),
            work.base_folder,
            work.store,
            [evaluating.Model("checkpoint", str(model.resolve()))],
            Unseen(work.progress.pulse),
            only=[on],
        )
        accuracy = loop_figures.accuracy(found, on, "checkpoint")["value"]
        if accuracy is None:
            raise CheckFailed(
                f"{named}: none of the problems of {on} could be judged, so nothing says when to stop the "
                "training. Look at their verdicts, or leave loop.early_stop out"
            )
        return float(accuracy)

    return fine_tuning.EarlyStop(loop.early_stop, judge)


def _renamed(recipe: Recipe, name: str) -> Recipe:
    """The recipe as an evaluation of one round; its name is all that differs."""
    return recipe.model_copy(update={"name": name})


def _greedy_alone(recipe: Recipe) -> Recipe:
    """The recipe without the random draws of its evaluation, which would cost many times what decides."""
    if recipe.evaluate is None:
        return recipe
    update = {"greedy": True, "samples": 0, "k": (1,), "majority": ()}
    return recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update=update)})
