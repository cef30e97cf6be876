"""Gathers what the page of a loop shows from the state of the loop, and writes it.

Guarantees: every number stands in the state, which the releases, models and evaluations of the rounds made;
what was not measured is null there and "not known" here. Warnings say what the numbers cannot carry. Equal
states give equal pages. Left out: the page itself (`report/loop_page.py`), and whether a loop goes on
(`stopping.py`).
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from factory.atomic import write_atomically
from factory.errors import CheckFailed
from factory.loop import loop_cautions, loop_figures, loop_state, loop_tables
from factory.report import charts, drawing, loop_page
from factory.report.figures import interval
from factory.store import Store

PAGE: Final = "report.html"
CHART: Final = "rounds.png"
_ROUND: Final = re.compile(r"(?P<loop>.+)-r(?P<round>\d+)@(?P<version>[^@]+)")

_logger = logging.getLogger(__name__)
Plain = Mapping[str, Any]


def write(store: Store, state: Plain) -> Path:
    """Write the page of a loop beside its state, and its first chart as PNG; returns the page."""
    data = gather(state)
    folder = store.root / "loops" / f"{state['name']}@{state['version']}"
    page = loop_page.render(data).encode("utf-8", "replace")
    write_atomically(folder / PAGE, lambda file: file.write(page))
    first = loop_page.figures(data)[0]
    if first is not None:
        try:
            picture = drawing.png(first.spec, charts.CARD_WIDTH)
        except ValueError as error:  # a picture is no reason to lose the result of a loop
            _logger.warning("the chart %s was left out: %s", first.name, error)
        else:
            write_atomically(folder / CHART, lambda file: file.write(picture))
    return folder / PAGE


def of_release(store: Store, name: str, release_id: str, seen_from: Path) -> dict[str, Any] | None:
    """The loop of this store that made the release NAME@VERSION, or None: {loop, round, page}.

    `page` is the path of the loop's page from the file `seen_from`, None where it was not written.
    """
    found = _ROUND.fullmatch(name)
    if found is None:
        return None
    folder = store.root / "loops" / f"{found['loop']}@{found['version']}"
    number = int(found["round"])
    try:
        state = loop_state.read(folder)
    except CheckFailed:  # a loop that cannot be read is told by the loop, not by a release
        return None
    made = [one["release"] for one in state["rounds"] if one["round"] == number] if state else []
    if not made or made[0] is None or made[0]["release_id"] != release_id:
        return None
    page = folder / PAGE
    there = os.path.relpath(page.resolve(), seen_from.resolve().parent) if page.is_file() else None
    return {"loop": folder.name, "round": number, "page": there}


def gather(state: Plain) -> dict[str, Any]:
    """What the page shows, as plain data; see `loop_page.render`."""
    summary = loop_figures.summary(dict(state))
    return {
        "title": f"{state['name']} {state['version']}: a loop of {_rounds(summary)}",
        "description": state["description"] or "The recipe says nothing about it.",
        "numbers": _numbers(state, summary),
        "verdict": list(_verdict(state, summary)),
        "warnings": list(loop_cautions.cautions(state)),
        "accuracies": [
            {"round": row["round"], "series": loop_tables.shown_set(name), **_point(told)}
            for row in summary["rounds"]
            for name, told in sorted(row["accuracy"].items(), key=lambda one: one[0] != "train")
        ],
        "coverages": list(_over_k(state, "coverage")),
        "diversities": list(_over_k(state, "diversity")),
        "losses": {
            f"round {entry['round']}": entry["model"]["result"]["curve"]
            for entry in state["rounds"]
            if entry["model"]
        },
        "tables": loop_tables.tables(state, summary),
        "settings": list(_flat(state["settings"])),
        "links": [_links(entry, state) for entry in state["rounds"]],
    }


def _rounds(summary: Plain) -> str:
    number = sum(row["round"] > 0 for row in summary["rounds"])
    return f"{number} round{'' if number == 1 else 's'}"


def _point(told: Plain) -> dict[str, Any]:
    return {key: told[key] for key in ("value", "low", "high", "n_problems")}


def _over_k(state: Plain, metric: str) -> Iterator[dict[str, Any]]:
    """Points of a metric@k of the draws of each round's own model, by k."""
    found = []
    for entry in state["rounds"]:
        metrics = loop_figures.own_metrics(dict(state), entry) or {}
        for key, told in metrics.items():
            if key.startswith(f"{metric}@"):
                found.append((int(key.partition("@")[2]), {"round": entry["round"], **_point(told)}))
    for k, point in sorted(found, key=lambda one: (one[0], one[1]["round"])):
        yield {"series": f"k = {k}", **point}


