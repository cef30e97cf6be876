"""The command that evaluates models on the sets of a recipe.

Guarantees: as in `cli.py`. Left out: what is measured (`evaluating.py`) and how it is shown
(`display_evaluation.py`).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from factory import terminal
from factory.errors import UsageError
from factory.terminal import (
    DEFAULT_STORE,
    JsonOption,
    QuietOption,
    RecipeArgument,
    SetOption,
    StoreOption,
    say,
    say_json,
)

if TYPE_CHECKING:
    from factory.evaluating import Model
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
            "Default: the base, and the model that `factory train RECIPE` made",
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
    from factory import display_evaluation, evaluating
    from factory import recipe as recipes
    from factory.store import Store

    read = recipes.load(recipe, tuple(set_ or ()))
    opened = Store(store)
    models = [_named(one, opened) for one in model] if model else _of_the_recipe(read, opened)
    with terminal.progress(as_json, quiet) as progress:
        found = evaluating.evaluate(read, recipe.parent, opened, models, progress, only=only or None)
    if as_json:
        say_json(found)
        return
    for one in display_evaluation.lines(found):
        say(one)
    say(f"All figures: {evaluating.path_of(opened, found)}")
    generators = sorted({name for one in found["sets"].values() for name in display_evaluation.drawn(one)})
    query = (
        "SELECT s.generator_id, v.status, count(*) AS draws FROM samples s JOIN verdicts v USING (sample_id)"
        f" WHERE s.generator_id IN ({', '.join(repr(one) for one in generators)}) GROUP BY ALL ORDER BY ALL"
    )
    say(f"Next:\n  factory sql --store {shlex.quote(str(store))} {shlex.quote(query)}")


def _named(reference: str, store: Store) -> Model:
    """A model as the command line names it; one of the store goes before a Hub id of the same name."""
    from factory.evaluating import Model

    folder = store.root / "models" / reference
    if folder.is_dir() and folder.parent == store.root / "models":
        return Model(reference, str(folder))
    return Model(reference, reference)


def _of_the_recipe(recipe: Recipe, store: Store) -> list[Model]:
    """The base of the recipe's training and, where it is there, the model that was trained."""
    from factory.evaluating import Model, learner_of

    written = recipe.train.base if recipe.train is not None else None
    base = recipe.generators[learner_of(recipe)].model if written is None else written  # type: ignore[union-attr]
    found = [Model("base", base)] if isinstance(base, str) else []
    trained = store.root / "models" / recipe.id
    if trained.is_dir():
        found.append(Model(recipe.id, str(trained)))
    if not found:
        raise UsageError(
            f"{recipe.id}: its base is made by the first training, and there is no model yet in {trained}. "
            f"Run `factory train` or `factory loop` first, or name a model: --model REF"
        )
    return found
