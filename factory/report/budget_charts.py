"""Charts of a budget: what was planned, spent and is left, and why sampling of each problem stopped.

Guarantees: as in `figures.py`. What is presumed (the bound of a call under way when its process died) is
never added to what was seen. A currency that is not known is "not known" and draws nothing. Left out: what
was spent for a kept row (`accounts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.amounts import NAMES, STOPS, Line, allowed, lines, written
from factory.report.drawing import LIGHT
from factory.report.figures import MOST_SERIES, NOT_KNOWN, Figure, Spec

COLOURS: Final[Mapping[str, str]] = {
    "planned": LIGHT["c0"],
    "reached": LIGHT["c2"],
    "at_most": LIGHT["c1"],
    "amount": LIGHT["c4"],
    "total": LIGHT["c5"],
    "exhausted": LIGHT["rest"],
    "failed": LIGHT["c3"],
}
"""Of the reasons why sampling stopped, in the order of a bar."""

PARTS: Final[Mapping[str, str]] = {
    "spent": LIGHT["c0"],
    "presumed": LIGHT["c3"],
    "lost": LIGHT["c1"],
    "left": LIGHT["rest"],
}
"""The parts of a bar of the budget, in their order, and their colours."""

MOST_BARS: Final = 40


def budget(found: Mapping[str, Any] | None) -> Figure | None:
    """What each generator spent of what it may spend, in the currency that is matched; else in samples.

    `found` is `budget` of metrics.json; null amounts are not known.
    """
    told = list(lines(found)) if found and found.get("generators") else []
    if not found or not told:
        return None
    unit = found.get("match") or "samples"
    names = [name for name in dict.fromkeys(one.name for one in told) if name in found["generators"]]
    shown = [one for one in told if one.currency == unit and one.name in names[:MOST_SERIES]]
    bars = [bar for one in shown for bar in _bars(one)]
    if not bars:
        return None
    note = f" {len(names) - MOST_SERIES} more stand in the table only." if len(names) > MOST_SERIES else ""
    parts = ", ".join(f"what is {one}" for one in PARTS if any(bar["what"] == one for bar in bars))
    if any(bar["what"] == "presumed" for bar in bars):
        note += " Presumed is the bound of calls whose process died: they cost that much at most."
    if any(bar["what"] == "lost" for bar in bars):
        note += " Lost is the cost of calls that gave nothing."
    draws = sum(one.realised or 0 for one in told if one.currency == "samples" and one.name in names)
    return Figure(
        "budget",
        "What was spent",
        f"{allowed(found)} A bar is {parts}, in {NAMES[unit]}. n = {draws:,.0f} samples.{note}",
        f"Spent, in {NAMES[unit]}: " + "; ".join(f"{one.name} {written(one.realised)}" for one in shown),
        _stacked(bars, unit, found.get("amount") if found.get("match") else None),
        ("of", "currency", "planned", "spent", "presumed besides", "lost besides", "left"),
        tuple(map(_row, told)),
    )


def _bars(one: Line) -> list[dict[str, Any]]:
    """The parts of the bar of a generator; what is owed of a plan is left too."""
    if one.realised is None:
        return []
    left = one.left if one.left is not None else (one.planned or 0.0) - one.realised
    amounts = (one.realised, one.presumed or 0.0, one.lost or 0.0, max(left, 0.0))
    return [
        {"generator": one.name, "what": what, "amount": amount, "place": place}
        for place, (what, amount) in enumerate(zip(PARTS, amounts, strict=True))
        if amount or what == "spent"
    ]


def _row(one: Line) -> tuple[object, ...]:
    return (
        one.name,
        NAMES[one.currency],
        "no plan" if one.planned is None else one.planned,
        *(NOT_KNOWN if amount is None else amount for amount in (one.realised, one.presumed, one.lost)),
        "no stop" if one.left is None else one.left,
    )


def _stacked(bars: Sequence[Mapping[str, Any]], unit: str, amount: float | None) -> Spec:
    there = [one for one in PARTS if any(bar["what"] == one for bar in bars)]
    y = {
        "field": "generator",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 110, "ticks": False, "labelColor": LIGHT["ink"]},
    }
    most = max(bar["amount"] for bar in bars)
    layers: list[Spec] = [
        {
            "data": {"values": list(bars)},
            "mark": {"type": "bar", "height": 22},
            "encoding": {
                "y": y,
                "x": {
                    "field": "amount",
                    "type": "quantitative",
                    "title": NAMES[unit],
                    "axis": {"format": ",.3~f" if most < 10_000 else ".2~e", "tickCount": 4},
                },
                "order": {"field": "place"},
                "color": {
                    "field": "what",
                    "type": "nominal",
                    "title": "what",
                    "scale": {"domain": there, "range": [PARTS[one] for one in there]},
                    "legend": {"title": None, "symbolType": "square"},
                },
            },
        }
    ]
    if amount is not None:
        layers.append(
            {
                "data": {"values": [{"amount": amount}]},
                "mark": {"type": "rule", "strokeWidth": 2, "strokeDash": [4, 3], "color": LIGHT["ink"]},
                "encoding": {"x": {"field": "amount", "type": "quantitative"}},
            }
        )
    return {"height": {"step": 34}, "layer": layers}


# --- why sampling stopped ----------------------------------------------------------------------------


def stops(found: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Problems by why sampling of them stopped, by generator and, where several are stated, difficulty.

    `found` has one {generator, difficulty, why, problems, samples, correct} a group, as `stops` in
    metrics.json; `samples` and `correct` are sums over the problems.
    """
    if not found:
        return None
    several = len({one["difficulty"] for one in found}) > 1
    bars: dict[str, dict[str, int]] = {}
    for one in found:
        difficulty = one["difficulty"] or "unstated"
        name = f"{one['generator']}, {difficulty}" if several else one["generator"]
        by_why = bars.setdefault(name, {})
        by_why[one["why"]] = by_why.get(one["why"], 0) + one["problems"]
    shown = dict(list(bars.items())[:MOST_BARS])
    more = f" {len(bars) - len(shown)} more stand in the table only." if len(bars) > len(shown) else ""
    number = sum(one["problems"] for one in found)
    told = "; ".join(f"{in_words(why)}: {share:.0%}" for why, share in _shares(found, number))
    return Figure(
        "stops",
        "Why sampling stopped",
        f"The share of problems at which sampling stopped for each reason ({told}). n = {number:,} pairs of "
        f"problem and generator.{more}",
        f"Why sampling stopped: {told}",
        _shares_spec(shown),
        ("generator", "difficulty", "why", "problems", "samples", "correct", "samples a problem"),
        tuple(
            (
                one["generator"],
                one["difficulty"] or "unstated",
                in_words(one["why"]),
                one["problems"],
                one["samples"],
                one["correct"],
                one["samples"] / one["problems"],
            )
            for one in found
        ),
    )


