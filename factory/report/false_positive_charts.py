"""The chart of false positives: right answers by wrong reasoning, as far as people and signals can tell.

Guarantees: as in `figures.py`. A rate never stands without its interval, and where nobody labelled anything
the interval is drawn and no rate. What could not be told is in the table, apart. Left out: the estimate
(`metrics/false_positives.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from factory.report.drawing import LIGHT
from factory.report.figures import ALL, NOT_KNOWN, Figure, interval

OF: Final[Mapping[str, str]] = {"accepted": "accepted", "kept": "kept"}
PER: Final[Mapping[str, str]] = {"per_solution": "per solution", "per_problem": "per problem"}


def estimates(found: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """(series, of, per, {value, low, high, ...}) of every estimate: all generators together, and each where
    there are several.

    `found` is `false_positives` of metrics.json.
    """
    by_generator = (found or {}).get("by", {}).get("generator", {})
    parts = [(ALL, found or {}), *(by_generator.items() if len(by_generator) > 1 else ())]
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
            "what": f"{OF[of]}, {PER[per]}" if series == ALL else f"{series}, {OF[of]}, {PER[per]}",
            "value": one.get("value"),
            "low": one["low"],
            "high": one["high"],
        }
        for series, of, per, one in rows
    ]
    return Figure(
        "false-positives",
        "Right answers by wrong reasoning",
        "Accepted is before selection, kept after it. "
        "Lines are 95 % intervals, dots are estimates: there is none where people labelled nothing, and "
        "every rate is possible. A problem weighs 1 in the share per problem, whatever the "
        "number of its samples.",
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


WORDS: Final[Mapping[str, str]] = {
    "right": LIGHT["c2"],
    "wrong": LIGHT["c1"],
    "unsure": LIGHT["c3"],
    "not labelled": LIGHT["rest"],
}
"""What people say of a sample, and its colour."""


def signals(found: Mapping[str, Any] | None) -> Figure | None:
    """What people say of the samples that look suspect or clear to the judge and the arithmetic check.

    None where nobody labelled anything: a signal alone is no measure of the truth.
    """
    table = (found or {}).get("signal") or {}
    rows = [
        (
            judge,
            one["samples"],
            *(one[word] for word in ("right", "wrong", "unsure")),
            one["samples"] - one["right"] - one["wrong"] - one["unsure"],
        )
        for judge, one in table.items()
        if one["samples"]
    ]
    labelled = sum(row[2] + row[3] for row in rows)
    if not labelled:
        return None
    values = [
        {"signal": row[0], "word": word, "share": number / row[1], "place": place}
        for row in rows
        for place, (word, number) in enumerate(zip(WORDS, row[2:], strict=True))
    ]
    told = "; ".join(f"{row[0]}: {row[3]:,} of {row[2] + row[3]:,} labelled are wrong" for row in rows)
    return Figure(
        "signals",
        "What people say of what looks suspect",
        "Where suspect samples are wrong more often than clear ones, the signals narrow the interval; what "
        f"they say alone is no estimate. {told}. n = {sum(row[1] for row in rows):,} accepted samples.",
        f"What people say of what looks suspect: {told}",
        {
            "height": {"step": 30},
            "data": {"values": values},
            "mark": {"type": "bar", "height": 20},
            "encoding": {
                "y": {
                    "field": "signal",
                    "type": "nominal",
                    "sort": [row[0] for row in rows],
                    "title": None,
                    "axis": {"labelLimit": 110, "ticks": False, "labelColor": LIGHT["ink"]},
                },
                "x": {
                    "field": "share",
                    "type": "quantitative",
                    "title": "share of accepted samples",
                    "scale": {"domain": [0, 1]},
                    "axis": {"format": ".0%", "tickCount": 5},
                },
                "order": {"field": "place"},
                "color": {
                    "field": "word",
                    "type": "nominal",
                    "title": "people say",
                    "scale": {"domain": list(WORDS), "range": list(WORDS.values())},
                    "legend": {"title": None, "symbolType": "square"},
                },
            },
        },
        ("signal", "samples", *WORDS),
        tuple(rows),
    )


def notes(found: Mapping[str, Any] | None) -> list[str]:
    """Sentences on who was asked: annotators and their agreement, the judge, the check of the arithmetic."""
    if not found:
        return []
    told = [str(found["said"])]
    if found["annotators"]:
        told.append(f"{found['annotators']} annotators gave labels, the last of them {found['until']}.")
    if agreement := found["agreement"]:
        told.append(f"Of the pairs of labels on one sample {_agreed(agreement['share'])} agree.")
    for name, what in (("judge", "The judge"), ("arithmetic", "The check of the arithmetic")):
        if one := found[name]:
            rate = one["rate"]
            told.append(
                f"{what} was asked about {one['asked']:,} accepted samples: {one['pass']:,} pass, "
                f"{one['fail']:,} fail, {one['no_answer'] + one['error']:,} could not be told; of those told "
                f"{_share(rate['value'])} fail ({interval(rate['low'], rate['high'])}). That is its opinion."
            )
    return told


def _agreed(found: Mapping[str, Any]) -> str:
    return f"{_share(found['value'])} ({interval(found['low'], found['high'])})"


def _share(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.3f}"


def _spec(values: list[dict[str, Any]]) -> dict[str, Any]:
    y = {
        "field": "what",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 210, "ticks": False, "labelColor": LIGHT["ink"]},
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
