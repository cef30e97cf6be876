"""The tables of a loop's page, from the state of the loop: rounds, evaluations, trainings, minutes.

Guarantees: pure; a number that is not known is None, and a dash stands where a round can have none, as round
0 has no draws. Left out: the rest of the page (`loop_report.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from factory.loop import loop_figures
from factory.report.figures import interval
from factory.report.markup import NO_NUMBER

Plain = Mapping[str, Any]
Table = dict[str, Any]
"""{head: names, rows: tuples}."""

TRAIN: Final = "training problems"
"""What the set `train` of an evaluation is called: the recipe's own problems."""


def tables(state: Plain, summary: Plain) -> dict[str, Table]:
    """All of them by name; `summary` is that of `loop_figures`."""
    return {
        "rounds": _rounds(summary),
        "sets": _sets(state),
        "differences": _differences(state),
        "trainings": _trainings(state),
        "seconds": _seconds(state),
    }


def shown_set(name: str) -> str:
    """An evaluation set as the page calls it."""
    return TRAIN if name == "train" else name


def _rounds(summary: Plain) -> Table:
    rows = summary["rounds"]
    sets = list(dict.fromkeys(name for row in rows for name in row["accuracy"]))
    ks = [row["k"] for row in rows]
    head = ["round", "sampled from", "samples", "correct", "kept", "rows trained on", "steps", "epochs"]
    head += ["last loss", *(f"accuracy on {shown_set(name)}" for name in sets)]
    head += ["k", "coverage@k", "diversity@k", "minutes"]
    plain = ("drawn", "correct", "kept", "rows", "steps", "epochs", "loss")
    lines = [
        (
            row["round"],
            row["sampled_from"] or "nothing",
            *(_or_none(row[key]) for key in plain),
            *(_or_none(row["accuracy"].get(name, loop_figures.NOTHING)["value"]) for name in sets),
            _or_none(k),
            _or_none(row["coverage"]["value"]),
            _or_none(row["diversity"]["value"]),
            row["minutes"],
        )
        for row, k in zip(rows, ks, strict=True)
    ]
    return {"head": head, "rows": lines}


def _or_none(value: object) -> object:
    """A dash where a round has no such number, as round 0 has no draws."""
    return NO_NUMBER if value is None else value


def _sets(state: Plain) -> Table:
    """Every figure of every model, by the last evaluation, which has all of them."""
    lines = []
    for name, one in loop_figures.last_sets(state).items():
        for label, told in one["models"].items():
            counts = told["counts"]
            for figure, value in told["figures"].items():
                drawn = counts["greedy" if figure == "greedy" else "draws"]
                undecided = drawn["error"] + drawn["unverified"]
                told_as = (value["value"], interval(value["low"], value["high"]), value["n_problems"])
                where = (shown_set(name), label, figure)
                lines.append((*where, *told_as, drawn["no_answer"], undecided, value["at_most"]))
    head: tuple[str, ...] = ("set", "model", "figure", "value", "95 % interval", "problems")
    head += ("draws without an answer", "draws that could not be judged", "value were those right")
    return {"head": head, "rows": lines}


def _differences(state: Plain) -> Table:
    lines = [
        (
            shown_set(name),
            f"{label} − {other}",
            figure,
            told["value"],
            interval(told["low"], told["high"]),
            *(told[key] for key in ("n_problems", "wins", "losses", "p")),
        )
        for name, one in loop_figures.last_sets(state).items()
        for label, against in one["differences"].items()
        for other, some in against.items()
        for figure, told in some.items()
    ]
    head = ("set", "models", "figure", "difference", "95 % interval", "problems", "better", "worse", "p")
    return {"head": head, "rows": lines}


def _trainings(state: Plain) -> Table:
    head: tuple[str, ...] = ("round", "rows", "steps", "epochs", "tokens", "of them in the loss")
    head += (
        "first loss",
        "last loss",
        "parameters trained",
        "of",
        "device",
        "precision",
        "seconds",
        "went on at step",
    )
    lines = []
    for entry in state["rounds"]:
        if entry["model"]:
            made = entry["model"]["result"]
            losses = [one["loss"] for one in made["curve"]] or [None]
            lines.append(
                (
                    entry["round"],
                    *(made[key] for key in ("rows", "steps", "epochs", "tokens", "loss_tokens")),
                    losses[0],
                    losses[-1],
                    *(made[key] for key in ("trained_parameters", "parameters", "device", "precision")),
                    made["seconds"],
                    ", ".join(str(one) for one in made["resumed_at"]) or "never broken off",
                )
            )
    return {"head": head, "rows": lines}


def _seconds(state: Plain) -> Table:
    steps = list(dict.fromkeys(step for one in state["rounds"] for step in one["seconds"]))
    lines = [
        (
            one["round"],
            *(_or_none(_minutes(one["seconds"].get(step))) for step in steps),
            _minutes(sum(one["seconds"].values())),
        )
        for one in state["rounds"]
    ]
    return {"head": ("round", *steps, "all"), "rows": lines}


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 2)
