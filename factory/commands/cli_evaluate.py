"""The command that evaluates models on the sets of a recipe.

Guarantees: as in `cli.py`. Left out: what is measured (`evaluating.py`) and how it is shown
(`display_evaluation.py`).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from factory.commands import terminal
from factory.commands.terminal import (
    DEFAULT_STORE,
    JsonOption,
    QuietOption,
    RecipeArgument,
    SetOption,
    StoreOption,
    say,
    say_json,
)
from factory.errors import UsageError

if TYPE_CHECKING:
    from factory.loop.evaluating import Model
    from factory.recipe import Recipe
    from factory.store import Store


def evaluate_(
    recipe: RecipeArgument,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="REF",
            help="NAME@X.Y.Z of the store's models, a folder, a Hub id or a wheel; several are compared. "
            "Default: the base, and what `factory train` and `factory loop` made of the recipe",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SET", help="an evaluation set; default: all")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Accuracy of models on held-out problems, with intervals; the difference between them is paired.

    Example: factory evaluate recipes/rft.yaml --model HuggingFaceTB/SmolLM2-135M --model gsm8k-rft@1.0.0
    """
    from factory import recipe as recipes
    from factory.commands import display_evaluation
    from factory.loop import evaluating, trained_models
    from factory.store import Store

    read = recipes.load(recipe, tuple(set_ or ()))
    opened = Store(store)
    models = (
        [evaluating.Model(one, trained_models.reference(opened, one)) for one in model]
        if model
        else _of_the_recipe(read, opened)
    )
    with terminal.progress(as_json, quiet) as progress:
        found = evaluating.evaluate(read, recipe.parent, opened, models, progress, only=only or None)
    if as_json:
        say_json(found)
        return
    for one in display_evaluation.lines(found):
        say(one)
    say(f"All figures: {evaluating.path_of(opened, found)}")
    ids = sorted({f"'{it}'" for one in found["sets"].values() for it in display_evaluation.drawn(one)})
    query = (
        "SELECT generator_id, status, count(*) AS draws FROM samples JOIN verdicts USING (sample_id)"
        f" WHERE generator_id IN ({', '.join(ids)}) GROUP BY ALL ORDER BY ALL"
    )
    say(f'Next:\n  factory sql --store {shlex.quote(str(store))} "{query}"')


def _of_the_recipe(recipe: Recipe, store: Store) -> list[Model]:
    """The base of the recipe, and the models that `factory train` and `factory loop` made of it."""
    from factory.loop.evaluating import Model, learner_of

    written = recipe.train.base if recipe.train is not None else None
    learner: Any = recipe.generators[learner_of(recipe)]
    base = learner.model if written is None else written
    found = [Model("base", base)] if isinstance(base, str) else []
    rounds = range(recipe.loop.rounds + 1) if recipe.loop is not None else ()
    for name in (recipe.id, *(f"{recipe.name}-r{number}@{recipe.version}" for number in rounds)):
        if (store.root / "models" / name).is_dir():
            found.append(Model(name, str(store.root / "models" / name)))
    if not found:
        raise UsageError(
            f"{recipe.id}: its base is made by the loop, and {store.root / 'models'} has no model of it yet. "
            "Run `factory loop` first, or name a model: --model REF"
        )
    return found
