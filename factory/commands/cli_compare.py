"""The command that puts generators or releases side by side at equal cost: compare.

Guarantees: as in `cli.py`. What it does stands in `comparing/compare.py`; here are arguments and output.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Annotated, Final

import typer

from factory.budget_sections import Currency
from factory.commands import display_compare
from factory.commands.terminal import DEFAULT_STORE, JsonOption, SetOption, StoreOption, say, say_json
from factory.errors import UsageError

CURRENCIES: Final = typing.get_args(Currency)


def compare_(
    sides: Annotated[
        list[str],
        typer.Argument(
            metavar="SIDE...",
            help="releases (NAME@X.Y.Z, or a path), generators of them (RELEASE:GENERATOR), or one release "
            "or recipe for its generators",
        ),
    ],
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="CURRENCY", help=f"{', '.join(CURRENCIES)}; the recipe's by default"),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE", help="draw it, as .png, .svg or .html")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Generators or releases side by side at equal cost: coverage, diversity, cost of a kept row.

    Example: factory compare compute-matched@1.0.0 --chart compare.png
    """
    from factory.comparing import compare
    from factory.report import compare_chart
    from factory.store import Store

    if chart is not None:
        compare_chart.check(chart)
    found = compare.compare(Store(store), sides, _currency(match), tuple(set_ or ()))
    if chart is not None:
        compare_chart.write(chart, found)
    if as_json:
        say_json(found)
        return
    for one in display_compare.lines(found):
        say(one)
    if chart is not None:
        say(f"Chart written: {chart}")


def _currency(text: str | None) -> Currency | None:
    for one in CURRENCIES:
        if text == one:
            found: Currency = one
            return found
    if text is not None:
        raise UsageError(f"--match {text!r:.50}: a currency is one of {', '.join(CURRENCIES)}")
    return None
