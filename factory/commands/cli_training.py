"""The command that trains a model on a release.

Guarantees: as in `cli.py`. What it does stands in modules of their own; here are arguments and output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from factory.commands import display, terminal
from factory.commands.terminal import (
    DEFAULT_STORE,
    JsonOption,
    QuietOption,
    SetOption,
    StoreOption,
    say,
    say_json,
)


def train_(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|RELEASE",
            help="a recipe file whose release was made, or NAME@X.Y.Z, ORG/NAME@vX.Y.Z, ./FOLDER",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME@X.Y.Z", help="the model's; by default as the release"),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fine-tune a model on a release; the model is then a reference like any other.

    A recipe says how in its section train, a release alone by --set with keys of it. What was killed goes on.

    Example: factory train gsm8k-rft@1.0.0 --set base=HuggingFaceTB/SmolLM2-135M-Instruct --set epochs=1
    """
    from factory import recipe as recipes
    from factory.commands import display_training
    from factory.loop import training_requests
    from factory.store import Store

    opened, sets = Store(store), tuple(set_ or ())
    file = Path(target)
    of_recipe = file.suffix in (".yaml", ".yml")
    request = (
        training_requests.of_recipe(recipes.load(file, sets), opened, name)
        if of_recipe
        else training_requests.of_release(target, sets, opened, name)
    )
    with terminal.progress(as_json, quiet) as progress:
        done = training_requests.carry_out(request, opened, progress)
    found = display_training.plain(done)
    if as_json:
        say_json(found)
        return
    for one in display_training.lines(found):
        say(one)
    # The keys of --set are those of the recipe, or of train where a release alone was named.
    asked = (
        display.command("evaluate", target, store, sets) if of_recipe else f"evaluate RECIPE --store {store}"
    )
    say(f"Next:\n  factory {asked} --model {found['name']}")
    say(f"  in a recipe, as the model of a generator: model: {done.folder}")
