"""The command that asks a store in SQL: `factory sql`.

Guarantees: as in `cli.py`; results go to standard output or to the file of --out, and what they do not hold
is said on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from factory.commands.terminal import DEFAULT_STORE, StoreOption, say
from factory.errors import UsageError

SHOWN_ROWS: Final = 1000
"""Rows of a table at most, unless --limit says otherwise; of CSV, JSON and files a million."""


def sql_(
    text: Annotated[str, typer.Argument(metavar="QUERY", help="one SELECT statement")],
    store: StoreOption = DEFAULT_STORE,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON list of rows")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a head")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="write a file: .parquet, .csv or .json")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="rows at most (1,000 in a table, 1,000,000 otherwise)"),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="time limit")] = 60.0,
    memory: Annotated[int, typer.Option("--memory", min=64, help="memory limit in MiB")] = 1024,
) -> None:
    """Ask the store and its releases in SQL (DuckDB); it can only read.

    Tables: problems, generators, samples, verdicts, rollouts, labels, ledger; release_sft, release_samples
    and so on over all releases, and "NAME@VERSION/sft" and so on of one. Views: solve_rate, coverage,
    cost_per_kept_row, false_positives, selection, why. `SELECT * FROM tables` lists them with their columns.

    Example: factory sql "SELECT * FROM coverage WHERE generator IS NULL ORDER BY release, k"
    """
    from factory.commands import sql_output
    from factory.query import sql
    from factory.store import Store

    if as_json + as_csv + (out is not None) > 1:
        raise UsageError("give one of --json, --csv and --out; the suffix of --out says its form")
    opened = Store(store)
    shown = not (as_json or as_csv or out)
    limits = sql.Limits(seconds, memory, limit or (SHOWN_ROWS if shown else sql.Limits().rows))
    file = sql_output.target(out, opened) if out is not None else None
    plain = file is None or file.suffix != ".parquet"
    with sql.ask(opened, text, limits, plain=plain) as answer:
        if file is not None:
            say(f"{sql_output.write_file(answer, file):,} rows written to {file}")
        elif as_json:
            sql_output.write_json(answer, sys.stdout.write)
        elif as_csv:
            sql_output.write_csv(answer, sys.stdout.write)
        else:
            say(sql_output.table(answer))
        for note in answer.notes:
            sys.stderr.write(f"factory: {note}\n")
        if answer.cut:
            sys.stderr.write(f"factory: {sql.cut_words(answer.cut, limits)}; --limit raises it\n")
