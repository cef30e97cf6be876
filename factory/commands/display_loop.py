"""How a loop is shown on a terminal: a row for each round, why it ended, and what to do next.

Guarantees: what was not measured is an empty cell, never 0; a figure stands with its interval. Left out: the
figures (`loop_figures.py`), and the page with the charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from factory.commands import display

Plain = Mapping[str, Any]
Body = tuple[tuple[str, ...], list[tuple[object, ...]]]
"""The heads of a table, and its rows."""

TRAIN: Final = "train"


def lines(found: Plain) -> Iterator[Table | str]:
    """The tables of what came of a loop (`loop_figures.summary`), and why it ended."""
    rows = found["rounds"]
    yield display.table(f"Samples of {found['loop']}", *_drawn(rows))
    yield display.table("Training", *_trained(rows))
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


def next_commands(found: Plain, recipe: Path, store: Path, changes: Sequence[str]) -> Iterator[str]:
    """What one does with a loop that has ended: commands to copy; `changes` are those of --set."""
    if found["best_model"]:
        same = [one for one in changes if not one.startswith("loop.rounds=")]
        model = Path(found["best_model"]).name
        yield f"{display.command('evaluate', recipe, store, same)} --model {model}"
    last = next((row for row in reversed(found["rounds"]) if row["release"]), None)
    if last is not None:
        yield display.command("report", last["release"], store)
    if found["stopped"] and found["stopped"]["why"] in ("rounds", "minutes", "samples"):
        more = max(row["round"] for row in found["rounds"]) + 1
        yield display.command("loop", recipe, store, changes, {"loop.rounds": more})


def _drawn(rows: Sequence[Plain]) -> Body:
    """What each round's own model wrote; round 0 is of worked solutions, or of nothing."""
    k = next((row["k"] for row in rows if row["k"] is not None), "k")
    head = ("round", "sampled from", "samples", "correct", "kept", f"coverage@{k}", f"diversity@{k}")
    plain = ("round", "sampled_from", "drawn", "correct", "kept")
    return head, [
        (*(row[key] for key in plain), row["coverage"]["value"], row["diversity"]["value"]) for row in rows
    ]


def _trained(rows: Sequence[Plain]) -> Body:
    keys = ("round", "rows", "steps", "epochs", "loss", "minutes")
    return ("round", "rows", "steps", "epochs", "last loss", "minutes of the round"), [
        tuple(row[key] for key in keys) for row in rows
    ]


def _measured(rows: Sequence[Plain], sets: Sequence[str]) -> Body:
    """Training problems first: beside them, what held-out ones lack is overfitting."""
    columns: list[tuple[str, list[object]]] = [("round", [row["round"] for row in rows])]
    for name in sorted(sets, key=lambda one: one != TRAIN):
        accuracies = [row["accuracy"].get(name) for row in rows]
        sizes = sorted({one["n_problems"] for one in accuracies if one})
        of = " to ".join(f"{size:,}" for size in sizes[:1] + sizes[1:][-1:])
        columns.append((f"{name}, n = {of}", [_share(one) for one in accuracies]))
        if name != TRAIN:
            columns.append(("over start", [_points(row["over_start"].get(name)) for row in rows]))
    return tuple(name for name, _ in columns), list(zip(*(cells for _, cells in columns), strict=True))


def _share(one: Plain | None) -> str:
    if one is None or one["value"] is None:
        return ""
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _points(one: Plain | None) -> str:
    if one is None or one["value"] is None:
        return ""
    return f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
