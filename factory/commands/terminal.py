"""What the commands share: how they print, how they show progress, and the arguments many of them take.

Guarantees: results go to standard output, progress and errors to standard error. Left out: how a result
is laid out (`display.py`), and the commands (`cli.py`, `cli_verifiers.py`), the only ones that call this.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from factory.commands import display

StoreOption = Annotated[Path, typer.Option("--store", envvar="FACTORY_STORE", help="the store's folder")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="override one key for this run, as budget.per_problem.samples=8"
    ),
]
RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe file (YAML)")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of tables; progress as JSON lines")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
DEFAULT_STORE: Final = Path("store")


def say(value: object) -> None:
    """Print a text or a table to standard output."""
    # Commands to copy must not be broken at the width of the terminal; tables must.
    Console().print(value, soft_wrap=isinstance(value, str), highlight=False, markup=False)


def say_json(value: object) -> None:
    """Print a value as indented, strict JSON to standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def progress(as_json: bool, quiet: bool) -> display.Bars | display.Lines | display.Quiet:
    """What shows the progress of a command on standard error."""
    if quiet:
        return display.Quiet()
    if as_json:
        return display.Lines(lambda line: sys.stderr.write(line + "\n"))
    return display.Bars(Console(stderr=True))


def command() -> str:
    """The command line of this process, as the lock of a store names its owner."""
    return shlex.join(["factory", *sys.argv[1:]])
