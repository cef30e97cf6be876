"""Charts of a budget: what was planned, spent and is left, and why sampling of each problem stopped.

Guarantees: as in `figures.py`. What is presumed (the bound of a call under way when its process died) is
never added to what was seen. A currency that is not known is "not known" and draws nothing. Left out: what
was spent for a kept row (`accounts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from factory.amounts import CURRENCIES, EVERYONE, NAMES, STOPS, allowed, written
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

MOST_BARS: Final = 40


def budget(found: Mapping[str, Any] | None) -> Figure | None:
    """What each generator spent of what it may spend.

    `found` is {match, amount, total, generators: {name: {planned, realised, presumed: {currency: amount},
    left}}, all}, as `budget` in metrics.json; null amounts are not known.
    """
    if not found or not found.get("generators"):
        return None
    unit = found.get("match") or "samples"
    shown = dict(list(found["generators"].items())[:MOST_SERIES])
    bars = [bar for name, one in shown.items() for bar in _bars(name, one, unit, found.get("amount"))]
    if not bars:
        return None
    rows = [row for name, one in _parts(found) for row in _rows(name, one, found)]
    more = len(found["generators"]) - len(shown)
    note = f" {more} more stand in the table only." if more else ""
    if any(bar["what"] == "presumed" for bar in bars):
        note += " Presumed is the bound of calls whose process died: they cost that much at most."
    told = "; ".join(f"{name} {written(one['realised'].get(unit))}" for name, one in shown.items())
    return Figure(
        "budget",
        "What was spent",
        f"{allowed(found)} Bars are {NAMES[unit]}: spent, and left.{note}",
        f"Spent, in {NAMES[unit]}: {told}",
        _stacked(bars, unit, found.get("amount") if found.get("match") else None),
        ("generator", "unit", "planned", "spent", "presumed besides", "left"),
        tuple(rows),
    )


def _parts(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    whole = [(EVERYONE, found["all"])] if found.get("all") else []
    return [*found["generators"].items(), *whole]


def _bars(name: str, one: Mapping[str, Any], unit: str, amount: float | None) -> list[dict[str, Any]]:
    spent, presumed = one["realised"].get(unit), (one.get("presumed") or {}).get(unit) or 0.0
    if spent is None:
        return []
    planned = one.get("left") if amount is not None else _rest(one, unit)
    parts = (("spent", spent), ("presumed", presumed), ("left", max(planned or 0.0, 0.0)))
    return [
        {"generator": name, "what": what, "amount": value, "place": place}
        for place, (what, value) in enumerate(parts)
        if value or what == "spent"
    ]


def _rest(one: Mapping[str, Any], unit: str) -> float:
    planned = (one.get("planned") or {}).get(unit)
    return 0.0 if planned is None else planned - one["realised"][unit]


def _rows(name: str, one: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[tuple[object, ...]]:
    """A row a currency, but for those of which nothing is known."""
    for unit in CURRENCIES:
        spent, planned = one["realised"].get(unit), (one.get("planned") or {}).get(unit)
        presumed = (one.get("presumed") or {}).get(unit)
        if spent is None and planned is None:
            continue
        stop = found.get("match") == unit and name != EVERYONE
        left = one.get("left") if stop else (one.get("left_of_total") or {}).get(unit)
        yield (
            name,
            NAMES[unit],
            "no plan" if planned is None else planned,
            NOT_KNOWN if spent is None else spent,
            presumed or 0,
            "no stop" if left is None else left,
        )


def _stacked(bars: Sequence[Mapping[str, Any]], unit: str, amount: float | None) -> Spec:
    colours = {"spent": LIGHT["c0"], "presumed": LIGHT["c3"], "left": LIGHT["rest"]}
    there = [one for one in colours if any(bar["what"] == one for bar in bars)]
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
                    "scale": {"domain": there, "range": [colours[one] for one in there]},
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
