"""The commands about verdicts: verify what is owed, show what flipped, certify a verifier by labelled cases.

Guarantees: exit codes and errors are those of `cli.py`, which registers these commands. A certificate is
printed whatever its figures are; only a requirement that is missed makes the exit code 1.
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
    RecipeArgument,
    SetOption,
    StoreOption,
    say,
    say_json,
)
from factory.errors import UsageError


def verify_(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="try again verdicts lost to time, memory or a crash")
    ] = False,
    show_flips: Annotated[
        bool, typer.Option("--flips", help="then list what another version of the verifier said otherwise")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="VERSION", help="the version to compare with; default: the latest"),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sample what is missing and verify; stop before selection and release.

    Example: factory verify recipes/quickstart.yaml --retry-errors
    """
    from factory import flips, pipeline
    from factory import recipe as recipes
    from factory.store import Store

    if against is not None and not show_flips:
        raise UsageError(f"--against {against}: only --flips compares versions; add --flips")
    read = recipes.load(recipe, tuple(set_ or ()))
    opened = Store(store)
    with terminal.progress(as_json, quiet) as progress:
        outcome = pipeline.run(
            read,
            opened,
            recipe.parent,
            progress,
            command=terminal.command(),
            until="verdicts",
            retry_errors=retry_errors,
        )
        found = flips.flips(read, opened, recipe.parent, progress, against) if show_flips else None
    if as_json:
        say_json(display.outcome(outcome) if found is None else found)
        return
    say(display.counts(outcome.counts, outcome.sampled))
    for table in display.flips(found) if found is not None else ():
        say(table)
    say(f"Next:\n  factory {display.command('run', recipe, store, set_ or ())}")


def certify_(
    verifier: Annotated[str, typer.Argument(metavar="VERIFIER", help="math, arithmetic or unit_tests")],
    cases: Annotated[
        Path,
        typer.Option("--cases", metavar="FILE", help="JSONL rows with gold, prediction and expected"),
    ],
    options: Annotated[
        list[str] | None,
        typer.Option("--options", metavar="KEY=VALUE", help="an option of the verifier, as percent=value"),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", metavar="CONDITION", help='exit 1 unless it holds, as "accuracy>=0.98"'),
    ] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="ignore predictions; make right and wrong ones from each gold")
    ] = False,
    skip_noted: Annotated[
        bool, typer.Option("--skip-noted", help="leave out rows with a note: conventions, not truths")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="only the first N cases")] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="keep the certificate in this store, for its releases")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run labelled cases through a verifier: false accepts, false rejects, intervals, speed.

    Example: factory certify math --cases cases.jsonl --require "accuracy>=0.98"
    """
    from factory import certificates, certifying
    from factory.certifying import Wanted
    from factory.store import Store

    wanted = Wanted(verifier, cases, tuple(options or ()), mutate, skip_noted, limit, tuple(require or ()))
    with terminal.progress(as_json, quiet) as progress:
        certificate = certifying.certify(wanted, progress)
    if store is not None:
        certificates.keep(certificate, wanted, Store(store))
    if as_json:
        say_json(certificate)
    else:
        for part in display.certificate(certificate):
            say(part)
    certifying.require(certificate, wanted)
