"""What each chart of a report shows: its spec, its caption, and the same numbers as a table.

Guarantees: a figure is made of plain numbers and of names, which stand in specs as data only. Numbers that
are not known are left out of charts and are "not known" in tables, never 0. Charts show the first
MOST_SERIES generators, and their caption says when there are more; tables show all. A figure without
anything to draw is None. Left out: where numbers come from (`reporting.py`) and drawing (`drawing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from factory.report.drawing import LIGHT, SERIES

Rows = tuple[tuple[object, ...], ...]
Spec = dict[str, Any]

MOST_SERIES: Final = len(SERIES)
DASHES: Final = ((1, 0), (8, 4), (3, 3), (10, 3, 2, 3), (5, 2), (2, 5))
"""Strokes and gaps of the lines of a chart, in pixels."""

ALL: Final = "all generators"
NOT_KNOWN: Final = "not known"


@dataclass(frozen=True)
class Figure:
    """A chart and its table. `caption` says in a sentence or two what to read from it, with its n."""

    name: str
    title: str
    caption: str
    alt: str
    spec: Spec
    head: tuple[str, ...]
    rows: Rows


def curves(
    name: str, title: str, axis: str, metric: str, parts: Mapping[str, Mapping[str, Any]], caption: str
) -> Figure | None:
    """`metric`@k over k with its 95 % band for each of `parts`, {series: part of metrics.json}.

    There is no point where the value is not known; the caption says why the first curve ends.
    """
    points = [
        {"series": series, **point} for series, part in parts.items() for point in _points(metric, part)
    ]
    shown, more = _shown(list(dict.fromkeys(point["series"] for point in points)))
    if not points:
        return None
    drawn = [point for point in points if point["series"] in shown]
    ks = sorted({point["k"] for point in drawn})
    banded = [point for point in drawn if point["low"] is not None]
    top = max(point["high"] or point["value"] for point in drawn)
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, 1] if metric in ("coverage", "maj") else [0, top * 1.05 or 1]},
    }
    x = {
        "field": "k",
        "type": "quantitative",
        "title": "k (samples drawn for a problem)",
        "scale": {"type": "log", "base": 2, "domain": [1, max(ks[-1], 2)], "nice": False},
        "axis": {"values": ks, "format": "d", "grid": False},
    }
    legend = None if len(shown) == 1 else {"title": None, "symbolOpacity": 1, "symbolType": "stroke"}
    colour = {"field": "series", "type": "nominal", "title": "of", "scale": _colours(shown)}
    layers: list[Spec] = [
        {
            "data": {"values": banded},
            "mark": {"type": "area", "opacity": 0.16},
            "encoding": {
                "x": x,
                "y": {**y, "field": "low", "title": axis},
                "y2": {"field": "high"},
                "color": {**colour, "legend": legend},
            },
        },
        {
            "data": {"values": drawn},
            "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 45, "filled": True}},
            "encoding": {
                "x": x,
                "y": {**y, "field": "value", "title": axis},
                "color": {**colour, "legend": legend},
                "strokeDash": {**colour, "scale": _dashes(shown), "legend": legend},
            },
        },
    ]
    rows = tuple(
        (one["series"], one["k"], one["value"], interval(one["low"], one["high"]), one["n_problems"])
        for one in points
    )
    last = [f"{one['series']} {one['value']:.3f} at k={one['k']}" for one in _last(drawn)]
    return Figure(
        name,
        title,
        caption + _of_problems(points) + _end(metric, parts) + more,
        f"{title}: {'; '.join(last)}",
        {"height": 300, "layer": layers},
        ("of", "k", axis, "95 % interval", "problems"),
        rows,
    )


def _points(metric: str, part: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in _at_k(metric, part) if one["value"] is not None]


def _at_k(metric: str, part: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"k": int(key.partition("@")[2]), **entry}
        for key, entry in part.items()
        if key.startswith(f"{metric}@")
    ]
    return sorted(found, key=lambda one: int(one["k"]))


def _end(metric: str, parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Why the first of the curves ends where it does; nothing where it goes on to the last k."""
    for series, part in parts.items():
        for one in _at_k(metric, part):
            if one["value"] is None and one.get("why"):
                return f" The curve of {series} ends before k = {one['k']}: {one['why']}."
    return ""


