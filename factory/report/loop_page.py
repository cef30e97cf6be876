"""The page of a loop: its rounds side by side, in one HTML file that holds everything it shows.

Guarantees: as in `page.py`: nothing is loaded, no script runs, and every text from outside is escaped; links
lead to files of the store beside it. Equal data give equal bytes. What is not known is said, never 0. Left
out: where the data come from (`factory/loop/loop_report.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.report import training_charts
from factory.report.figures import Figure
from factory.report.markup import cell, folded, link, paragraph, table, text
from factory.report.page import document, figure


def render(data: Mapping[str, Any]) -> str:
    """The page. `data` holds plain values, nothing of them escaped:

    title, description, numbers [(name, value, note)], verdict [sentence], warnings [sentence];
    accuracies, coverages, diversities [{round, series, value, low, high, n_problems}]; losses {label: curve};
    tables {rounds, sets, differences, trainings, seconds: {head, rows}}; settings [(key, value)];
    links [(round, [(what, name, path from the page)])].
    """
    body = [
        _head(data),
        _warnings(data["warnings"]),
        _charts("Rounds", figures(data), _table("Each round", data["tables"]["rounds"])),
        _evaluations(data["tables"]),
        _charts(
            "Training",
            [training_charts.losses(data["losses"])],
            _table("Trainings", data["tables"]["trainings"]),
        ),
        _section("Time", _table("Minutes of each step", data["tables"]["seconds"])),
        _made(data["links"]),
        _section("Settings", folded("All of them", table("Settings", ("key", "value"), data["settings"]))),
    ]
    return document(data["title"], "\n".join(body))


def figures(data: Mapping[str, Any]) -> list[Figure | None]:
    """The charts over rounds; `data` as in `render`."""
    return [
        training_charts.accuracies(data["accuracies"]),
        training_charts.coverages(data["coverages"]),
        training_charts.diversities(data["diversities"]),
    ]


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{text(title)}</h2>{inside}</section>"


def _head(data: Mapping[str, Any]) -> str:
    numbers = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(cell(value))}<small>{text(note)}</small></dd></div>"
        for name, value, note in data["numbers"]
    )
    return (
        f"<header><h1>{text(data['title'])}</h1>{paragraph(data['description'])}"
        f'<dl class="numbers">{numbers}</dl>{"".join(paragraph(one) for one in data["verdict"])}</header>'
    )


def _warnings(found: Sequence[str]) -> str:
    listed = "".join(f"<li>{text(one)}</li>" for one in found)
    return _section("Read with care", f"<ul>{listed}</ul>") if found else ""


def _charts(title: str, some: Sequence[Figure | None], after: str) -> str:
    inside = "".join(figure(one) for one in some if one)
    charts = f'<div class="charts">{inside}</div>' if inside else paragraph("There is nothing to draw yet.")
    return _section(title, charts + after)


def _table(title: str, found: Mapping[str, Any]) -> str:
    if not found["rows"]:
        return ""
    return f"<h3>{text(title)}</h3>{table(title, found['head'], found['rows'])}"


def _evaluations(tables: Mapping[str, Mapping[str, Any]]) -> str:
    told = (
        "A difference is paired: both models on the same problems, and its 95 % interval resamples the "
        "problems. One that holds 0 may be chance."
    )
    inside = _table("Accuracy", tables["sets"]) + _table("Differences", tables["differences"])
    return _section(
        "Evaluations", paragraph(told) + inside if inside else paragraph("Nothing was evaluated.")
    )


def _made(links: Sequence[tuple[str, Sequence[tuple[str, str, str]]]]) -> str:
    lines = [
        f"<li>{text(whose)}: "
        + (", ".join(f"{text(what)} {link(name, path)}" for what, name, path in some) or "nothing yet")
        + "</li>"
        for whose, some in links
    ]
    return _section("Releases and models", f"<ul>{''.join(lines)}</ul>") if lines else ""
