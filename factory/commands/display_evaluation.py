"""How the command line shows an evaluation: a table for each set, and what to read it with.

Guarantees: what was left out, could not be judged or was not measured is told beside the figures; labels
and names cannot steer the terminal. Left out: the figures (`evaluating.py`, whose docstring gives their
shape).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.table import Table

from factory.commands.display import printable, table

FEW: Final = 30
"""Below so many problems the intervals of the bootstrap are known to be too narrow."""

FIGURES: Final = {"greedy": "pass@1 greedy"}
"""What a figure is called, where not by its own name."""


def lines(found: Mapping[str, Any]) -> Iterator[Table | str]:
    """A table for each set: a row a model and figure, with its interval and its difference to the first."""
    first = found["models"][0]["label"]
    columns = ["model", "figure", "value", "95% interval", "problems"]
    if len(found["models"]) > 1:
        columns += [f"minus {first}", "95% interval", "p"]
    for name, one in found["sets"].items():
        rows = [
            _row(label, figure, value, one["differences"].get(label, {}).get(first, {}).get(figure))
            for label, told in one["models"].items()
            for figure, value in told["figures"].items()
        ]
        title = f"{name}, judged by {one['verifier']}"
        yield table(title, [printable(column) for column in columns], (row[: len(columns)] for row in rows))
        yield from (printable(f"  {note}") for note in _notes(one))


def drawn(told: Mapping[str, Any]) -> set[str]:
    """The ids of all generators of a set."""
    return {generator for model in told["models"].values() for generator in model["generators"].values()}


def _row(label: str, figure: str, value: Mapping[str, Any], less: Mapping[str, Any] | None) -> list[Any]:
    row = [label, FIGURES.get(figure, figure), _share(value["value"]), _interval(value), value["n_problems"]]
    return row + (
        ["", "", ""] if less is None else [_share(less["value"], "+"), _interval(less, "+"), less["p"]]
    )


def _notes(one: Mapping[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{reason} {number:,}" for reason, number in one["problems"].items())
    yield f"problems: {counts}"
    fewest = min(
        (it["n_problems"] for told in one["models"].values() for it in told["figures"].values()), default=0
    )
    if fewest < FEW:
        yield f"of so few problems ({fewest}) the intervals are too narrow: take {FEW} or more"
    if undecided := [
        f"{label} {sum(counted['error'] + counted['unverified'] for counted in told['counts'].values()):,}"
        for label, told in one["models"].items()
        if any(counted["error"] + counted["unverified"] for counted in told["counts"].values())
    ]:
        yield f"draws that could not be judged, counted as not solving their problem: {', '.join(undecided)}"
    if open_ := [
        f"{label} {FIGURES.get(name, name)} {it['at_most']:.4f}"
        for label, told in one["models"].items()
        for name, it in told["figures"].items()
        if it["at_most"] is not None and it["at_most"] > it["value"]
    ]:
        yield f"were they all right: {', '.join(open_)}"
    if lost := [
        f"{label} {told['votes_lost']:,}" for label, told in one["models"].items() if told["votes_lost"]
    ]:
        yield f"problems whose answers could not be compared, not in maj@k: {', '.join(lost)}"
    for figure, why in one["not_measured"].items():
        yield f"{figure} is not measured: {why}"
    yield from _overlap(one["overlap"])


def _overlap(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "these are problems that the recipe trains on"
        return
    unknown = [name for name, one in found["against"].items() if one is None]
    known = sum(one is not None for one in found["against"].values())
    if known:
        near = found["near"]
        yield (
            f"trained on and left out: {found['left_out']:,}; of the others {near['problems']:,} of "
            f"{near['of']:,} share a run of 13 words with what was trained on"
        )
    if unknown:
        yield f"not known what was trained on: {', '.join(unknown)}"


def _share(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4f}"


def _interval(ends: Mapping[str, Any], sign: str = "") -> str:
    return "" if ends["low"] is None else f"{ends['low']:{sign}.4f} to {ends['high']:{sign}.4f}"
