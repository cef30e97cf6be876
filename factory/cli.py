"""The command line: with the other `cli_*.py`, all that prints, through `terminal.py`.

Guarantees: a command imports what it needs when it runs, so that the others start at once.
Exit codes: 0 done, 1 a check or requirement failed, 2 wrong usage or recipe, 3 an outside part failed.
An error is one short paragraph with the next step; `--debug` shows the traceback. Results go to standard
output, progress and errors to standard error.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from factory import __version__
from factory.commands import (
    cli_audit,
    cli_compare,
    cli_evaluate,
    cli_explain,
    cli_loop,
    cli_plan,
    cli_releases,
    cli_report,
    cli_sql,
    cli_training,
    cli_verifiers,
    display,
    terminal,
)
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
from factory.errors import FactoryError

if TYPE_CHECKING:
    from factory.recipe import Recipe

app = typer.Typer(
    help="A dataset factory: one recipe in, one verified, versioned release out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(shown: bool) -> None:
    if shown:
        sys.stdout.write(f"factory {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks and log messages")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr)
    if debug:
        os.environ["FACTORY_DEBUG"] = "1"


@app.command("run")
def run_(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a release: sample what is missing, verify, select, measure, release.

    Example: factory run recipes/quickstart.yaml --set budget.per_problem.samples=8 --set version=1.1.0
    """
    from factory import pipeline
    from factory import recipe as recipes
    from factory.release.card import metric_rows
    from factory.store import Store

    read = recipes.load(recipe, tuple(set_ or ()))
    with terminal.progress(as_json, quiet) as progress:
        outcome = pipeline.run(read, Store(store), recipe.parent, progress, command=terminal.command())
    if as_json:
        say_json(display.outcome(outcome))
        return
    say(display.counts(outcome.counts, outcome.sampled))
    if measured := metric_rows(outcome.metrics):
        say(display.table("Measured", ("metric", "value", "95% interval", "problems"), measured))
    else:
        say("Nothing is measured: no model wrote any of these samples.")
    known = "was there already, unchanged" if outcome.unchanged else "written"
    say(f"Release {known}: {outcome.release}\nRelease id: {outcome.release_id}\n")
    say("Next:\n" + "\n".join(f"  factory {line}" for line in _next(read, recipe, store, set_ or ())))


def _next(read: Recipe, recipe: Path, store: Path, changes: Sequence[str]) -> Iterator[str]:
    """What one does with a release that was just made: commands to copy; `changes` are those of --set."""
    from factory.records import HUMAN
    from factory.release import versions

    query = (
        f"SELECT reason, count(*) AS samples FROM why WHERE release = '{read.id}' GROUP BY ALL ORDER BY ALL"
    )
    yield display.command("report", read.id, store)
    yield display.command("release check", read.id, store)
    yield f'sql --store {shlex.quote(str(store))} "{query}"'
    if read.train is not None:
        yield display.command("train", recipe, store, changes)
    if all(one.engine == HUMAN for one in read.generators.values()):
        return  # nobody writes more than there is
    if read.budget.per_problem.samples is None:
        return  # what more there would be, its amounts say
    more = 2 * read.budget.per_problem.samples
    # More samples of a problem change its counts in `rewards`; in the other configs they only add rows.
    grown = versions.next(read.version, "major" if "rewards" in read.release.configs else "minor")
    grew = {"budget.per_problem.samples": more, "version": grown}
    yield display.command("run", recipe, store, changes, grew)


app.add_typer(cli_releases.app, name="release")
app.add_typer(cli_audit.app, name="audit")
app.command("explain")(cli_explain.explain_)
app.command("verify")(cli_verifiers.verify_)
app.command("certify")(cli_verifiers.certify_)
app.command("plan")(cli_plan.plan_)
app.command("report")(cli_report.report_)
app.command("compare")(cli_compare.compare_)
app.command("loop")(cli_loop.loop_)
app.command("train")(cli_training.train_)
app.command("evaluate")(cli_evaluate.evaluate_)


@app.command("status")
def status_(
    recipe: Annotated[Path | None, typer.Argument(metavar="[RECIPE]", help="a recipe file (YAML)")] = None,
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the store holds and, with a recipe, what of it is missing.

    Example: factory status recipes/quickstart.yaml
    """
    from factory import recipe as recipes
    from factory import survey
    from factory.commands import display_budget
    from factory.store import Store

    opened = Store(store)
    found: dict[str, Any] = survey.totals(opened)
    if recipe is not None:
        read = recipes.load(recipe, tuple(set_ or ()))
        with display.Quiet() as progress:
            found["recipe"] = survey.survey(read, opened, recipe.parent, progress)
    if as_json:
        say_json(found)
        return
    rows = [(name, one["rows"], one["parts"]) for name, one in found["tables"].items()]
    say(display.table(f"Store {store}", ("table", "rows", "parts"), rows))
    for kind in ("releases", "models"):
        say(f"{kind.capitalize()}: " + (", ".join(found[kind]) or "none"))
    for one in found["loops"]:
        say(f"Loop {one['loop']}: {one['told']}")
    if recipe is not None:
        say(display.survey(found["recipe"]))
        for line in display_budget.lines(found["recipe"].get("budget")):
            say(line)


app.command("sql")(cli_sql.sql_)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, CSV or Parquet")],
    map_: Annotated[Path, typer.Option("--map", metavar="MAP", help="which column holds what (YAML)")],
    store: StoreOption = DEFAULT_STORE,
    set_: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make completions from elsewhere samples of the store; the same file again adds nothing.

    Example: factory import solutions.jsonl --map recipes/import-gsm8k.yaml
    """
    from factory import intake
    from factory.store import Store

    with terminal.progress(as_json, quiet) as progress:
        done = intake.bring_in(
            file, map_, tuple(set_ or ()), Store(store), progress, command=terminal.command()
        )
    if as_json:
        say_json(done)
        return
    say(display.table("", ("what", "rows"), list(done["counts"].items())))
    names = ", ".join(f"{{engine: replay, imported: {name}}}" for name in done["generators"])
    say(f"A recipe uses them as generators: {names}")


@app.command("schema")
def schema_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where to write")] = Path("schemas"),
) -> None:
    """Write the schemas of recipes, maps and tables.

    Example: factory schema schemas
    """
    from factory import schemas

    for name in schemas.write(folder):
        sys.stdout.write(f"{folder / name}\n")


def _stop(number: int, _: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except FactoryError as error:
        if "FACTORY_DEBUG" in os.environ:
            raise
        sys.stderr.write(f"factory: {display.printable(str(error))}\n")
        sys.exit(error.exit_code)
    except Exception as error:
        if "FACTORY_DEBUG" in os.environ:
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        sys.stderr.write(
            f"factory: a fault of the program: {what}. What was finished is kept. "
            f"Please report it with the output of: factory --debug {shlex.join(sys.argv[1:])}\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("factory: stopped; what was finished is kept, and the same command goes on\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(0)
