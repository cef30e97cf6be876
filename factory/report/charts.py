"""The charts of a report and of a card: which there are, and how they come out of metrics and manifest.

Guarantees: odd data (no problem, one sample, nothing kept, nothing known) leaves charts out and never fails.
Left out: the page around them (`page.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from factory.report import accounts, budget_charts, drawing, false_positive_charts, figures
from factory.report.figures import ALL, Figure

CARD_WIDTH: Final = 760
"""Pixels of a chart in a card: what the Hub shows without scaling."""

MOST_CLASSES: Final = 60
"""Difficulties in the table of a chart."""

UNREMARKABLE: Final = ("planned", "exhausted")
"""Ends of sampling that a card draws no chart of: every problem has what was planned, or was imported."""

_logger = logging.getLogger(__name__)


class Chart(NamedTuple):
    """A chart of a card: a file name, what stands in it, and what to say beside it."""

    name: str
    png: bytes
    alt: str
    caption: str


def by_generator(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """{series: part of metrics.json}: all generators together, then each where there are several."""
    if not metrics:
        return {}
    parts = metrics.get("by", {}).get("generator", {})
    if len(parts) == 1:
        return dict(parts)
    return {ALL: metrics, **parts} if parts else {ALL: metrics}


def coverage(metrics: Mapping[str, Any]) -> Figure | None:
    """coverage@k over k."""
    return figures.curves(
        "coverage",
        "Problems solved by k samples",
        "coverage@k",
        "coverage",
        by_generator(metrics),
        "The share of problems that at least one of k random samples solves; the band is a 95 % interval "
        "(problems resampled), and a curve that still rises says that more samples solve more problems.",
    )


def diversity(metrics: Mapping[str, Any]) -> Figure | None:
    """diversity@k over k."""
    return figures.curves(
        "diversity",
        "Distinct correct paths in k samples",
        "diversity@k",
        "diversity",
        by_generator(metrics),
        "The expected number of different correct lines of reasoning in k random samples of a problem; a "
        "curve that flattens says that more samples repeat what is there.",
    )


def majority(metrics: Mapping[str, Any]) -> Figure | None:
    """maj@k over k, where answers can vote."""
    return figures.curves(
        "majority",
        "Problems whose vote of k samples is right",
        "maj@k",
        "maj",
        by_generator(metrics),
        "The share of problems of which the commonest answer of k random samples is right; ties share, and "
        "a sample without an answer does not vote. Where it stays below coverage@k, right answers are there "
        "and outvoted.",
    )


def solve_rates(metrics: Mapping[str, Any]) -> Figure | None:
    """Problems by the share of their samples that is right, by generator."""
    return figures.solve_rates("solve-rates", "How often problems are solved", by_generator(metrics))


def difficulties(metrics: Mapping[str, Any]) -> Figure | None:
    """The same by the difficulty that sources state, where they state any."""
    parts = metrics.get("by", {}).get("difficulty", {}) if metrics else {}
    found = dict(list(parts.items())[:MOST_CLASSES])
    return (
        figures.solve_rates(
            "solve-rates-by-difficulty", "How often problems are solved, by difficulty", found
        )
        if found
        else None
    )


def report_figures(data: Mapping[str, Any]) -> dict[str, list[Figure]]:
    """Every figure of a report by its section; `data` is what `reporting.gather` returns."""
    metrics = data["metrics"]
    found: dict[str, list[Figure | None]] = {
        "Coverage": [coverage(metrics), majority(metrics), solve_rates(metrics), difficulties(metrics)],
        "Diversity": [diversity(metrics), figures.paths(data["paths"])],
        "Selection and cost": [
            accounts.waterfall(data["counts"].get("selection", {})),
            accounts.spent(data["costs"]),
            accounts.lengths(data["lengths"]),
        ],
        "Budget": [budget_charts.budget(data.get("budget")), budget_charts.stops(data.get("stops") or ())],
        "False positives": [
            false_positive_charts.false_positives(data.get("false_positives")),
            false_positive_charts.signals(data.get("false_positives")),
        ],
    }
    return {section: [one for one in some if one] for section, some in found.items()}


def card_charts(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[Chart]:
    """The charts of a card, from what stands in manifest.json and metrics.json: no row is read.

    Coverage, solve rates, the waterfall, why sampling stopped where that was not fixed, and false positives,
    each where there is anything to draw.
    """
    stops = metrics.get("stops") or ()
    wanted = [
        coverage(metrics),
        solve_rates(metrics),
        accounts.waterfall(manifest["counts"].get("selection", {})),
        budget_charts.stops(stops) if any(one["why"] not in UNREMARKABLE for one in stops) else None,
        false_positive_charts.false_positives(metrics.get("false_positives")),
    ]
    return list(_drawn(one for one in wanted if one))


def _drawn(wanted: Iterable[Figure]) -> Iterable[Chart]:
    for one in wanted:
        try:
            picture = drawing.png(one.spec, CARD_WIDTH)
        except ValueError as error:  # a picture is no reason to lose a release
            _logger.warning("the chart %s was left out of the card: %s", one.name, error)
            continue
        yield Chart(f"{one.name}.png", picture, one.alt, one.caption)
