"""Charts of a comparison: coverage against cost for each side, with its interval, and diversity beside it.

Guarantees: as in `figures.py`: a side without a curve is left out of the chart, and the tables hold every
point. A file is written whole or not at all. Left out: the numbers (`comparing/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from factory.atomic import write_atomically
from factory.errors import UsageError
from factory.report import drawing, page
from factory.report.drawing import LIGHT, SERIES
from factory.report.figures import DASHES, MOST_SERIES, Figure, Spec, interval
from factory.report.markup import paragraph, text

ENDINGS: Final = (".png", ".svg", ".html")
WIDTH: Final = 1120
HEIGHT: Final = 340

AXES: Final[Mapping[str, str]] = {
    "samples": "judged draws of a problem",
    "tokens": "tokens spent on a problem",
    "flops": "FLOPs spent on a problem",
    "usd": "US dollars spent on a problem",
    "seconds": "seconds of the engine spent on a problem",
}
_FORMATS: Final[Mapping[str, str]] = {"flops": ".1~e", "usd": ".2~g", "seconds": ".3~g"}

_SHOWN: Final = {
    "coverage": (
        "Coverage at equal cost",
        "share of problems solved",
        "The share of problems that at least one draw solves, against what the draws of a problem cost; the "
        "band is a 95 % interval over problems. Where one line is above another, it solves more for the same "
        "cost.",
    ),
    "diversity": (
        "Distinct correct paths at equal cost",
        "distinct correct paths of a problem",
        "The expected number of different correct lines of reasoning of a problem, against what its draws "
        "cost.",
    ),
}


def check(path: Path) -> None:
    """Raise UsageError unless a chart can be written to a file of this name."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"--chart {path}: the name of a chart ends in one of {', '.join(ENDINGS)}")


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Coverage and diversity against cost; `found` is what `comparing.compare` returns. Empty: no curve."""
    return [one for metric in _SHOWN if (one := _figure(metric, found))]


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Write the charts side by side as PNG or SVG, or with their numbers as a page (HTML).

    Raises UsageError for another ending, and where no side has a curve.
    """
    check(path)
    drawn = figures(found)
    if not drawn:
        raise UsageError("--chart: a side has a problem without a judged draw, so there is no curve to draw")
    beside = {"hconcat": [one.spec for one in drawn], "resolve": {"legend": {"color": "shared"}}}
    if path.suffix == ".html":
        content = _page(found, drawn).encode("utf-8", "replace")
    elif path.suffix == ".svg":
        content = alone(drawing.svg(beside, WIDTH)).encode()
    else:
        content = drawing.png(beside, WIDTH)
    write_atomically(path, lambda file: file.write(content))


def _figure(metric: str, found: Mapping[str, Any]) -> Figure | None:
    title, axis, caption = _SHOWN[metric]
    points = [
        {"series": name, "k": point["k"], "cost": point["cost"], **point[metric]}
        for name, curve in found["curves"].items()
        for point in curve
        if point["cost"] and point[metric]["value"] is not None
    ]
    if not points:
        return None
    names = list(dict.fromkeys(str(one["series"]) for one in points))
    shown = names[:MOST_SERIES]
    more = f" {len(names) - len(shown)} more stand in the table only." if len(names) > len(shown) else ""
    rows = tuple(
        (one["series"], one["k"], one["cost"], one["value"], interval(one["low"], one["high"]))
        for one in points
    )
    last = {one["series"]: one for one in points}
    told = "; ".join(f"{name} {one['value']:.3f} at {one['cost']:.3g}" for name, one in last.items())
    return Figure(
        f"{metric}-at-cost",
        title,
        f"{caption} n = {found['problems']['compared']:,} problems.{more}",
        f"{title}: {told}",
        _spec(metric, axis, found, [one for one in points if one["series"] in shown], shown),
        ("side", "k", AXES[found["match"]], axis, "95 % interval"),
        rows,
    )


def _spec(
    metric: str, axis: str, found: Mapping[str, Any], points: list[dict[str, Any]], names: list[str]
) -> Spec:
    x, y = _axes(metric, axis, found["match"], points)
    legend = {"title": None, "symbolOpacity": 1, "symbolType": "stroke"}
    colours = {"domain": names, "range": list(SERIES[: len(names)])}
    dashes = {"domain": names, "range": [list(one) for one in DASHES[: len(names)]]}
    colour: Spec = {"field": "series", "type": "nominal", "scale": colours, "legend": legend}
    line = {"x": x, "y": {**y, "field": "value"}, "color": colour, "strokeDash": {**colour, "scale": dashes}}
    ends = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
    known = [one for one in points if one["low"] is not None]
    single = [one for one in known if sum(one["series"] == other["series"] for other in points) == 1]
    meet = [{"cost": one["cost"]} for one in found["equal_cost"] if one["all_in"]]
    layers: list[tuple[list[dict[str, Any]], Spec, Spec]] = [
        (known, {"type": "area", "opacity": 0.16}, ends),
        (points, {"type": "line", "strokeWidth": 2, "point": {"size": 40, "filled": True}}, line),
        (single, {"type": "rule", "strokeWidth": 2}, ends),  # a band over one point has no width
        (meet, {"type": "rule", "strokeDash": [2, 4], "color": LIGHT["soft"]}, {"x": x}),
    ]
    drawn = [
        {"data": {"values": values}, "mark": mark, "encoding": encoding}
        for values, mark, encoding in layers
        if values
    ]
    return {"height": HEIGHT, "layer": drawn}


def _axes(metric: str, axis: str, match: str, points: list[dict[str, Any]]) -> tuple[Spec, Spec]:
    """What a problem costs, as powers, and the metric from 0."""
    costs = [one["cost"] for one in points]
    top = max(one["high"] if one["high"] is not None else one["value"] for one in points)
    x: Spec = {
        "field": "cost",
        "type": "quantitative",
        "title": AXES[match],
        "scale": {"type": "log", "domain": [min(costs), max(max(costs), min(costs) * 2)], "nice": False},
        "axis": {"format": _FORMATS.get(match, "~s"), "grid": False, "tickCount": 5},
    }
    y: Spec = {
        "type": "quantitative",
        "title": axis,
        "scale": {"domain": [0, min(1.0, top * 1.1) if metric == "coverage" else top * 1.05 or 1]},
    }
    return x, y


def _page(found: Mapping[str, Any], drawn: list[Figure]) -> str:
    sides = " against ".join(found["sides"])
    notes = "".join(paragraph(f"Note: {one}.") for one in found["warnings"])
    charts = "".join(page.figure(one) for one in drawn)
    body = f'<h1>{text(sides)}</h1>{paragraph(_matched(found))}<div class="charts">{charts}</div>{notes}'
    return page.document(sides, body)


def _matched(found: Mapping[str, Any]) -> str:
    return (
        f"Matched by {found['match']}: {found['unit']}. The dotted line is the greatest cost that every side "
        f"reaches on each of the {found['problems']['compared']:,} problems."
    )


def alone(svg: str) -> str:
    """The picture with its colours, for a file of its own: in a page the style sheet has them."""
    colours = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    head, opening, rest = svg.partition(">")
    return f"{head}{opening}<style>:root{{{colours}}}</style>{rest}"
