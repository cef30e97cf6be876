"""The command that carries a loop on: loop.

Guarantees: as in `cli.py`. What it does stands in `looping.py`; here are arguments and output.
"""

from __future__ import annotations

from factory.commands import display_loop, terminal
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


def loop_(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Rounds of sampling, releasing, training and evaluating; the same command goes on where it was stopped.

    Example: factory loop recipes/rest-em-nano.yaml --set loop.rounds=3
    """
    from factory import recipe as recipes
    from factory.loop import loop_cautions, loop_figures, loop_report, looping
    from factory.store import Store

    read, opened = recipes.load(recipe, tuple(set_ or ())), Store(store)
    with terminal.progress(as_json, quiet) as progress:
        state = looping.run_loop(read, recipe.parent, opened, progress, command=terminal.command())
    found = loop_figures.summary(state)
    page = loop_report.write(opened, state)
    if as_json:
        say_json({**found, "report": str(page)})
        return
    for one in display_loop.lines(found):
        say(one)
    for name, one in loop_figures.last_sets(state).items():
        for caution in loop_cautions.undecided(name, one):
            say(caution)
    say(f"Report: {page}\n")
    commands = display_loop.next_commands(found, recipe, store, set_ or ())
    say("Next:\n" + "\n".join(f"  factory {one}" for one in commands))
