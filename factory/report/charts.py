"""The charts of a report and of a card: which there are, and how they come out of metrics and manifest.

Guarantees: odd data (no problem, one sample, nothing kept, nothing known) leaves charts out and never fails.
Left out: the page around them (`page.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from factory.report import accounts, drawing, figures
from factory.report.figures import ALL, Figure

CARD_WIDTH: Final = 760
"""Pixels of a chart in a card: what the Hub shows without scaling."""

MOST_CLASSES: Final = 60
"""Difficulties in the table of a chart."""

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
        "Coverage": [coverage(metrics), solve_rates(metrics), difficulties(metrics)],
        "Diversity": [diversity(metrics), figures.paths(data["paths"])],
        "Selection and cost": [
            accounts.waterfall(data["counts"].get("selection", {})),
            accounts.spent(data["costs"]),
            accounts.lengths(data["lengths"]),
        ],
    }
    return {section: [one for one in some if one] for section, some in found.items()}


def card_charts(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[Chart]:
    """The charts of a card, from what stands in manifest.json and metrics.json: no row is read.

    Coverage, solve rates and the waterfall, each where there is anything to draw.
    """
    wanted = [
        coverage(metrics),
        solve_rates(metrics),
        accounts.waterfall(manifest["counts"].get("selection", {})),
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
