"""Charts of where samples and their cost went: the waterfall of reasons, kept and spent, lengths.

Guarantees: as in `figures.py`. The waterfall adds up, from the samples that went in to the rows kept.
Costs of unlike units are never added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.report.drawing import LIGHT
from factory.report.figures import MOST_SERIES, NOT_KNOWN, Figure, Spec

KEPT: Final = "kept"
REASONS: Final[Mapping[str, str]] = {
    "unverified": "no verdict",
    "error": "verifier could not tell",
    "no_answer": "no answer found",
    "wrong": "wrong",
    "exact_duplicate": "same text",
    "path_duplicate": "same path",
    "near_duplicate": "nearly the same text",
    "over_limit": "over the limit of its problem",
}
"""Reasons in the order in which selection applies them, in words; others stand between wrong and the
duplicates under their own name, since further verifiers come there."""

OUTCOMES: Final[Mapping[str, str]] = {
    "right": LIGHT["c2"],
    "wrong": LIGHT["c1"],
    "no answer": LIGHT["c0"],
    "could not tell": LIGHT["c3"],
}

FEWEST: Final = 20
"""Samples of an outcome for which a line of shares says anything."""

UNITS: Final[Mapping[str, str]] = {
    "completion_tokens": "tokens written",
    "flops": "FLOPs",
    "seconds": "seconds",
    "usd": "US dollars",
}


def waterfall(selection: Mapping[str, int]) -> Figure | None:
    """From the samples that went in to the rows kept, reason by reason. `selection` is {reason: samples}."""
    total = sum(selection.values())
    if not total:
        return None
    kept = selection.get(KEPT, 0)
    left, steps = total, [{"what": f"samples  {total:,}", "low": 0, "high": total, "kind": "in"}]
    rows: list[tuple[object, ...]] = [("samples", total, total, 1.0)]
    for reason in _ordered(selection):
        number = selection[reason]
        what = f"{in_words(reason)}  −{number:,}"
        steps.append({"what": what, "low": left - number, "high": left, "kind": "out"})
        left -= number
        rows.append((in_words(reason), -number, left, number / total))
    steps.append({"what": f"kept  {kept:,}", "low": 0, "high": kept, "kind": "kept"})
    rows.append((KEPT, kept, kept, kept / total))
    largest = max((one for one in selection if one != KEPT), key=lambda one: selection[one], default=None)
    told = f"; most go as “{in_words(largest)}” ({selection[largest]:,})" if largest else ""
    rules = f"Each bar takes away the samples of one reason, in the order of the rules{told}."
    caption = f"{rules} n = {total:,} samples."
    spec = {
        "height": {"step": 26},
        "data": {"values": steps},
        "mark": {"type": "bar", "height": 18},
        "encoding": {
            "y": {
                "field": "what",
                "type": "nominal",
                "sort": [one["what"] for one in steps],
                "title": None,
                "axis": {"labelLimit": 210, "ticks": False, "domain": False, "labelColor": LIGHT["ink"]},
            },
            "x": {"field": "low", "type": "quantitative", "title": "samples", "axis": {"tickCount": 4}},
            "x2": {"field": "high"},
            "color": {
                "field": "kind",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": ["in", "out", "kept"], "range": [LIGHT["c0"], LIGHT["c1"], LIGHT["c2"]]},
            },
        },
    }
    return Figure(
        "waterfall",
        "From samples to rows",
        caption,
        f"Of {total:,} samples {kept:,} are kept{told}.",
        spec,
        ("reason", "samples", "left", "share of all"),
        tuple(rows),
    )


def _ordered(selection: Mapping[str, int]) -> list[str]:
    place = {reason: number for number, reason in enumerate(REASONS)}
    middle = place["wrong"] + 0.5
    return sorted((one for one in selection if one != KEPT), key=lambda one: (place.get(one, middle), one))


def in_words(reason: str) -> str:
    """A reason of selection as people read it."""
    if reason.startswith("rejected_by:"):
        return "rejected by " + reason.partition(":")[2]
    return REASONS.get(reason, reason)


def spent(costs: Sequence[Mapping[str, Any]]) -> Figure | None:
    """What each generator spent on kept samples and on the others, in the first unit known of all of them.

    `costs` has one {generator, kept, samples, known: {unit: samples}, on_kept: {unit: sum}, on_all: {unit:
    sum}} a generator, with null for sums of which nothing is known.
    """
    shown = [one for one in costs if one["samples"]][:MOST_SERIES]
    if not shown:
        return None
    unit = next((unit for unit in UNITS if all(one["known"][unit] == one["samples"] for one in shown)), None)
    label = UNITS[unit] if unit else "samples"
    values = []
    for one in shown:
        on_all = one["on_all"][unit] if unit else one["samples"]
        on_kept = (one["on_kept"][unit] or 0) if unit else one["kept"]
        values.append({"generator": one["generator"], "on": "kept rows", "amount": on_kept, "place": 0})
        values.append({"generator": one["generator"], "on": "others", "amount": on_all - on_kept, "place": 1})
    note = "" if unit else " Samples are counted, as no cost is known of all of them."
    if len(costs) > len(shown):
        note += f" {len(costs) - len(shown)} more stand in the table only."
    if unknown := [UNITS[one] for one in _unknown(costs)]:
        note += f" Not known: {', '.join(unknown)}."
    every = sum(one["samples"] for one in costs)
    told = "; ".join(f"{one['generator']} keeps {one['kept']:,} of {one['samples']:,}" for one in shown)
    return Figure(
        "cost",
        "What a kept row costs",
        f"How much of what each generator spent ({label}) went into rows that were kept.{note}"
        f" n = {every:,} samples.",
        f"Kept rows and others by generator, in {label}: {told}",
        _stacked(values, label),
        ("generator", "unit", "spent", "on kept rows", "spent for one kept row", "known of samples"),
        tuple(_cost_rows(costs)),
    )


def _unknown(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The units of which nothing is known of any sample."""
    return [unit for unit in UNITS if not any(one["known"][unit] for one in costs)]


