"""Whether a loop goes on after a round, in words, and which round is the best so far.

Guarantees: pure; the same figures give the same decision, so a loop that is started again decides as it did.
What could not be measured ends nothing and is never the best while something was measured. Left out: where
the figures come from (`looping.py`), and rounds that end a loop because nothing of theirs is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from factory.recipe import Stop

Why = Literal["", "falls", "no_gain", "rounds", "minutes", "samples"]


@dataclass(frozen=True)
class Gain:
    """A paired difference of accuracies with its 95% interval, over `n_problems`; null where none is."""

    value: float | None
    low: float | None
    high: float | None
    n_problems: int


@dataclass(frozen=True)
class RoundFigures:
    """A finished round: accuracy on stop.on and its gain over the round before (null: not measured).

    `minutes` and `draws` (samples for training) are those of this round alone. Round 0 is the start.
    """

    round: int
    accuracy: float | None
    gain: Gain | None
    minutes: float
    draws: int


@dataclass(frozen=True)
class Decision:
    """Whether another round begins; if not, `why` as a word and `reason` in words. `best` is a round."""

    go_on: bool
    why: Why
    reason: str
    best: int


def decide(rounds: Sequence[RoundFigures], stop: Stop, planned: int) -> Decision:
    """What follows the rounds finished so far (at least round 0), of `planned` ones.

    The first that holds ends the loop: accuracy on stop.on below that of the round before; a gain whose
    interval does not lie above 0; all rounds done; minutes or draws spent.
    """
    top = best(rounds)
    ends: tuple[tuple[Why, str], ...] = (
        ("falls", _falls(rounds, stop)),
        ("no_gain", _no_gain(rounds, stop)),
        ("rounds", _done(rounds, planned)),
        ("minutes", _minutes(rounds, stop)),
        ("samples", _samples(rounds, stop)),
    )
    for why, reason in ends:
        if reason:
            return Decision(False, why, reason, top)
    return Decision(True, "", "", top)


def best(rounds: Sequence[RoundFigures]) -> int:
    """The round of the highest accuracy, of equal ones the first; the last round where none was measured."""
    measured = [one for one in rounds if one.accuracy is not None]
    if not measured:
        return rounds[-1].round
    return max(measured, key=lambda one: (one.accuracy, -one.round)).round


def _falls(rounds: Sequence[RoundFigures], stop: Stop) -> str:
    now = rounds[-1]
    before = rounds[-2].accuracy if len(rounds) > 1 else None
    if not stop.falls or before is None or now.accuracy is None or now.accuracy >= before:
        return ""
    fell = f"from {_percent(before)} to {_percent(now.accuracy)}"
    return f"accuracy on {stop.on} fell in round {now.round}, {fell}"


def _no_gain(rounds: Sequence[RoundFigures], stop: Stop) -> str:
    now, gain = rounds[-1], rounds[-1].gain
    if not stop.no_gain or gain is None or gain.value is None or gain.low is None or gain.high is None:
        return ""
    if gain.low > 0:
        return ""
    where = "holds 0" if gain.high >= 0 else "lies below 0"
    more = "; more would tell a smaller gain" if gain.value > 0 else ""
    return (
        f"round {now.round} gained {_points(gain.value)} on {stop.on} over the round before, and the 95% "
        f"interval of that, {_points(gain.low)} to {_points(gain.high)}, {where} "
        f"({gain.n_problems:,} problems{more})"
    )


def _done(rounds: Sequence[RoundFigures], planned: int) -> str:
    if rounds[-1].round < planned:
        return ""
    return "the only round is done" if planned == 1 else f"all {planned} rounds are done"


def _minutes(rounds: Sequence[RoundFigures], stop: Stop) -> str:
    spent = sum(one.minutes for one in rounds)
    if stop.minutes is None or spent < stop.minutes:
        return ""
    return f"{spent:.1f} minutes of work are spent, and stop.minutes is {stop.minutes:g}"


def _samples(rounds: Sequence[RoundFigures], stop: Stop) -> str:
    spent = sum(one.draws for one in rounds)
    if stop.samples is None or spent < stop.samples:
        return ""
    return f"{spent:,} samples are drawn for training, and stop.samples is {stop.samples:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"
