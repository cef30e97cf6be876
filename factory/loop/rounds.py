"""The recipe of each round of a loop, made from the recipe of the loop.

Guarantees: pure; a round is a recipe like any other, checked by the same type, so its release is made, shown
and explained like any other. Round 0 is of worked solutions alone. A generator NAME that learns is NAME-r1,
NAME-r2, ... in the rounds, each a model with draws of its own; pooled rounds keep the earlier ones, whose
samples the store has. Left out: carrying a round out (`looping.py`), and when the loop ends (`stopping.py`).

A round: ReST^EM (arXiv 2312.06585, algorithm 1), generate and improve; RFT (arXiv 2308.01825) is one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from factory.errors import UsageError
from factory.generators.references import BASE
from factory.loop.training_rows import CONFIGS
from factory.loop_sections import IN_PROCESS
from factory.recipe import (
    HumanGenerator,
    Loop,
    Measure,
    NewModel,
    Recipe,
    Section,
    Select,
    Train,
    TransformersGenerator,
    VllmGenerator,
)

PEOPLE: Final = "people"
"""The name of the worked solutions' generator in round 0, where the recipe has none."""

Learner = TransformersGenerator | VllmGenerator
S = TypeVar("S", bound=Section)


def check(recipe: Recipe) -> None:
    """Raise UsageError when the recipe is no loop, or its parts cannot work together."""
    if recipe.loop is None:
        raise UsageError(
            f"{recipe.id} has no loop: add for example  loop: {{rounds: 2}}  "
            "(and train and evaluate, where they are missing), or make one release with `factory run`"
        )
    if recipe.train is None:
        raise UsageError(f"{recipe.id} has a loop but no train; add for example  train: {{epochs: 3}}")
    _, learner = learner_of(recipe)
    if learner.model == BASE and recipe.train.base is None:
        raise UsageError(f"{recipe.id}: model: {BASE} means the base of train, and train.base is not set")
    if isinstance(recipe.train.base, NewModel) and recipe.loop.start is None:
        raise UsageError(
            f"{recipe.id}: train.base is a model to make, which can write nothing before it was taught; add "
            "loop.start: {}, which teaches it the worked solutions first"
        )
    if recipe.loop.pool_rounds and recipe.loop.problems_per_round is not None:
        raise UsageError(
            f"{recipe.id}: loop.pool_rounds and loop.problems_per_round exclude each other: the models of "
            "earlier rounds would have to be sampled on the problems of this one. Leave one of them out"
        )
    if recipe.loop.stop.on is not None and recipe.evaluate is not None and not recipe.evaluate.greedy:
        raise UsageError(
            f"{recipe.id}: loop.stop.on decides by greedy accuracy, and evaluate.greedy is false; set it true"
        )
    if recipe.train.generators is not None:
        raise UsageError(
            f"{recipe.id}: train.generators picks rows of one release, and in a loop the learner has another "
            "name in every round; leave it out"
        )
    missing = [one for one in CONFIGS[recipe.train.method] if one not in recipe.release.configs]
    if missing:
        raise UsageError(
            f"{recipe.id}: train.method {recipe.train.method} reads {' and '.join(missing)} of each round's "
            f"release; add to release.configs, which has {', '.join(recipe.release.configs)}"
        )
    if recipe.loop.start is not None:
        start_recipe(recipe)
        start_settings(recipe)
    for number in range(1, recipe.loop.rounds + 1):
        round_recipe(recipe, number, [BASE] * number)


def learner_of(recipe: Recipe) -> tuple[str, Learner]:
    """The name and settings of the generator that learns."""
    loop = loop_of(recipe)
    models = {
        name: one
        for name, one in recipe.generators.items()
        if isinstance(one, TransformersGenerator | VllmGenerator)
    }
    name = loop.learner or next(iter(models), "")
    if name not in models:
        raise UsageError(f"{recipe.id}: no generator of {' or '.join(IN_PROCESS)} is there to learn")
    return name, models[name]


def loop_of(recipe: Recipe) -> Loop:
    """The section loop of a recipe that `check` has passed."""
    assert recipe.loop is not None
    return recipe.loop


def first_reference(recipe: Recipe) -> str | None:
    """The model that is sampled where nothing was trained yet; None where it is yet to be made."""
    _, learner = learner_of(recipe)
    if learner.model != BASE:
        return learner.model
    base = recipe.train.base if recipe.train else None
    return base if isinstance(base, str) else None


def base_reference(recipe: Recipe) -> str | None:
    """The model that training starts from: train.base, or the learner's own; None where it is to be made."""
    base = recipe.train.base if recipe.train else None
    return first_reference(recipe) if base is None else base if isinstance(base, str) else None


def round_name(recipe: Recipe, number: int) -> str:
    """NAME-r2 of a recipe NAME: the name of a round's release and model."""
    return f"{recipe.name}-r{number}"


def samples_of(recipe: Recipe, number: int) -> int:
    """Draws of each problem in round 1, 2, ...; the last number written holds on."""
    name, _ = learner_of(recipe)
    plain = recipe.budget.per_problem
    written = loop_of(recipe).samples or ((plain.by_generator or {}).get(name, plain.most or 1),)
    return written[min(number, len(written)) - 1]


