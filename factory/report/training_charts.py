"""Charts of trainings and of the rounds of a loop: loss by step; accuracy, coverage, diversity by round.

Guarantees: as in `figures.py`: what is not known is left out of the chart and is "not known" in its table.
Axes of shares begin at 0; lines differ in dash and shape as well as in colour. Left out: where the numbers
come from, and the page around them (`loop_page.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.report import drawing
from factory.report.charts import CARD_WIDTH
from factory.report.drawing import LIGHT, SERIES
from factory.report.figures import DASHES, MOST_SERIES, Figure, Rows, Spec, interval

Curve = Sequence[Mapping[str, Any]]
"""Points {step, loss, learning_rate} of a training, in the order of their steps."""

SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

MOST_ROWS: Final = 40
"""Points of one loss curve that its table holds."""

RATE: Final = "datum.value == 0 ? '0' : format(datum.value, '.1~e')"

FEW: Final = 40
"""Points of a curve that are marked one by one."""

BESIDE: Final = 0.011
"""What part of a chart lies between the intervals of two lines at the same round, so that both are seen."""


def loss(curve: Curve, of: str = "the training") -> Figure | None:
    """The loss of one training over its steps, and the learning rate below it. None without a point."""
    return losses({of: curve})


def loss_chart(curve: Curve) -> bytes | None:
    """The same as PNG on white; None without a point. Raises ValueError where it cannot be drawn."""
    found = loss(curve)
    return drawing.png(found.spec, CARD_WIDTH) if found else None


def losses(curves: Mapping[str, Curve]) -> Figure | None:
    """The losses of several trainings on the same axes, {label: its curve}; of many, the last are drawn."""
    finite = {
        label: [one for one in curve if math.isfinite(one["loss"])]
        for label, curve in curves.items()
        if any(math.isfinite(one["loss"]) for one in curve)
    }
    if not finite:
        return None
    shown = list(finite)[-MOST_SERIES:]
    rows: Rows = tuple(
        (label, one["step"], one["loss"], one["learning_rate"])
        for label, curve in finite.items()
        for one in _thinned(curve)
    )
    ends = {label: f"{curve[0]['loss']:.3f} to {curve[-1]['loss']:.3f}" for label, curve in finite.items()}
    told = "; ".join(
        f"{label} {end}, {finite[label][-1]['step']:,} steps" for label, end in ends.items() if label in shown
    )
    missing = sum(len(curve) for curve in curves.values()) - sum(len(curve) for curve in finite.values())
    notes = [f"{missing} points without a finite loss are left out."] if missing else []
    if len(finite) > len(shown):
        notes.append(f"The chart shows the last {len(shown)} of {len(finite)}.")
    if len(rows) < sum(len(curve) for curve in finite.values()):
        notes.append(f"The table holds at most {MOST_ROWS} points of a curve.")
    return Figure(
        "loss",
        "Loss while training",
        " ".join(
            [
                "Mean loss of the rows that were trained on, since the point before; it says how well they "
                f"are learned, not how well problems are solved. From first to last: {told}.",
                *notes,
            ]
        ),
        f"Loss while training: {told}",
        _loss_spec({label: finite[label] for label in shown}),
        ("of", "step", "loss", "learning rate"),
        rows,
    )


def _thinned(curve: Curve) -> list[Mapping[str, Any]]:
    """At most MOST_ROWS points, evenly spaced, the first and the last among them."""
    if len(curve) <= MOST_ROWS:
        return list(curve)
    return [curve[round(place * (len(curve) - 1) / (MOST_ROWS - 1))] for place in range(MOST_ROWS)]


def _loss_spec(curves: Mapping[str, Curve]) -> Spec:
    points = [{**one, "of": label} for label, curve in curves.items() for one in curve]
    low, high = (pick(one["loss"] for one in points) for pick in (min, max))
    whole = low <= high / 2 and low >= 0
    x = {
        "field": "step",
        "type": "quantitative",
        "scale": {"domain": [0, max(one["step"] for one in points)], "nice": False},
    }
    line: Spec = {"type": "line", "strokeWidth": 2}
    if len(points) <= FEW:
        line["point"] = {"size": 30, "filled": True}
    many = len(curves) > 1
    legend = {"symbolType": "stroke"} if many else None
    loss_view = {
        "height": 220,
        "mark": line,
        "encoding": {
            "x": {**x, "title": None, "axis": {"grid": False, "labels": False, "tickMinStep": 1}},
            "y": {
                "field": "loss",
                "type": "quantitative",
                "title": "loss" if whole else "loss (axis not from 0)",
                "scale": {"zero": whole},
            },
            **_series("of", list(curves), legend=legend),
        },
    }
    rate_view = {
        "height": 50,
        "mark": {"type": "line", "strokeWidth": 1.5, **({} if many else {"color": LIGHT["soft"]})},
        "encoding": {
            "x": {**x, "title": "step", "axis": {"grid": False, "format": ",d", "tickMinStep": 1}},
            "y": {
                "field": "learning_rate",
                "type": "quantitative",
                "title": "learning rate",
                "axis": {"tickCount": 2, "titleFontSize": 10, "labelExpr": RATE},
            },
            **(_series("of", list(curves), legend=legend) if many else {}),
        },
    }
    return {"data": {"values": points}, "spacing": 12, "vconcat": [loss_view, rate_view]}


def accuracies(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Accuracy over rounds: points {round, series, value, low, high, n_problems}; unknown values are None.

    Series that are trained on and series that are held out stand side by side: overfitting is their gap.
    """
    return _over_rounds(
        "rounds",
        "Accuracy by round",
        "accuracy (greedy)",
        points,
        "The share of problems whose one greedy answer is right, with 95 % intervals (problems resampled). "
        "Where accuracy on the training problems rises and that on held-out problems does not, the model "
        "learns its training problems by heart: the gap is overfitting.",
        share=True,
    )


