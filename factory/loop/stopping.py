"""Whether a loop goes on after a round, in words, and which round is the best so far.

Guarantees: pure; the same figures give the same decision, so a loop that is started again decides as it did.
What could not be measured ends nothing and is never the best while something was measured. Rounds are
compared by the gain that is paired: an accuracy leaves out the problems whose answer could not be judged,
other ones in each round. Left out: where the figures come from (`looping.py`), and rounds that end a loop
because nothing of theirs is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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

    The first that holds ends the loop: a gain on stop.on over the round before that is below 0; one whose
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
    """The round that is farthest ahead, of equal ones the first; the last where none was measured."""
    measured = [one for one in rounds if one.accuracy is not None]
    if not measured:
        return rounds[-1].round
    top, ahead = measured[0].round, 0.0
    for before, now in pairwise(measured):
        ahead += _gained(before, now)
        if ahead > 1e-9:  # more than sums that are equal are apart by rounding
            top, ahead = now.round, 0.0
    return top


def _gained(before: RoundFigures, now: RoundFigures) -> float:
    """The paired gain of a round over another one; the difference of their accuracies where none is."""
    if now.gain is not None and now.gain.value is not None and before.round == now.round - 1:
        return now.gain.value
    return (now.accuracy or 0.0) - (before.accuracy or 0.0)


def _falls(rounds: Sequence[RoundFigures], stop: Stop) -> str:
    now, before = rounds[-1], rounds[-2] if len(rounds) > 1 else None
    if not stop.falls or before is None or before.accuracy is None or now.accuracy is None:
        return ""
    gained = _gained(before, now)
    if gained >= 0:
        return ""
    fell = f"from {_percent(before.accuracy)} to {_percent(now.accuracy)}"
    if now.accuracy >= before.accuracy:
        fell = f"by {_points(gained)} on the problems whose answers could be judged in both rounds"
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
