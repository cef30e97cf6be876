"""The command that makes a page of a release: report.

Guarantees: as in `cli.py`. What it does stands in `reporting.py`; here are arguments and output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from factory.commands.terminal import DEFAULT_STORE, JsonOption, StoreOption, say, say_json


def report_(
    release: Annotated[
        str, typer.Argument(metavar="RELEASE", help="NAME@X.Y.Z, ORG/NAME@vX.Y.Z, or a path with / or ./")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="where to write; NAME-X.Y.Z.html by default")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="RELEASE", help="compare with this one")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """One HTML file with charts, numbers and sampled rows of a release; it needs no network to be read.

    Example: factory report gsm8k@1.0.0 --out report.html
    """
    from factory import reporting
    from factory.store import Store

    path, shown = reporting.report(Store(store), release, out, against)
    if as_json:
        say_json({"file": str(path), "bytes": path.stat().st_size, **shown})
        return
    say(f"Report written: {path} ({path.stat().st_size:,} bytes). Open it in a browser.")
