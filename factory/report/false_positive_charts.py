"""The chart of false positives: right answers by wrong reasoning, as far as people and signals can tell.

Guarantees: as in `figures.py`. A rate never stands without its interval, and where nobody labelled anything
the interval is drawn and no rate. What could not be told is in the table, apart. Left out: the estimate
(`metrics/false_positives.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from factory.report.drawing import LIGHT
from factory.report.figures import NOT_KNOWN, Figure, interval

OF: Final[Mapping[str, str]] = {"accepted": "before selection", "kept": "kept rows"}
PER: Final[Mapping[str, str]] = {"per_solution": "per solution", "per_problem": "per problem"}


def estimates(found: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(series, of, per, {value, low, high, ...}) of every estimate: all generators together first.

    `found` is `false_positives` of metrics.json.
    """
    parts = [("all generators", found or {}), *((found or {}).get("by", {}).get("generator", {}).items())]
    for series, part in parts:
        for of in OF:
            for per in PER:
                entry = (part.get(of) or {}).get(per)
                if entry and entry.get("low") is not None:
                    yield series, of, per, entry


def false_positives(found: Mapping[str, Any] | None) -> Figure | None:
    """The rate of false positives with its interval, before and after selection, by generator."""
    rows = list(estimates(found))
    if not found or not rows:
        return None
    values = [
        {
            "what": f"{series}, {OF[of]}, {PER[per]}",
            "value": one.get("value"),
            "low": one["low"],
            "high": one["high"],
        }
        for series, of, per, one in rows
    ]
    return Figure(
        "false-positives",
        "Right answers by wrong reasoning",
        f"{found.get('said') or ''} Lines are 95 % intervals; a dot is the estimate, and there is none where "
        "people labelled nothing.",
        "; ".join(
            f"{one['what']}: {_share(one['value'])} ({interval(one['low'], one['high'])})" for one in values
        ),
        _spec(values),
        ("of", "samples", "rate", "estimate", "95 % interval", "labelled", "could not tell"),
        tuple(
            (
                series,
                OF[of],
                PER[per],
                NOT_KNOWN if one.get("value") is None else one["value"],
                interval(one["low"], one["high"]),
                *(NOT_KNOWN if one.get(key) is None else one[key] for key in ("labelled", "unsure")),
            )
            for series, of, per, one in rows
        ),
    )


def _share(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.3f}"


def _spec(values: list[dict[str, Any]]) -> dict[str, Any]:
    y = {
        "field": "what",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 260, "ticks": False, "labelColor": LIGHT["ink"]},
    }
    top = max(one["high"] for one in values)
    x = {
        "type": "quantitative",
        "title": "share of false positives",
        "scale": {"domain": [0, min(1.0, top * 1.05) or 1.0]},
        "axis": {"format": ".0%" if top > 0.05 else ".1%", "tickCount": 5},
    }
    return {
        "height": {"step": 26},
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "rule", "strokeWidth": 3, "color": LIGHT["c0"]},
                "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "data": {"values": [one for one in values if one["value"] is not None]},
                "mark": {"type": "point", "filled": True, "size": 90, "color": LIGHT["c1"], "opacity": 1},
                "encoding": {"y": y, "x": {**x, "field": "value"}},
            },
        ],
    }
