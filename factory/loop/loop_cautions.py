"""What the numbers of a loop cannot carry, in sentences for its page.

Guarantees: pure; each sentence rests on a figure of the state and names it. Left out: whether the loop goes
on, which none of them decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from factory.loop import loop_figures

FEW: Final = 400
"""Problems below which the 95 % interval of a share near one half is wider than 10 points."""

Plain = Mapping[str, Any]


def cautions(state: Plain) -> Iterator[str]:
    """Sentences on chance, choice, seeds, and what was left out."""
    done = [one for one in state["rounds"] if one["done"]]
    if not done:
        yield "No round is finished, so nothing is measured yet."
        return
    sets = (done[-1]["evaluation"] or {}).get("sets", {})
    if not sets:
        yield "Nothing was evaluated, so whether any round is better than the start is not known."
    for name, one in sets.items():
        yield from _of_set(state, name, one)
    decides = state["settings"]["loop"]["stop"]["on"]
    if decides and len(done) > 1:
        yield (
            f"The set {decides} decides which round is the result, so the best figure on it is too good by "
            "that choice; figures on the other sets are not."
        )
    if decides and state["settings"]["loop"].get("early_stop") and len(done) > 1:
        yield f"The set {decides} decides when each training ended, too: the more so for its figures."
    if "train" in sets:
        yield (
            "Training problems are those of the recipe, of which a round is taught those it asked and that "
            "were kept; so what separates them from held-out ones shows less than all overfitting."
        )
    if _is_longer(done):
        yield (
            "The start was trained for fewer steps than a round, so part of the gain over it may be that of "
            "longer training alone: to know, train the start for as many (loop.start.steps)."
        )
    yield (
        "This is one run with one seed. Intervals tell what other problems would give, not what another seed "
        "would: run it under other seeds before a small difference is believed."
    )


def _is_longer(done: Sequence[Plain]) -> bool:
    """Whether a round was trained for more steps than round 0, where that was trained."""
    steps = [one["model"]["result"]["steps"] for one in done if one["model"]]
    return done[0]["model"] is not None and max(steps) > steps[0]


def _of_set(state: Plain, name: str, one: Plain) -> Iterator[str]:
    best = state["best"]
    told = None
    if best:
        told = loop_figures.difference({"sets": {name: one}}, name, _label(state, best), _label(state, 0))
    if name != "train" and told is not None and told["low"] is not None and told["low"] <= 0 <= told["high"]:
        yield (
            f"On {name} the interval of the gain of round {best} over the start, {told['low']:+.3f} to "
            f"{told['high']:+.3f}, holds 0: the gain may be chance."
        )
    sizes = [value["n_problems"] for model in one["models"].values() for value in model["figures"].values()]
    if sizes and not min(sizes):
        yield f"On {name} there are figures that no problem tells; they are not known."
    elif sizes and min(sizes) < FEW:
        yield f"On {name} as few as {min(sizes):,} problems tell a figure, so its interval is wide."
    yield from undecided(name, one)
    for figure, why in one["not_measured"].items():
        yield f"On {name} {figure} is not measured: {why}."
    yield from _overlap(name, one["overlap"])


def undecided(name: str, one: Plain) -> Iterator[str]:
    """The draws on a set that could not be judged, by model; nothing where all were."""
    numbers = {
        label: sum(mode["error"] + mode["unverified"] for mode in model["counts"].values())
        for label, model in one["models"].items()
    }
    if any(numbers.values()):
        listed = ", ".join(f"{label} {number:,}" for label, number in numbers.items() if number)
        yield f"On {name} draws that could not be judged count as not solving their problem: {listed}."


def _overlap(name: str, found: Plain | None) -> Iterator[str]:
    if found is None:
        return
    if found["left_out"]:
        yield f"Of {name} {found['left_out']:,} problems were trained on and are left out."
    unknown = [model for model, one in found["against"].items() if one is None]
    if unknown:
        yield (
            f"What {', '.join(unknown)} saw in training is not known, so whether {name} was among it is not "
            "known either."
        )
    near = found["near"]
    if near["problems"]:
        yield (
            f"Of the {near['of']:,} problems of {name} that were asked, {near['problems']:,} have a run of "
            "13 words in common with a training problem."
        )


def _label(state: Plain, number: int) -> str:
    return loop_figures.label(dict(state), number)