def _cost_rows(costs: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for one in costs:
        kept, samples, name = one["kept"], one["samples"], one["generator"]
        rows.append((name, "samples", samples, kept, samples / kept if kept else "no row kept", "all"))
        for unit in (unit for unit in UNITS if unit not in _unknown(costs)):
            known, total, on_kept = (one[what][unit] for what in ("known", "on_all", "on_kept"))
            if not known:
                rows.append((name, UNITS[unit], NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, f"none of {samples:,}"))
                continue
            # A sum over some of the samples is no cost of a row.
            each = NOT_KNOWN if known < samples else total / kept if kept else "no row kept"
            part = "all" if known == samples else f"{known:,} of {samples:,}"
            rows.append((name, UNITS[unit], total, 0 if on_kept is None else on_kept, each, part))
    return rows


def _stacked(values: Sequence[Mapping[str, Any]], label: str) -> Spec:
    most = max(one["amount"] for one in values)
    return {
        "height": {"step": 34},
        "data": {"values": list(values)},
        "mark": {"type": "bar", "height": 22},
        "encoding": {
            "y": {
                "field": "generator",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 110, "ticks": False, "labelColor": LIGHT["ink"]},
            },
            "x": {
                "field": "amount",
                "type": "quantitative",
                "title": label,
                "axis": {"format": ",.2~f" if most < 10_000 else "~s", "tickCount": 5},
            },
            "order": {"field": "place"},
            "color": {
                "field": "on",
                "type": "nominal",
                "title": "on",
                "scale": {"domain": ["kept rows", "others"], "range": [LIGHT["c2"], LIGHT["rest"]]},
                "legend": {"title": None, "symbolType": "square"},
            },
        },
    }


def lengths(found: Mapping[str, Any]) -> Figure | None:
    """How long samples are, by outcome.

    `found` is {unit, width, counts: {outcome: [samples of each bin]}, summary: {outcome: {samples, low,
    median, high}}}: bins of `width` from 0 on, the last with all that is longer; low and high are the 10th
    and 90th percentile.
    """
    summary = {one: found["summary"][one] for one in OUTCOMES if one in found["summary"]}
    drawn = [one for one, entry in summary.items() if entry["samples"] >= FEWEST] or list(summary)
    if not summary:
        return None
    unit, width = found["unit"], found["width"]
    values = []
    for outcome in drawn:
        counts = found["counts"][outcome]
        total = sum(counts)
        for number, samples in enumerate([*counts, counts[-1]]):  # the last step needs an end
            values.append({"outcome": outcome, "from": number * width, "share": samples / total})
    number = sum(one["samples"] for one in summary.values())
    rare = ", ".join(one for one in summary if one not in drawn)
    note = f" Too few for a line: {rare}." if rare else ""
    told = "; ".join(f"{one}: {entry['median']:,.0f}" for one, entry in summary.items())
    spec = {
        "height": 260,
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "title": unit,
                "axis": {"grid": False, "tickCount": 6},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "share of its samples",
                "axis": {"format": ".0%"},
            },
            "color": {
                "field": "outcome",
                "type": "nominal",
                "title": "outcome",
                "scale": {"domain": drawn, "range": [OUTCOMES[one] for one in drawn]},
                "legend": {"title": None},
            },
        },
    }
    return Figure(
        "lengths",
        "How long samples are",
        f"Where the lines part, length tells right from wrong; medians are {told} {unit}. The last step "
        f"holds everything longer.{note} n = {number:,} samples.",
        f"Lengths in {unit}, medians: {told}",
        spec,
        ("outcome", "samples", "10 % are at most", "median", "90 % are at most", "unit"),
        tuple(
            (one, entry["samples"], entry["low"], entry["median"], entry["high"], unit)
            for one, entry in summary.items()
        ),
    )