# --- the head ----------------------------------------------------------------------------------------


def _numbers(state: Plain, summary: Plain) -> list[tuple[str, object, str]]:
    rows = summary["rounds"]
    best = _best(summary)
    drawn = [row["drawn"] for row in rows if row["drawn"] is not None]
    minutes = sum(sum(one["seconds"].values()) for one in state["rounds"]) / 60
    numbers: list[tuple[str, object, str]] = [
        ("rounds", sum(row["round"] > 0 for row in rows), "that were finished"),
        ("the result", f"round {summary['best']}" if best else None, "the model of this round"),
    ]
    for name, told in (best or {"accuracy": {}})["accuracy"].items():
        if name != "train":
            ends = interval(told["low"], told["high"])
            numbers.append((f"accuracy on {name}", told["value"], f"{ends}, n = {told['n_problems']:,}"))
    for name, told in (best or {"over_start": {}})["over_start"].items():
        if name != "train":
            note = f"{interval(told['low'], told['high'])}, paired"
            numbers.append((f"over the start on {name}", told["value"], note))
    numbers.append(("samples drawn", sum(drawn) if drawn else None, "for training, over all rounds"))
    numbers.append(("minutes", round(minutes, 1), f"taken up again {summary['resumed']} times"))
    return numbers


def _best(summary: Plain) -> Plain | None:
    return next((row for row in summary["rounds"] if row["round"] == summary["best"]), None)


def _verdict(state: Plain, summary: Plain) -> Iterator[str]:
    """Why it ended, which model is the result, and why."""
    stopped = summary["stopped"]
    yield f"It ended: {stopped['reason']}." if stopped else "It has not ended: the same command goes on."
    best, decides = _best(summary), summary["decides"]
    if best is None:
        return
    told = best["accuracy"].get(decides) if decides else None
    if told is None or told["value"] is None:
        yield f"The model of round {best['round']}, the last one, is the result: no set decides between them."
        return
    last = summary["rounds"][-1]["round"]
    rest = range(best["round"] + 1, last + 1)
    whose = f"Rounds {rest[0]} to {last} are" if len(rest) > 1 else f"Round {last} is"
    later = f" {whose} not better there." if rest else ""
    others = [row["accuracy"].get(decides, loop_figures.NOTHING)["value"] for row in summary["rounds"]]
    highest = all(one is None or one <= told["value"] for one in others)
    why = (
        "is the highest of all rounds"
        if highest
        else "is not the highest, but no other round is ahead of it on the problems whose answers could be "
        "judged in both"
    )
    yield (
        f"The model of round {best['round']} is the result: its accuracy on {decides}, {told['value']:.3f} "
        f"({interval(told['low'], told['high'])}), {why}.{later}"
    )


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _links(entry: Plain, state: Plain) -> tuple[str, list[tuple[str, str, str]]]:
    """(round, [(what, name, path from the page)])."""
    found = []
    if entry["release"]:
        found.append(
            ("release", entry["release"]["id"], f"../../releases/{entry['release']['id']}/README.md")
        )
    if entry["model"]:
        folder = entry["model"]["folder"]
        found.append(("model", Path(folder).name, f"../../{folder}/README.md"))
    if entry["evaluation"]:
        made = entry["evaluation"]
        path = f"../../evaluations/{made['recipe']}/{made['evaluation_id']}.json"
        found.append(("evaluation", made["evaluation_id"], path))
    return f"round {entry['round']}, {loop_figures.label(dict(state), entry['round'])}", found