def _last(points: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({point["series"]: point for point in points}.values())


def _of_problems(points: Sequence[Mapping[str, Any]]) -> str:
    low, high = (pick(one["n_problems"] for one in points) for pick in (min, max))
    return f" n = {high:,} problems." if low == high else f" n = {low:,} to {high:,} problems, by k."


def solve_rates(name: str, title: str, parts: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """How many problems are solved by no sample, some, or all of them, for each of `parts`."""
    counted = {series: part["solve_rate"]["histogram"] for series, part in parts.items()}
    totals = {series: sum(one["problems"] for one in bins) for series, bins in counted.items()}
    names, more = _shown([series for series, total in totals.items() if total])
    rows: Rows = tuple(
        (series, _rate_bin(one), one["problems"], one["problems"] / totals[series])
        for series, bins in counted.items()
        for one in bins
        if totals[series]
    )
    if not rows:
        return None
    unsolved = {
        series: bins[0]["problems"] / totals[series] for series, bins in counted.items() if totals[series]
    }
    return Figure(
        name,
        title,
        "Bars at the left are problems that no sample solves, bars at the right are problems that every "
        "sample solves; what lies between is where more samples, or a choice among them, pay."
        + _each([total for total in totals.values() if total])
        + more,
        f"{title}: " + "; ".join(f"{one} leaves {share:.0%} unsolved" for one, share in unsolved.items()),
        _bars(
            [row for row in rows if row[0] in names],
            names,
            "share of samples that are right",
            "share of problems",
        ),
        *_crossed(rows),
    )


def _each(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f" n = {low:,} problems." if low == high else f" n = {low:,} to {high:,} problems each."


def _rate_bin(one: Mapping[str, Any]) -> str:
    if one["low"] == one["high"]:
        return "none" if not one["low"] else "all"
    return f"≤{one['high']:.0%}" if one["high"] < 1 else f">{one['low']:.0%}"


def paths(counted: Mapping[str, Mapping[int, int]]) -> Figure | None:
    """How many problems have 0, 1, 2, ... distinct correct paths: {series: {paths: problems}}."""
    most = 8
    rows: list[tuple[object, ...]] = []
    for series, problems in counted.items():
        total = sum(problems.values())
        for number in range(most + 1):
            found = sum(n for found, n in problems.items() if min(found, most) == number)
            if total:
                rows.append((series, f"{number}" if number < most else f"{most}+", found, found / total))
    if not rows:
        return None
    names, more = _shown(list(dict.fromkeys(str(row[0]) for row in rows)))
    means = {
        series: sum(found * n for found, n in problems.items()) / sum(problems.values())
        for series, problems in counted.items()
        if sum(problems.values())
    }
    told = "; ".join(f"{series} {mean:.2f} a problem" for series, mean in means.items())
    return Figure(
        "paths",
        "Distinct correct paths of a problem",
        "Problems by how many different correct lines of reasoning were found for them; the mean is "
        f"{told}. n = {max(sum(one.values()) for one in counted.values()):,} problems.{more}",
        f"Distinct correct paths of a problem, mean: {told}",
        _bars([row for row in rows if row[0] in names], names, "distinct correct paths", "share of problems"),
        *_crossed(rows),
    )


def _crossed(rows: Sequence[Sequence[object]]) -> tuple[tuple[str, ...], Rows]:
    """Head and rows of a table of (series, bin, problems, share): a row a series, a column a bin."""
    bins = tuple(dict.fromkeys(str(row[1]) for row in rows))
    numbers = {(row[0], row[1]): row[2] for row in rows}
    names = dict.fromkeys(row[0] for row in rows)
    return ("problems of", *bins), tuple((one, *(numbers[one, place] for place in bins)) for one in names)


def _bars(rows: Sequence[Sequence[object]], names: Sequence[str], x: str, y: str) -> Spec:
    """Grouped bars of (series, bin, number, share)."""
    values = [{"series": row[0], "bin": row[1], "number": row[2], "share": row[3]} for row in rows]
    order = list(dict.fromkeys(row[1] for row in rows))
    encoding: Spec = {
        "x": {"field": "bin", "type": "ordinal", "sort": order, "title": x, "axis": {"labelAngle": 0}},
        "y": {
            "field": "share",
            "type": "quantitative",
            "title": y,
            "axis": {"format": ".0%", "tickCount": 5},
            "scale": {"zero": True, "nice": 5},
        },
        "color": {
            "field": "series",
            "type": "nominal",
            "title": "of",
            "scale": _colours(names),
            "legend": None if len(names) == 1 else {"title": None, "symbolType": "square"},
        },
    }
    if len(names) > 1:
        encoding["xOffset"] = {"field": "series", "sort": list(names)}
    return {"height": 260, "data": {"values": values}, "mark": "bar", "encoding": encoding}


def _shown(names: Sequence[str]) -> tuple[list[str], str]:
    """The series that a chart has room for, and what its caption says of the others."""
    hidden = len(names) - MOST_SERIES
    more = f" {hidden} more stand in the table only." if hidden > 0 else ""
    return list(names[:MOST_SERIES]), more


def _colours(names: Sequence[str]) -> Spec:
    """Equal names have equal colours in every chart of their kind; the whole is drawn in grey."""
    rest = [name for name in names if name != ALL]
    colours = dict(zip(rest, SERIES, strict=False)) | ({ALL: LIGHT["soft"]} if ALL in names else {})
    return {"domain": list(names), "range": [colours[name] for name in names]}


def _dashes(names: Sequence[str]) -> Spec:
    """Lines differ without colour too, and of two that lie on each other both are seen."""
    kinds = {name: DASHES[place % len(DASHES)] for place, name in enumerate(names)}
    return {"domain": list(names), "range": [list(kind) for kind in kinds.values()]}


def interval(low: float | None, high: float | None) -> str:
    """An interval as text, or why there is none."""
    return NOT_KNOWN if low is None or high is None else f"{low:.3f} to {high:.3f}"
