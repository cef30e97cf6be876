"""How a loop is shown on a terminal: a row for each round, why it ended, and what to do next.

Guarantees: what was not measured is an empty cell, never 0; a figure stands with its interval. Left out: the
figures (`loop_figures.py`), and the page with the charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from factory import display

Plain = Mapping[str, Any]
TRAIN: Final = "train"


def lines(found: Plain) -> Iterator[Table | str]:
    """The tables of what came of a loop (`loop_figures.summary`), and why it ended."""
    rows = found["rounds"]
    yield display.table(f"Rounds of {found['loop']}", *_made(rows))
    sets = list(dict.fromkeys(name for row in rows for name in row["accuracy"]))
    if sets:
        yield display.table("Greedy accuracy, with 95% intervals", *_measured(rows, sets))
    if found["stopped"] is not None:
        yield f"It ended because {found['stopped']['reason']}."
    if found["best"] is not None:
        decided = f" by accuracy on {found['decides']}" if found["decides"] else ""
        yield f"Best round{decided}: {found['best']}" + (
            f", {found['best_model']}" if found["best_model"] else " (the base)"
        )
    if found["resumed"]:
        yield f"It was taken up again {found['resumed']} times."


def next_commands(found: Plain, recipe: Path, store: Path) -> Iterator[str]:
    """What one does with a loop that has ended: commands to copy."""
    if found["best_model"]:
        yield f"evaluate {recipe} --store {store} --model {Path(found['best_model']).name}"
    last = next((row for row in reversed(found["rounds"]) if row["release"]), None)
    if last is not None:
        yield f"report {last['release']} --store {store}"
    if found["stopped"] and found["stopped"]["why"] in ("rounds", "minutes", "samples"):
        more = max(row["round"] for row in found["rounds"]) + 1
        yield f"loop {recipe} --store {store} --set loop.rounds={more}"


def _made(rows: list[Plain]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    head = ("round", "sampled from", "samples", "correct", "kept", "rows", "steps", "epochs", "loss")
    ks = sorted({row["k"] for row in rows if row["k"] is not None})
    k = str(ks[-1]) if len(ks) == 1 else "k"
    return (*head, f"coverage@{k}", f"diversity@{k}", "minutes"), [
        (
            row["round"],
            row["sampled_from"],
            row["drawn"],
            row["correct"],
            row["kept"],
            row["rows"],
            row["steps"],
            row["epochs"],
            row["loss"],
            row["coverage"]["value"],
            row["diversity"]["value"],
            row["minutes"],
        )
        for row in rows
    ]


def _measured(rows: list[Plain], sets: list[str]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    ordered = sorted(sets, key=lambda name: name != TRAIN)  # beside it the gap of overfitting is seen
    head = ["round"]
    for name in ordered:
        head += [name, "over start"] if name != TRAIN else [name]
    body = []
    for row in rows:
        cells: list[object] = [row["round"]]
        for name in ordered:
            cells.append(_share(row["accuracy"].get(name)))
            if name != TRAIN:
                cells.append(_points(row["over_start"].get(name)))
        body.append(tuple(cells))
    return tuple(head), body


def _share(one: Plain | None) -> str:
    if one is None or one["value"] is None:
        return ""
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}] n={one['n_problems']:,}"


def _points(one: Plain | None) -> str:
    if one is None or one["value"] is None:
        return ""
    return f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
