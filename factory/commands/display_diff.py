"""How the command line shows what changed between two releases.

Guarantees: what is not known is said, never shown as 0. Texts of a release cannot steer the terminal. Left
out: what is compared (`release/diff.py`, whose docstring gives the shape of what is shown here).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from factory.commands.display import printable, table
from factory.errors import UsageError

_LONG = 60


def lines(found: Mapping[str, Any]) -> Iterator[str | Table]:
    """The whole comparison, the weightiest first."""
    old, new = (f"{found[side]['name']}@{found[side]['version']}" for side in ("old", "new"))
    bump = "nothing that asks for a new version" if found["bump"] == "none" else f"a {found['bump']} change"
    yield printable("\n".join([f"{old} -> {new}: {bump}", *(f"  {one}" for one in found["because"])]))
    yield from _rows(found["configs"])
    yield from _verdicts(found["verdicts"])
    yield from _metrics(found["metrics"])
    for part in ("recipe", "lock", "licences"):
        if found[part]:
            rows = [(one["path"], _short(one["old"]), _short(one["new"])) for one in found[part]]
            yield table(part.capitalize(), ("value", "old", "new"), rows)
    if found["documents"]:
        yield printable(
            "Documents: " + ", ".join(f"{one['path']} {one['change']}" for one in found["documents"])
        )
    if found["sql"]:
        yield printable(
            f"The rows themselves: `factory release diff {old} {new} --sql` has the SQL that lists them"
        )


def sql(found: Mapping[str, Any]) -> Iterator[str]:
    """The queries alone, each under a line that says what it lists.

    Raises UsageError when a release is not in the store, since `factory sql` does not reach it then.
    """
    if found["sql"] is None:
        raise UsageError(
            "--sql: `factory sql` reads the releases of the store, and one of these two is not in it"
        )
    if not found["sql"]:
        yield "-- no row was added, removed or changed"
    for config, queries in found["sql"].items():
        for what, query in queries.items():
            yield printable(f"-- {config}: {found['configs'][config][what]:,} rows {what}\n{query}\n")


def _rows(configs: Mapping[str, Any]) -> Iterator[Table]:
    rows = [
        (
            config,
            *(f"{entry[side]:,}" if entry[side] is not None else "not in it" for side in ("old", "new")),
            *(entry[what] for what in ("added", "removed", "changed")),
            ", ".join(f"{column} {count:,}" for column, count in entry["columns"].items()),
        )
        for config, entry in configs.items()
    ]
    yield table("Rows", ("config", "old", "new", "added", "removed", "changed", "changed in"), rows)


def _verdicts(found: Mapping[str, Any]) -> Iterator[str | Table]:
    old, new = found["verifier"]["old"], found["verifier"]["new"]
    by = f"{old}" if old == new else f"{old} -> {new}"
    if found["why"]:
        yield printable(f"Verdicts cannot be compared: {found['why']}")
        return
    flipped = sum(one["samples"] for one in found["flips"])
    yield printable(
        f"Verdicts by {by}: {flipped:,} of {found['compared']:,} samples have another status; "
        f"{found['became_correct']:,} became correct, {found['no_longer_correct']:,} are no longer"
    )
    if found["flips"]:
        rows = [
            (*(one[side] or "no verdict" for side in ("old", "new")), one["samples"])
            for one in found["flips"]
        ]
        yield table("", ("old", "new", "samples"), rows)


def _metrics(metrics: list[Mapping[str, Any]]) -> Iterator[Table]:
    rows = []
    for one in metrics:
        interval = "" if one["low"] is None else f"{one['low']:+.3f} to {one['high']:+.3f}"
        delta = "cannot tell" if one["delta"] is None else f"{one['delta']:+.3f}"
        told = one["n_problems"] if one["why"] is None else one["why"]
        rows.append((one["metric"], _figure(one["old"]), _figure(one["new"]), delta, interval, told))
    columns = ("metric", "old", "new", "delta", "95% interval", "problems in both")
    if rows:
        yield table("Metrics; a delta is paired by problem", columns, rows)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else text[: _LONG - 3] + "..."
