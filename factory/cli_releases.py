"""The commands on releases: list, check, diff, publish.

Guarantees: as in `cli.py`. What they do stands in modules of their own; here are arguments and output.
"""

from __future__ import annotations

import typer

from factory import display, references
from factory.release import manifest
from factory.store import Store
from factory.terminal import DEFAULT_STORE, JsonOption, StoreOption, say, say_json

app = typer.Typer(
    help="List, check, compare and publish releases.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """The releases of the store, with their rows.

    Example: factory release list
    """
    opened = Store(store)
    found = {name: manifest.read(opened.releases / name) for name in references.released(opened)}
    if as_json:
        say_json(
            [
                {
                    "release": name,
                    "release_id": one["release_id"],
                    "rows": {config: shown["rows"] for config, shown in one["configs"].items()},
                    "folder": str(opened.releases / name),
                }
                for name, one in found.items()
            ]
        )
        return
    rows = [
        (name, ", ".join(f"{config} {shown['rows']:,}" for config, shown in one["configs"].items()))
        for name, one in found.items()
    ]
    say(display.table(f"Releases of {store}", ("release", "rows"), rows))
