"""How the command line shows a forecast.

Guarantees: every estimate stands with its interval, and what is not known is left out and never shown as 0.
Left out: the numbers (`forecasting.py`, whose `forecast` gives the shape).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.table import Table

from factory import amounts
from factory.commands.display import cell_text, printable, table

_ROWS: Final[Mapping[str, str]] = {
    "draws": "samples of a problem",
    "samples": "samples",
    "tokens": "tokens",
    "flops": "FLOPs",
    "usd": "US dollars",
    "seconds": "hours of the engine",
    "bytes": "disk, MB",
    "coverage": "problems solved",
}
_SCALES: Final[Mapping[str, float]] = {"seconds": 1 / 3600, "bytes": 1e-6}


def lines(found: Mapping[str, Any]) -> Iterator[str | Table]:
    """The probe, the forecast of each generator and of all together, and what to know about it."""
    yield _probe(found)
    named = dict(found["generators"])
    if len(named) > 1 and found["all"]:
        named["all"] = found["all"]
    rows = [(name, *row) for name, entry in named.items() for row in _rows(entry, _planned(found, name))]
    if rows:
        columns = ("generator", "what", "expected", "95% interval", "allowed")
        yield table(f"Forecast for {found['problems']:,} problems", columns, rows)
    if found["ratio"]:
        told = ", ".join(f"{name} {cell_text(share)}" for name, share in found["ratio"].items())
        matched = f" for equal {amounts.NAMES[found['match']]}" if found["match"] else ""
        yield printable(f"Samples{matched}, for one of the generator with the fewest: {told}")
    for one in found["notes"]:
        yield printable(f"Note: {one}")


def _probe(found: Mapping[str, Any]) -> str:
    probe = found["probe"]
    told = [
        f"{name} {one['probe']['correct']:,} correct of {one['probe']['draws']:,} draws of "
        f"{one['probe']['problems']:,} problems ({probe['drawn'].get(name, 0):,} drawn now)"
        for name, one in found["generators"].items()
    ]
    return printable("Probe, kept for the run: " + "; ".join(told)) if told else "Probe: no model is asked."


def _planned(found: Mapping[str, Any], name: str) -> Mapping[str, float]:
    """What the recipe allows, by currency."""
    if name == "all":
        return dict(found["total"] or {})
    return {found["match"]: found["amount"]} if found["match"] else {}


def _rows(entry: Mapping[str, Any], allowed: Mapping[str, float]) -> Iterator[tuple[str, str, str, str]]:
    for key, label in _ROWS.items():
        told = entry.get(key)
        if told is None:
            continue
        scale = _SCALES.get(key, 1.0)
        share = key == "coverage"
        most = allowed.get(key)
        yield (
            label,
            _number(told["value"] * scale, share),
            f"{_number(told['low'] * scale, share)} to {_number(told['high'] * scale, share)}",
            "" if most is None else _number(most * scale, share),
        )


def _number(value: float, share: bool) -> str:
    if share:
        return f"{value:.1%}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
