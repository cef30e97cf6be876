"""The commands of an audit: the page, how it stands, and the same as CSV files.

Guarantees: as in `cli.py`. What they do stands in `auditing/`; here are arguments and output.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from factory.commands import terminal
from factory.commands.terminal import (
    DEFAULT_STORE,
    JsonOption,
    QuietOption,
    SetOption,
    StoreOption,
    say,
    say_json,
)

if TYPE_CHECKING:
    from factory.auditing.subject import Subject
    from factory.store import Store


class _PageByDefault(TyperGroup):
    """A group of commands where what is none of them is the target of the first, `page`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["page", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_PageByDefault,
    help="Label accepted solutions: how many are right by wrong reasoning? `audit RECIPE` opens the page.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TargetArgument = Annotated[
    str, typer.Argument(metavar="RECIPE|RELEASE", help="a recipe file (YAML), or NAME@X.Y.Z of the store")
]
AnnotatorOption = Annotated[
    str | None, typer.Option("--annotator", metavar="NAME", help="who labels; the login's name by default")
]
NumberOption = Annotated[
    int | None,
    typer.Option(
        "--number",
        metavar="N",
        min=1,
        help="solutions to look at; by default measure.false_positives.audit, or 100; more only adds",
    ),
]


@app.command("page")
def page_(
    target: TargetArgument,
    annotator: AnnotatorOption = None,
    number: NumberOption = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="only say the address")] = False,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Open a local web page to label accepted solutions with; ctrl-C ends it. The default.

    Example: factory audit recipes/quickstart.yaml --annotator ann
    """
    from factory.auditing import labels, server
    from factory.auditing.desk import Desk
    from factory.store import Store

    who, opened = labels.annotator_named(annotator), Store(store)
    listening = server.listen(port)  # first, so that a port that is taken is known before any waiting
    with listening:
        subject = _find(target, set_, opened, number, as_json, quiet)
        desk = Desk(opened, subject.items, who, terminal.command())

        def tell(address: str) -> None:
            sys.stderr.write(
                f"{len(desk)} of {len(subject.rows):,} accepted solutions for {who}: {address}\n"
                "Labels are kept as they are given; ctrl-C ends the audit.\n"
            )
            sys.stderr.flush()
            # Without a display a browser of the terminal would open, over what stands there.
            if not no_browser and (sys.platform != "linux" or _display()):
                webbrowser.open(address)

        server.serve(desk, listening, tell)
    _tell(subject, opened, set_, as_json, (who, desk.given, desk.commit()))


def _display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@app.command("status")
def status_(
    target: TargetArgument,
    number: NumberOption = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """How many solutions are labelled, by whom, and how far people agree.

    Example: factory audit status recipes/quickstart.yaml --json
    """
    from factory.store import Store

    opened = Store(store)
    _tell(_find(target, set_, opened, number, as_json, quiet), opened, set_, as_json, None)


@app.command("export")
def export_(
    target: TargetArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="the file to write")],
    labelled: Annotated[bool, typer.Option("--labels", help="what was labelled, a line a label")] = False,
    annotator: AnnotatorOption = None,
    number: NumberOption = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the solutions as CSV, to be labelled in a spreadsheet and brought in with `audit import`.

    Example: factory audit export recipes/quickstart.yaml audit.csv --annotator ann
    """
    from factory.auditing import labels, sheets
    from factory.store import Store

    opened = Store(store)
    subject = _find(target, set_, opened, number, as_json, quiet)
    if labelled:
        words = labels.last_words(opened)
        wanted = None if annotator is None else labels.annotator_named(annotator)
        chosen = {key: said for key, said in words.items() if wanted in (None, key[1])}
        lines, what = sheets.write_filled(file, subject.items, chosen), "labels"
    else:
        lines = sheets.write_to_fill(file, subject.items, labels.annotator_named(annotator))
        what = "solutions"
    if as_json:
        say_json({"file": str(file), what: lines})
        return
    say(f"{file}: {lines} {what}")
    if not labelled:
        say("Write right, wrong or unsure in the column label; then: factory audit import " + str(file))


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="a file that `audit export` wrote, filled in")
    ],
    annotator: AnnotatorOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Bring in the labels of a CSV file, all of them or none; the same file again adds nothing.

    Example: factory audit import audit.csv --annotator ann
    """
    from factory.auditing import labels, sheets
    from factory.store import Store

    who = None if annotator is None else labels.annotator_named(annotator)
    counts = sheets.bring_in(file, who, Store(store), terminal.command())
    if as_json:
        say_json({"counts": counts})
        return
    told = ", ".join(f"{number} {what}" for what, number in counts.items())
    say(f"{file}: labels {told}")


def _find(
    target: str, set_: list[str] | None, store: Store, number: int | None, as_json: bool, quiet: bool
) -> Subject:
    from factory.auditing import subject

    with terminal.progress(as_json, quiet) as progress:
        return subject.find(target, tuple(set_ or ()), store, number, progress)


def _tell(
    subject: Subject,
    store: Store,
    set_: list[str] | None,
    as_json: bool,
    ended: tuple[str, int, str | None] | None,
) -> None:
    """Print how an audit stands; `ended` is who gave how many labels, and why any of them wait."""
    from factory.auditing import standing
    from factory.commands import display_audit

    found = standing.of(subject, store)
    if as_json:
        say_json(found)
        return
    for line in display_audit.lines(found, subject, ended):
        say(line)
    released = subject.recipe is not None and (store.releases / subject.recipe.id).is_dir()
    say(display_audit.next_step(found, subject, store.root, set_ or (), released))