def coverages(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """coverage@k of the samples of each round, points as in `accuracies`."""
    return _over_rounds(
        "rounds-coverage",
        "Problems solved by k samples, by round",
        "coverage@k",
        points,
        "The share of the problems asked in a round that at least one of k of its samples solves: what a "
        "round has to learn from. The bars are 95 % intervals (problems resampled).",
        share=True,
    )


def diversities(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """diversity@k of the samples of each round, points as in `accuracies`."""
    return _over_rounds(
        "rounds-diversity",
        "Distinct correct paths in k samples, by round",
        "diversity@k",
        points,
        "The expected number of different correct lines of reasoning in k samples of a problem. One that "
        "falls while accuracy rises says that the rounds narrow what the model writes.",
        share=False,
    )


def _over_rounds(
    name: str, title: str, axis: str, points: Sequence[Mapping[str, Any]], caption: str, *, share: bool
) -> Figure | None:
    known = [one for one in points if one["value"] is not None]
    if not known:
        return None
    every = list(dict.fromkeys(str(one["series"]) for one in known))
    shown = every[:MOST_SERIES]
    drawn = [one for one in points if one["series"] in shown]
    sizes = sorted({one["n_problems"] for one in known if one["n_problems"] is not None})
    span = f"{sizes[0]:,}" + (f" to {sizes[-1]:,}" if len(sizes) > 1 else "") if sizes else ""
    of = f" n = {span} problems." if sizes else " The number of problems is not known."
    more = f" {len(every) - len(shown)} more stand in the table only." if len(every) > len(shown) else ""
    ends = [
        f"{series} {some[0]['value']:.3f} in round {some[0]['round']}"
        + (f", {some[-1]['value']:.3f} in round {some[-1]['round']}" if len(some) > 1 else "")
        for series in shown
        for some in [[one for one in known if one["series"] == series]]
    ]
    return Figure(
        name,
        title,
        f"{caption}{of}{more}",
        f"{title}: {'; '.join(ends)}",
        _rounds_spec(drawn, shown, axis, share),
        ("round", "of", axis, "95 % interval", "problems"),
        tuple(
            (one["round"], one["series"], one["value"], interval(one["low"], one["high"]), one["n_problems"])
            for one in points
        ),
    )


def _rounds_spec(points: Sequence[Mapping[str, Any]], series: Sequence[str], axis: str, share: bool) -> Spec:
    known = [one for one in points if one["value"] is not None]
    first, last = (pick(one["round"] for one in points) for pick in (min, max))
    top = max(one["high"] if one["high"] is not None else one["value"] for one in known)
    ceiling = min(1.0, top * 1.1) if share else top * 1.1
    apart = BESIDE * (last - first + 1)
    middle = (len(series) - 1) / 2
    values = [{**one, "at": one["round"] + apart * (series.index(one["series"]) - middle)} for one in points]
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"domain": [first - 0.5, last + 0.5], "nice": False},
        "title": "round",
        "axis": {"values": list(range(first, last + 1)), "format": "d", "grid": False},
    }
    y = {
        "type": "quantitative",
        "title": axis,
        "scale": {"domain": [0, ceiling or 1], "nice": not share or ceiling < 1},
        "axis": {"tickCount": 6, **({"format": ".0%" if ceiling > 0.05 else ".1%"} if share else {})},
    }
    colours = _series("series", series, legend={"symbolStrokeWidth": 0} if len(series) > 1 else None)
    colour = {"color": colours["color"]}
    shapes = {"shape": {**colour["color"], "scale": {"domain": list(series), "range": list(SHAPES)}}}
    return {
        "height": 300,
        "layer": [
            {
                "data": {"values": [one for one in values if one["low"] is not None]},
                "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.55},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, **colour},
            },
            {
                "data": {"values": values},  # with the unknown ones, at which a line breaks
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": {**y, "field": "value"}, **colours},
            },
            {
                "data": {"values": [one for one in values if one["value"] is not None]},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": x, "y": {**y, "field": "value"}, **colour, **shapes},
            },
        ],
    }


def _series(field: str, names: Sequence[str], *, legend: Spec | None) -> Spec:
    """Colour and dash by `field`, in the order of `names`; `legend` says how its signs look."""
    common = {"field": field, "type": "nominal", "title": "of"}
    shown = None if legend is None else {"title": None, "symbolOpacity": 1, **legend}
    dashes = [list(DASHES[place % len(DASHES)]) for place in range(len(names))]
    return {
        "color": {
            **common,
            "scale": {"domain": list(names), "range": list(SERIES[: len(names)])},
            "legend": shown,
        },
        "strokeDash": {**common, "scale": {"domain": list(names), "range": dashes}, "legend": None},
    }