def in_words(why: str) -> str:
    """Why sampling stopped, as people read it."""
    return STOPS.get(why, why)


def _shares(found: Sequence[Mapping[str, Any]], total: int) -> list[tuple[str, float]]:
    counted: dict[str, int] = {}
    for one in found:
        counted[one["why"]] = counted.get(one["why"], 0) + one["problems"]
    return sorted(((why, number / total) for why, number in counted.items()), key=lambda one: -one[1])


def _shares_spec(bars: Mapping[str, Mapping[str, int]]) -> Spec:
    order = {why: place for place, why in enumerate(COLOURS)}
    there = sorted({why for one in bars.values() for why in one}, key=lambda why: (order.get(why, 99), why))
    values = [
        {
            "of": name,
            "why": in_words(why),
            "share": number / sum(one.values()),
            "place": there.index(why),
        }
        for name, one in bars.items()
        for why, number in one.items()
    ]
    colours = [COLOURS.get(why, LIGHT["soft"]) for why in there]
    return {
        "height": {"step": 26},
        "data": {"values": values},
        "mark": {"type": "bar", "height": 18},
        "encoding": {
            "y": {
                "field": "of",
                "type": "nominal",
                "sort": list(bars),
                "title": None,
                "axis": {"labelLimit": 170, "ticks": False, "domain": False, "labelColor": LIGHT["ink"]},
            },
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": "share of problems",
                "scale": {"domain": [0, 1]},
                "axis": {"format": ".0%", "tickCount": 5},
            },
            "order": {"field": "place"},
            "color": {
                "field": "why",
                "type": "nominal",
                "title": "why",
                "scale": {"domain": [in_words(why) for why in there], "range": colours},
                "legend": {"title": None, "symbolType": "square", "labelLimit": 190},
            },
        },
    }
