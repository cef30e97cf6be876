"""How a training is shown when it is done: as a table, and the same as JSON.

Guarantees: what is shown is what training.json says. Left out: what is shown (`cli_training.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from factory.commands import display
from factory.training import folder

if TYPE_CHECKING:
    from factory.loop.fine_tuning import Trained


def plain(done: Trained) -> dict[str, Any]:
    """A training as plain data."""
    found = folder.read(done.folder)
    assert found is not None
    return {
        "name": found.name,
        "folder": str(done.folder),
        "training_id": done.training_id,
        "weights": done.weights,
        "unchanged": done.unchanged,
        "release": found.content["release"],
        "base": found.content["base"],
        "rows": found.content["rows"],
        "license": found.content["licences"]["license"],
        "result": asdict(done.result),
    }


def lines(found: dict[str, Any]) -> Iterator[Table | str]:
    """What `plain` gave, for people."""
    result, left_out = found["result"], found["rows"]["left_out"]
    curve = result["curve"]
    rows: list[tuple[str, object]] = [
        ("release", found["release"]["reference"]),
        ("base", found["base"]["reference"]),
        ("rows trained on", result["rows"]),
        *((f"rows left out: {reason}", number) for reason, number in left_out.items()),
        ("steps", result["steps"]),
        ("epochs", result["epochs"]),
        *((("loss, first", curve[0]["loss"]), ("loss, last", curve[-1]["loss"])) if curve else ()),
        ("tokens", result["tokens"]),
        ("parameters trained", result["trained_parameters"]),
        ("seconds", result["seconds"]),
        ("device", f"{result['device']}, {result['precision']}"),
        *((("went on after interruptions", len(result["resumed_at"])),) if result["resumed_at"] else ()),
    ]
    yield display.table("", ("what", "value"), rows)
    known = "was there already, unchanged" if found["unchanged"] else "written"
    yield f"Model {known}: {found['folder']}"
    yield f"Training id: {found['training_id']}\n"
