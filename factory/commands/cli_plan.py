"""The command that says what a run would do and cost: plan.

Guarantees: as in `cli.py`. What it does stands in `survey.py` and `forecasting.py`; here are arguments and
output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from factory.commands import display, display_plan, terminal
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


def plan_(
    recipe: RecipeArgument,
    probe: Annotated[int, typer.Option("--probe", metavar="N", min=2, help="problems of the probe")] = 20,
    probe_samples: Annotated[
        int, typer.Option("--probe-samples", metavar="K", min=1, help="samples of each of them, at most")
    ] = 4,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="exact counts alone: nothing is drawn or written")
    ] = False,
    budget_curve: Annotated[
        Path | None,
        typer.Option("--budget-curve", metavar="FILE", help="draw coverage against cost: .png, .svg, .html"),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """What a run would do, cost and cover: counts, and a forecast from a small probe that the run will use.

    Example: factory plan recipes/quickstart.yaml --budget-curve budget.png
    """
    from factory import forecasting, survey
    from factory import recipe as recipes
    from factory.errors import UsageError
    from factory.report import forecast_chart
    from factory.store import Store

    if budget_curve is not None:
        if no_probe:
            raise UsageError("--budget-curve is drawn from a probe; leave --no-probe out")
        forecast_chart.check(budget_curve)
    read, opened, told = recipes.load(recipe, tuple(set_ or ())), Store(store), None
    with terminal.progress(as_json, quiet) as progress:
        if not no_probe:
            told = forecasting.forecast(
                read,
                opened,
                recipe.parent,
                progress,
                problems=probe,
                samples=probe_samples,
                command=terminal.command(),
            )
        found = survey.survey(read, opened, recipe.parent, progress)
    if as_json:
        say_json(found | {"forecast": told})
    else:
        say(display.survey(found))
        for one in display_plan.lines(told) if told is not None else ():
            say(one)
    if budget_curve is not None and told is not None:
        forecast_chart.write(budget_curve, read.id, told)  # last: where it cannot be drawn, the notes say why
        if not as_json:
            say(f"Chart written: {budget_curve}")
