"""The page of a report: one HTML file that holds everything it shows.

Guarantees: the file loads nothing, runs no script and sends nothing: its content security policy forbids all
but its own style sheet, known by its hash. Equal data give equal bytes. Charts are pictures with a text in
their place for those who cannot see them, and each has its numbers as a table. Whatever came from models,
problems or recipes is shown as text. Left out: where the data come from (`reporting.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from factory.report import charts, drawing, look, sections
from factory.report.figures import Figure
from factory.report.markup import folded, paragraph, table, text

ABSENT: Final = {
    "Coverage": "No draw of a model was verified, so coverage is not known.",
    "Diversity": "No verified draw of a model has a path, so diversity is not known.",
    "Selection and cost": "This release says nothing about its samples.",
    "Budget": "This release says nothing about its budget.",
    "False positives": "Nobody has looked for right answers by wrong reasoning, so their share is not known; "
    "`measure.false_positives` in a recipe asks for it, and `factory audit` asks people.",
}
"""What a section says where it has no chart."""


def render(data: Mapping[str, Any]) -> str:
    """The page. `data` is what `reporting.gather` returns, with `loop` where a loop made the release: plain
    values, nothing of them escaped."""
    figures = charts.report_figures(data)
    body = [
        sections.head(data),
        sections.loop(data.get("loop")),
        *(_charts(title, some, data) for title, some in figures.items()),
        sections.changes(data["changes"]),
        sections.rows(data["rows"]),
        sections.certificates(data["certificates"]),
        sections.origin(data),
    ]
    title = f"{data['release']['name']} {data['release']['version']}"
    return document(title, "\n".join(body))


def document(title: str, body: str) -> str:
    """A whole page: `title` is text, `body` is markup."""
    digest = base64.b64encode(hashlib.sha256(look.STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{look.STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _charts(title: str, figures: Sequence[Figure], data: Mapping[str, Any]) -> str:
    inside = "".join(figure(one) for one in figures)
    absent = "" if figures else paragraph(ABSENT[title])
    notes = "".join(paragraph(one) for one in data["notes"].get(title, ()))
    return f'<section><h2>{text(title)}</h2>{absent}{notes}<div class="charts">{inside}</div></section>'


def figure(one: Figure) -> str:
    """A chart in the two widths of which the page shows one, its caption, and its numbers."""
    drawn = "".join(
        f'<div class="{name}" role="img" aria-label="{text(one.alt)}">{drawing.svg(one.spec, width)}</div>'
        for name, width in (("wide", look.WIDE), ("narrow", look.NARROW))
    )
    return (
        f'<figure data-chart="{text(one.name)}"><h3>{text(one.title)}</h3>{drawn}'
        f"<figcaption>{text(one.caption)}</figcaption>"
        f"{folded('The numbers', table(one.title, one.head, one.rows))}</figure>\n"
    )
