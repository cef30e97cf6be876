"""The command that explains a row. Guarantees: as in `cli.py`. Left out: what it tells (`explaining.py`)."""

from __future__ import annotations

from typing import Annotated

import typer

from factory.commands.terminal import DEFAULT_STORE, StoreOption, say, say_json


def explain_(
    ident: Annotated[
        str,
        typer.Argument(metavar="ID", help="of a sample or a problem, or its first digits (6 or more)"),
    ],
    store: StoreOption = DEFAULT_STORE,
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="RELEASE",
            help="this one alone: NAME@X.Y.Z; ./FOLDER or ORG/NAME@vX.Y.Z are read without the store",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="all of it, in full")] = False,
) -> None:
    """Why a row is in or out: its lineage from the problem to every release.

    Example: factory explain 3f2a9c --release gsm8k-rft@1.0.0
    """
    from factory.commands import display_explain
    from factory.lineage import explaining
    from factory.store import Store

    found = explaining.explain(ident, Store(store), release)
    if as_json:
        say_json(found)
        return
    for line in display_explain.lines(found):
        say(line)
