"""The figures of a loop, read from its state: what decides, and what a table of its rounds shows.

Guarantees: pure; a figure that was not measured is null. Left out: how the state comes about
(`loop_state.py`), and how figures are shown (`display_loop.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.loop.loop_state import State
from factory.loop.stopping import Gain, RoundFigures

Plain = Mapping[str, Any]
NOTHING: Plain = {"value": None, "low": None, "high": None, "n_problems": 0}


def label(state: State, number: int) -> str:
    """What the model of a round is called in evaluations: start (base, where nothing was taught), r1, ..."""
    if number:
        return f"r{number}"
    return "start" if state["settings"]["loop"].get("start") is not None else "base"


def accuracy(evaluation: Plain | None, on: str | None, of: str) -> Plain:
    """Greedy pass@1 of a model on a set: {value, low, high, n_problems}."""
    told: Plain = _set(evaluation, on).get("models", {}).get(of, {}).get("figures", {}).get("greedy", NOTHING)
    return told


def difference(evaluation: Plain | None, on: str | None, of: str, against: str) -> Plain:
    """The paired difference of two models' greedy pass@1 on a set: {value, low, high, n_problems, ...}."""
    told: Plain = (
        _set(evaluation, on).get("differences", {}).get(of, {}).get(against, {}).get("greedy", NOTHING)
    )
    return told


def _set(evaluation: Plain | None, on: str | None) -> Plain:
    return {} if evaluation is None or on is None else evaluation["sets"].get(on, {})


def last_sets(state: Plain) -> Plain:
    """The sets of the last evaluation, which has the figures of every model; nothing where none was made."""
    made = [one["evaluation"] for one in state["rounds"] if one["done"] and one["evaluation"]]
    return made[-1]["sets"] if made else {}


def figures(state: State) -> list[RoundFigures]:
    """What `stopping.decide` reads, of every finished round."""
    on = state["settings"]["loop"]["stop"]["on"]
    return [_figures(state, entry, on) for entry in state["rounds"] if entry["done"]]


def _figures(state: State, entry: Plain, on: str | None) -> RoundFigures:
    number = entry["round"]
    gained = None
    if number:
        told = difference(entry["evaluation"], on, label(state, number), label(state, number - 1))
        gained = Gain(told["value"], told["low"], told["high"], told["n_problems"])
    return RoundFigures(
        round=number,
        accuracy=accuracy(entry["evaluation"], on, label(state, number))["value"],
        gain=gained,
        minutes=_seconds(entry) / 60,
        draws=draws(state, entry)["drawn"] or 0,
    )


def draws(state: State, entry: Plain, k: int | None = None) -> dict[str, Any]:
    """Of the samples that a round's own model wrote: drawn, correct, kept; coverage and diversity at k."""
    metrics = own_metrics(state, entry)
    if metrics is None:
        unknown = dict.fromkeys(("drawn", "correct", "kept", "k"))
        return {**unknown, "coverage": NOTHING, "diversity": NOTHING}
    counted = metrics["samples"]
    kept = entry["release"].get("kept")
    return {
        "drawn": counted["verified"] + counted["errors"] + counted["unverified"],
        "correct": counted["passed"],
        "kept": None if kept is None else kept.get(own_name(state, entry), 0),
        "k": k,
        "coverage": metrics.get(f"coverage@{k}", NOTHING),
        "diversity": metrics.get(f"diversity@{k}", NOTHING),
    }


def common_k(state: State) -> int | None:
    """The largest k that was measured in every round that drew, so that rounds can be compared."""
    measured = [
        {
            int(name.removeprefix("coverage@"))
            for name, one in metrics.items()
            if name.startswith("coverage@") and one["value"] is not None
        }
        for entry in state["rounds"]
        if (metrics := own_metrics(state, entry)) is not None
    ]
    return max(set.intersection(*measured), default=None) if measured else None


def own_metrics(state: State, entry: Plain) -> Plain | None:
    """The metrics of the draws of this round's model; those of round 0 are of nobody's draws."""
    if not entry["round"] or entry["release"] is None:
        return None
    by = entry["release"]["metrics"].get("by", {}).get("generator", {})
    own: Plain | None = by.get(own_name(state, entry))
    return own


def own_name(state: State, entry: Plain) -> str:
    """The generator of a round whose model was sampled in it."""
    return f"{state['learner']}-r{entry['round']}"


def minutes(state: State, planned: int) -> tuple[float, float | None]:
    """Minutes spent so far, and those left by the mean of the finished rounds; None before round 1 is."""
    spent = [_seconds(entry) / 60 for entry in state["rounds"]]
    each = list(zip(spent, state["rounds"], strict=True))
    done = [one for one, entry in each if entry["done"] and entry["round"]]
    if not done:
        return sum(spent), None
    mean = sum(done) / len(done)
    begun = sum(one for one, entry in each if not entry["done"])
    return sum(spent), max(0.0, mean * (planned - len(done)) - begun)


def _seconds(entry: Plain) -> float:
    return float(sum(entry["seconds"].values()))


# --- the summary -------------------------------------------------------------------------------------


def summary(state: State) -> dict[str, Any]:
    """What came of a loop, as plain data: a row for each finished round, why it ended, the best model."""
    done = [entry for entry in state["rounds"] if entry["done"]]
    k = common_k(state)
    best = state["best"]
    model = None if best is None else state["rounds"][best]["model"]
    return {
        "loop": f"{state['name']}@{state['version']}",
        "stopped": state["stopped"],
        "best": best,
        "best_model": None if model is None else model["folder"],
        "resumed": state["resumed"],
        "decides": state["settings"]["loop"]["stop"]["on"],
        "rounds": [_row(state, entry, k) for entry in done],
    }


def _row(state: State, entry: Plain, k: int | None) -> dict[str, Any]:
    number, evaluation, result = entry["round"], entry["evaluation"], (entry["model"] or {}).get("result", {})
    of = label(state, number)
    curve = result.get("curve") or []
    sets = evaluation["sets"] if evaluation else {}
    return {
        "round": number,
        "sampled_from": entry["sampled_from"],
        "release": entry["release"] and entry["release"]["id"],
        "model": entry["model"] and entry["model"]["folder"],
        **draws(state, entry, k),
        "rows": result.get("rows"),
        "steps": result.get("steps"),
        "epochs": result.get("epochs"),
        "loss": curve[-1]["loss"] if curve else None,
        "accuracy": {name: dict(accuracy(evaluation, name, of)) for name in sets},
        "over_start": {
            name: dict(difference(evaluation, name, of, label(state, 0))) for name in sets if number
        },
        "minutes": round(_seconds(entry) / 60, 3),
    }
