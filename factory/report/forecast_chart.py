"""The chart of a forecast: coverage against cost for each generator, with its band.

Guarantees: a generator of which nothing is foretold is left out; the table of the page holds every point.
A file is written whole or not at all. Left out: the numbers (`forecasting.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from factory.atomic import write_atomically
from factory.errors import UsageError
from factory.report import drawing, page
from factory.report.compare_chart import ENDINGS, alone
from factory.report.drawing import SERIES
from factory.report.figures import DASHES, MOST_SERIES, Figure, Spec, interval
from factory.report.markup import paragraph, text

WIDTH: Final = 820
HEIGHT: Final = 380

AXES: Final[Mapping[str, str]] = {
    "samples": "samples, all problems together",
    "tokens": "tokens of prompts and completions",
    "flops": "FLOPs",
    "usd": "US dollars",
    "seconds": "seconds of the engine",
}
PREFERRED: Final = ("usd", "flops", "tokens", "samples")
"""The axis where the recipe matches nothing: the first that every generator can tell."""

_FORMATS: Final[Mapping[str, str]] = {"flops": ".1~e", "usd": ".2~g", "seconds": ".3~g"}


def check(path: Path) -> None:
    """Raise UsageError unless a chart can be written to a file of this name."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"--budget-curve {path}: the name of a chart ends in one of {', '.join(ENDINGS)}")


def write(path: Path, recipe: str, found: Mapping[str, Any]) -> None:
    """Write the chart as PNG or SVG, or with its numbers as a page (HTML).

    `found` is what `forecasting.forecast` returns. Raises UsageError where there is nothing to draw.
    """
    check(path)
    drawn = figure(recipe, found)
    if drawn is None:
        raise UsageError("--budget-curve: nothing can be foretold of any generator; the notes say why")
    if path.suffix == ".html":
        notes = "".join(paragraph(f"Note: {one}") for one in found["notes"])
        body = f'<h1>{text(drawn.title)}</h1><div class="charts">{page.figure(drawn)}</div>{notes}'
        content = page.document(drawn.title, body).encode("utf-8", "replace")
    elif path.suffix == ".svg":
        content = alone(drawing.svg(drawn.spec, WIDTH)).encode()
    else:
        content = drawing.png({**drawn.spec, "title": drawn.title}, WIDTH)
    write_atomically(path, lambda file: file.write(content))


def figure(recipe: str, found: Mapping[str, Any]) -> Figure | None:
    """Coverage against cost, each with its 95 % band; None where there is no curve."""
    curves = {name: one["curve"] for name, one in found["generators"].items() if one.get("curve")}
    if not curves:
        return None
    axis = found["match"] or next(
        name for name in PREFERRED if all(name in point["cost"] for one in curves.values() for point in one)
    )
    points = [
        {
            "series": name,
            "draws": one["draws"],
            "cost": one["cost"][axis],
            **one["coverage"],
        }
        for name, curve in curves.items()
        for one in curve
        if one["cost"].get(axis)
    ]
    if not points:
        return None
    shown = list(dict.fromkeys(str(one["series"]) for one in points))[:MOST_SERIES]
    last = {one["series"]: one for one in points}
    told = "; ".join(f"{name} {one['value']:.3f} at {one['cost']:.3g}" for name, one in last.items())
    title = f"What {recipe} may solve for its cost"
    return Figure(
        "budget-curve",
        title,
        f"The share of {found['problems']:,} problems that at least one sample of a generator will solve, "
        "against what all its samples cost; the band holds the value that will come true with 95 %, as far "
        "as the probe can tell. The point is where the recipe ends, the dotted line the amount it allows.",
        f"{title}: {told}",
        _spec(axis, found, [one for one in points if one["series"] in shown], shown),
        ("generator", "draws of a problem", AXES[axis], "coverage", "95 % interval"),
        tuple(
            (one["series"], one["draws"], one["cost"], one["value"], interval(one["low"], one["high"]))
            for one in points
        ),
    )


def _spec(axis: str, found: Mapping[str, Any], points: list[dict[str, Any]], names: list[str]) -> Spec:
    costs = [one["cost"] for one in points]
    x: Spec = {
        "field": "cost",
        "type": "quantitative",
        "title": AXES[axis],
        "scale": {"type": "log", "domain": [min(costs), max(max(costs), min(costs) * 2)], "nice": False},
        "axis": {"format": _FORMATS.get(axis, "~s"), "grid": False, "tickCount": 5},
    }
    y: Spec = {"type": "quantitative", "title": "share of problems solved", "scale": {"domain": [0, 1]}}
    colour: Spec = {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": names, "range": list(SERIES[: len(names)])},
        "legend": {"title": None, "symbolOpacity": 1, "symbolType": "stroke"},
    }
    dashes = {"domain": names, "range": [list(one) for one in DASHES[: len(names)]]}
    layers: list[Spec] = [
        {
            "data": {"values": points},
            "mark": {"type": "area", "opacity": 0.16},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "data": {"values": points},
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": {**y, "field": "value"},
                "color": colour,
                "strokeDash": {**colour, "scale": dashes},
            },
        },
    ]
    ends = [
        {"series": name, "cost": one[axis]["value"], "value": one["coverage"]["value"]}
        for name, one in found["generators"].items()
        if name in names and one[axis]["value"]
    ]
    layers.append(
        {
            "data": {"values": ends},
            "mark": {"type": "point", "size": 90, "filled": True, "opacity": 1, "clip": True},
            "encoding": {"x": x, "y": {**y, "field": "value"}, "color": colour},
        }
    )
    if found["match"] and min(costs) <= found["amount"] <= max(costs):
        layers.append(
            {
                "data": {"values": [{"cost": found["amount"]}]},
                "mark": {"type": "rule", "strokeDash": [2, 4], "color": drawing.LIGHT["soft"]},
                "encoding": {"x": x},
            }
        )
    return {"height": HEIGHT, "layer": layers}