def start_settings(recipe: Recipe) -> Train:
    """How round 0 is trained: as train, by the method sft, for the length that loop.start names."""
    start, train = loop_of(recipe).start, recipe.train
    assert start is not None
    assert train is not None
    written = dict(train) | {"method": "sft"}
    if start.steps is not None or start.epochs is not None:
        written |= {"steps": start.steps, "epochs": start.epochs}
    return _checked(Train, written, f"{recipe.id}: loop.start")


# --- recipes -----------------------------------------------------------------------------------------


def start_recipe(recipe: Recipe) -> Recipe:
    """Round 0: the worked solutions of the problems of loop.start that the verifiers accept, all of them."""
    start = loop_of(recipe).start
    assert start is not None
    people = next(
        (name for name, one in recipe.generators.items() if isinstance(one, HumanGenerator)), PEOPLE
    )
    return _checked(
        Recipe,
        dict(recipe)
        | {
            "name": round_name(recipe, 0),
            "problems": start.problems or recipe.problems,
            "budget": recipe.budget.model_copy(update=_start_budget(recipe)),
            "generators": {people: HumanGenerator(engine="human")},
            "select": Select(dedup=(), apart=(people,)),
            "measure": Measure(k=(1,), by=()),
            "release": recipe.release.model_copy(
                update={"configs": ("sft", "samples", "problems"), "require": {}}
            ),
            **_RELEASE_ONLY,
        },
        f"{recipe.id}: round 0",
    )


def round_recipe(recipe: Recipe, number: int, models: Sequence[str]) -> Recipe:
    """Round `number` from 1: `models[i]` is the reference of the model that samples in round i + 1."""
    loop, (name, learner) = loop_of(recipe), learner_of(recipe)
    drawn = range(1, number + 1) if loop.pool_rounds else (number,)
    sampled = {f"{name}-r{one}": _learner(learner, one, models[one - 1]) for one in drawn}
    taken = sorted(sampled.keys() & recipe.generators.keys())
    if taken:
        raise UsageError(
            f"{recipe.id}: round {number} samples from {taken[0]}, and a generator of that name is there "
            "already; give it another name"
        )
    generators: dict[str, Any] = {}
    for other, one in recipe.generators.items():
        generators |= sampled if other == name else {other: one}
    by = recipe.measure.by if "generator" in recipe.measure.by else ("generator", *recipe.measure.by)
    return _checked(
        Recipe,
        dict(recipe)
        | {
            "name": round_name(recipe, number),
            "generators": generators,
            "budget": recipe.budget.model_copy(update=_budget(recipe, number, drawn)),
            "select": recipe.select.model_copy(update={"apart": _apart(recipe, name, tuple(sampled))}),
            "measure": recipe.measure.model_copy(update={"by": by}),
            **_RELEASE_ONLY,
        },
        f"{recipe.id}: round {number}",
    )


_RELEASE_ONLY: Final = {"train": None, "evaluate": None, "loop": None}


def _start_budget(recipe: Recipe) -> dict[str, Any]:
    """Numbers of generators that round 0 lacks are left out; a limit is that of the recipe's own problems."""
    per_problem = recipe.budget.per_problem.model_copy(update={"by_generator": None})
    start = loop_of(recipe).start
    own = start is None or start.problems is None
    return {"per_problem": per_problem} | ({} if own else {"problems": None, "problems_seed": None})


def _learner(learner: Learner, number: int, model: str) -> Learner:
    """The learner in a round: the seed moves on, so that a model that is sampled again writes anew."""
    decoding = learner.decoding.model_copy(update={"seed": learner.decoding.seed + number - 1})
    return learner.model_copy(update={"model": model, "decoding": decoding})


def _budget(recipe: Recipe, number: int, drawn: Sequence[int]) -> dict[str, Any]:
    loop, (name, _) = loop_of(recipe), learner_of(recipe)
    samples = samples_of(recipe, number)
    written = recipe.budget.per_problem
    others = {
        other: written.samples
        for other, one in recipe.generators.items()
        if other != name and not isinstance(one, HumanGenerator)
    }
    earlier = {f"{name}-r{one}": samples_of(recipe, one) for one in drawn}
    others |= dict(written.by_generator or {})
    others.pop(name, None)
    differing = {key: value for key, value in (others | earlier).items() if value != samples}
    per_problem = written.model_copy(update={"samples": samples, "by_generator": differing or None})
    subset = {"problems": loop.problems_per_round, "problems_seed": number}
    return {"per_problem": per_problem} | (subset if loop.problems_per_round is not None else {})


def _apart(recipe: Recipe, learner: str, sampled: tuple[str, ...]) -> tuple[str, ...] | None:
    if recipe.select.apart is None:
        return None
    return tuple(one for name in recipe.select.apart for one in (sampled if name == learner else (name,)))


def _checked(kind: type[S], data: dict[str, Any], where: str) -> S:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UsageError(f"{where}: {told}") from None
