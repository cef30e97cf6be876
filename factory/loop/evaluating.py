"""Evaluates models on the sets of a recipe: greedy pass@1, pass@k, maj@k, and paired differences.

Guarantees: draws and verdicts are facts of the store like all others, so that an evaluation goes on after a
kill and the same weights are never asked twice; one model is loaded at a time. What a model was trained on
is looked for before anything is drawn. Accuracy is the word of the deciding verifier alone: `verify.also`
rejects what is not worth training on, which says nothing of an answer. Every model answers the same
problems, and an answer that could not be judged has not solved its problem: what it might add stands beside
the value. Left out: problems without a judgeable reference, which are counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from factory import problems
from factory.atomic import write_atomically
from factory.errors import CheckFailed, UsageError
from factory.generators import engines
from factory.loop import overlap
from factory.loop.evaluation_draws import DRAWS, GREEDY, Asked, Drawn, Setting, draw
from factory.loop_sections import IN_PROCESS
from factory.metrics import evaluation as figures
from factory.progress import Progress
from factory.recipe import ConsensusOptions, Evaluate, EvaluationSet, Recipe
from factory.records import content_id
from factory.store import Store
from factory.verifiers import pool_server

TRAIN: Final = "train"
"""The set of the recipe's own problems."""

SNIPPET: Final = (
    "evaluate:\n  sets:\n    test: {problems: [{source: gsm8k, split: test}]}\n"
    "  samples: 8\n  k: [1, 8]\n  majority: [8]\n"
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model to evaluate: what it is called in tables, and its reference (a server's name for it)."""

    label: str
    reference: str


def evaluate(
    recipe: Recipe,
    base: Path,
    store: Store,
    models: Sequence[Model],
    progress: Progress,
    *,
    only: Sequence[str] | None = None,
    train_problems: int = 0,
) -> dict[str, Any]:
    """Evaluate `models` on the sets of `recipe.evaluate`, or on those in `only`; `base` is its folder.

    `train_problems` adds the set `train`: so many of the recipe's own problems, chosen by a hash with
    evaluate.seed, greedy only. Returns, and writes to `<store>/evaluations/NAME@VERSION/`, plain JSON data:
    {evaluation_id, recipe, settings, models: [{label, reference, weights}], sets: {name: {verifier,
    problems: {reason: count}, overlap, not_measured: {figure: why}, models: {label: {generators: {greedy,
    draws}, counts: {greedy, draws}, figures: {figure: {value, low, high, n_problems, at_most}}}},
    differences: {label: {label before or first: {figure: {value, low, high, n_problems, wins, losses, ties,
    p}}}}}}}. Figures are `greedy`, `pass@k` and `maj@k` (see `metrics/evaluation.py`).

    Raises UsageError for what cannot be evaluated, CheckFailed when a set was trained on, and what
    `pipeline.run` raises.
    """
    setting = _setting(recipe, base, store, models, progress)
    with pool_server.kept():
        sets, overlaps = _without_overlap(setting, _read(setting, only, train_problems))
        told = {one.name: {"overlap": overlaps.get(one.name)} | _measured(setting, one) for one in sets}
    found = {
        "recipe": recipe.id,
        "settings": setting.evaluate.model_dump(mode="json", exclude={"sets"}),
        "models": [_described(label, config) for label, config in setting.models.items()],
        "sets": told,
    }
    found = {"evaluation_id": content_id(found)} | found
    text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path_of(store, found), lambda file: file.write(text.encode()))
    return found


def _described(label: str, config: Any) -> dict[str, Any]:
    return {"label": label, "reference": config.model, "weights": engines.identity(config)["weights"]}


def path_of(store: Store, found: Mapping[str, Any]) -> Path:
    """Where the result of `evaluate` stands."""
    return store.root / "evaluations" / str(found["recipe"]) / f"{found['evaluation_id']}.json"


def learner_of(recipe: Recipe) -> str:
    """The generator whose engine, prompt and decoding models are evaluated with, by name.

    `loop.learner`, else the only one with a model in this process, else the only one behind a server.
    """
    if recipe.loop is not None and recipe.loop.learner is not None:
        return recipe.loop.learner
    for kinds in (IN_PROCESS, ("openai",)):
        there = [name for name, one in recipe.generators.items() if one.engine in kinds]
        if len(there) == 1:
            return there[0]
        if there:
            break
    raise UsageError(
        f"{recipe.id}: a model is evaluated as one of the generators of the recipe asks it, and which one is "
        f"not clear: {', '.join(there) or 'none'} could. Name it: loop: {{rounds: 1, learner: NAME}}"
    )


# --- what is asked -----------------------------------------------------------------------------------


def _setting(
    recipe: Recipe, base: Path, store: Store, models: Sequence[Model], progress: Progress
) -> Setting:
    settings = recipe.evaluate
    if settings is None:
        raise UsageError(
            f"{recipe.id} has no section evaluate, so nothing says what is measured. Add one, as\n{SNIPPET}"
        )
    labels = [one.label for one in models]
    if not labels or len(set(labels)) < len(labels):
        raise UsageError(f"evaluate: models need labels, each another one; found: {labels}")
    if not settings.greedy and not settings.samples:
        raise UsageError(
            f"{recipe.id}: evaluate measures nothing: greedy is false and samples is 0. Set one of them"
        )
    largest = max([1, *settings.k, *settings.majority])
    if largest > max(settings.samples, 1):
        raise UsageError(
            f"{recipe.id}: evaluate asks for k = {largest} of {settings.samples} random draws; raise "
            f"evaluate.samples to {largest} or more, or take {largest} out of evaluate.k and .majority"
        )
    learner: Any = recipe.generators[learner_of(recipe)]
    return Setting(
        recipe=recipe,
        evaluate=settings,
        base=base,
        store=store,
        models={one.label: _with_model(learner, one.reference) for one in models},
        progress=progress,
    )


def _with_model(learner: Any, reference: str) -> Any:
    """The learner with another model; what a user says of a server's weights holds for that model alone."""
    other: dict[str, str | None] = {"model": reference}
    if learner.engine == "openai" and reference != learner.model:
        other["revision"] = None
    return learner.model_copy(update=other)


def _read(setting: Setting, only: Sequence[str] | None, train_problems: int) -> list[Asked]:
    """The sets that are wanted, with their problems."""
    recipe, sections = setting.recipe, dict(setting.evaluate.sets)
    if train_problems:
        if TRAIN in sections:
            raise UsageError(
                f"{recipe.id}: evaluate.sets.{TRAIN} has the name of the set of the recipe's own problems; "
                "give it another"
            )
        sections[TRAIN] = EvaluationSet(problems=recipe.problems)
    wanted = list(sections) if only is None else list(dict.fromkeys(only))
    if unknown := [name for name in wanted if name not in sections]:
        raise UsageError(f"{recipe.id}: {unknown[0]!r} is none of the evaluation sets, {', '.join(sections)}")
    found = []
    for name in wanted:
        section = sections[name]
        _refuse_consensus(recipe, name, section)
        setting.progress.start(f"read {name}", 0, "problems")
        read = [one for source in section.problems for one in problems.load(source, setting.base)]
        setting.progress.finish()
        found.append(
            Asked(name, section, read, at_most=None if name in setting.evaluate.sets else train_problems)
        )
    return found


def _refuse_consensus(recipe: Recipe, name: str, section: EvaluationSet) -> None:
    if isinstance((section.decides or recipe.verify.decides).options, ConsensusOptions):
        raise UsageError(
            f"{recipe.id}: the set {name!r} would be judged by consensus, which has no reference and so says "
            f"nothing of accuracy. Set evaluate.sets.{name}.decides, as to math"
        )


def _without_overlap(setting: Setting, sets: Sequence[Asked]) -> tuple[list[Asked], dict[str, Any]]:
    """The sets less what the models were trained on, as the recipe wants it, and the figures on that."""
    held_out = [one for one in sets if one.name in setting.evaluate.sets]
    prompts = {problem.problem_id: problem.prompt for one in held_out for problem in one.read}
    if not prompts:
        return list(sets), {}
    trained = {overlap.OF_THE_RECIPE: overlap.of_the_recipe(setting.recipe, setting.base)}
    for label, config in setting.models.items():
        known = config.engine in IN_PROCESS  # a server does not show the files of its model
        trained[label] = overlap.trained_on(config.model) if known else None
    setting.progress.start("look for overlap", 0, "")
    found = overlap.search(prompts.items(), trained)
    setting.progress.finish()
    ids = {one.name: list(dict.fromkeys(problem.problem_id for problem in one.read)) for one in held_out}
    if setting.evaluate.overlap == "refuse":
        overlap.refuse(found, ids, prompts)
    same = {name: frozenset(found.same(asked)) for name, asked in ids.items()}
    for name, left_out in same.items():
        if len(left_out) == len(ids[name]):
            raise CheckFailed(
                f"{setting.recipe.id}: every problem of the evaluation set {name!r} was trained on, so none "
                "is left to evaluate. Nothing was sampled. Give it other problems"
            )
    left = [replace(one, left_out=same.get(one.name, frozenset())) for one in sets]
    return left, {name: found.report(asked, setting.evaluate.overlap) for name, asked in ids.items()}


# --- what is measured --------------------------------------------------------------------------------


def _measured(setting: Setting, asked: Asked) -> dict[str, Any]:
    """All figures of all models on one set."""
    settings, own = setting.evaluate, asked.name not in setting.evaluate.sets
    told: dict[str, dict[str, Any]] = {
        label: {"generators": {}, "counts": {}, "votes_lost": 0} for label in setting.models
    }
    scores: dict[str, dict[str, figures.Scores]] = {label: {} for label in setting.models}
    most: dict[str, dict[str, figures.Scores]] = {label: {} for label in setting.models}
    accounts: dict[str, Any] = {}
    if settings.greedy or own:
        drawn = draw(setting, asked, GREEDY)
        accounts = _told(told, drawn, GREEDY)
        for label in scores:
            scores[label][GREEDY] = figures.solved(drawn.of(label))
            most[label][GREEDY] = figures.solved(figures.as_solved(drawn.of(label)))
    if settings.samples and not own:
        drawn = draw(setting, asked, DRAWS)
        accounts = _told(told, drawn, DRAWS)
        accounts["not_measured"] = {f"maj@{k}": drawn.no_votes for k in settings.majority if drawn.no_votes}
        for label in scores:
            draws, voted = drawn.of(label), drawn.of(label, votes=True)
            scores[label] |= _of_draws(settings, draws, voted, drawn.no_votes)
            most[label] |= _of_draws(
                settings, figures.as_solved(draws), figures.as_solved(voted), drawn.no_votes
            )
    for label, one in scores.items():
        told[label]["figures"] = {
            name: figures.figure(values, most[label][name], settings.bootstrap, settings.seed)
            for name, values in one.items()
        }
    return accounts | {"models": told, "differences": _differences(settings, scores)}


def _of_draws(
    settings: Evaluate, draws: figures.Draws, voted: figures.Draws, no_votes: str
) -> dict[str, figures.Scores]:
    """The figures of random draws; `voted` are those whose answers could be compared."""
    found: dict[str, figures.Scores] = {f"pass@{k}": figures.pass_at_k(draws, k) for k in settings.k}
    if not no_votes:
        found |= {f"maj@{k}": figures.majority_at_k(voted, k) for k in settings.majority}
    return found


def _told(told: Mapping[str, dict[str, Any]], drawn: Drawn, mode: str) -> dict[str, Any]:
    """What a set is judged by and how many problems it asks; adds the accounts of each model to `told`."""
    for label, generator in drawn.generators.items():
        told[label]["generators"][mode] = generator
        told[label]["counts"][mode] = figures.counts(drawn.of(label))
        told[label]["votes_lost"] = sum(name == generator for name, _ in drawn.lost)
    return {"verifier": drawn.verifier, "problems": dict(drawn.problems), "not_measured": {}}


def _differences(settings: Evaluate, scores: Mapping[str, Mapping[str, figures.Scores]]) -> dict[str, Any]:
    """Of every model but the first: to the first, and to the one before it."""
    labels = list(scores)
    return {
        label: {
            other: {
                name: figures.difference(values, scores[other][name], settings.bootstrap, settings.seed)
                for name, values in scores[label].items()
            }
            for other in dict.fromkeys((labels[0], labels[place]))
        }
        for place, label in enumerate(labels[1:])
    }
