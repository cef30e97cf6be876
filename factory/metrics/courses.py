"""How a rule of a budget goes on: draws, correct ones and solved problems after so many draws of a problem.

Guarantees: expectations under each draw of the posterior of rates, exact for the model (no simulation).
Left out: costs and amounts (`forecast.py`). Adaptive allocation is taken as one class of problems of equal
cost, for which it goes level by level: with classes it does better than foretold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from factory.metrics import rates
from factory.metrics.estimators import pass_at_k_array
from factory.metrics.rates import Rates, Standing

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """What is drawn of `problems` problems: `most` draws each, None where only an amount ends it.

    `target`: a problem stops at so many correct ones; `proportional`: (correct ones of the hardest, draws
    that probe) of Prop2Diff. `amounts`: so much may be spent of these currencies, "samples" among them;
    `slack`: so much of one may stay unspent, where a draw starts only if its bound still fits.
    """

    problems: int
    most: int | None
    target: int | None = None
    proportional: tuple[int, int] | None = None
    amounts: Mapping[str, float] = field(default_factory=dict)
    slack: Mapping[str, float] = field(default_factory=dict)


class Courses(NamedTuple):
    """After `levels` draws of a problem: `draws` made, `right` of them, problems `solved`, and the `variance`
    of the draws, each (levels, draws of the posterior) and over all problems."""

    levels: Whole
    draws: Reals
    right: Reals
    solved: Reals
    variance: Reals


class _State(NamedTuple):
    """Problems after n draws with c correct: how many, a number or one for each draw of the posterior."""

    n: int
    c: int
    problems: Reals


def courses(spread: Rates, n: Whole, c: Whole, rule: Rule, levels: Whole) -> Courses:
    """The course of `rule`, from where a probe stands: `n` draws with `c` correct of some problems."""
    shape = (len(levels), len(spread.never))
    total = Courses(levels, *(np.zeros(shape) for _ in range(4)))
    pairs, counts = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    states = [_State(int(a), int(b), np.array(float(k))) for (a, b), k in zip(pairs.T, counts, strict=True)]
    if rule.problems > len(n):
        states.append(_State(0, 0, np.array(float(rule.problems - len(n)))))
    if rule.proportional is not None:
        _probed(total, spread, states, rule.proportional, rule.most or 0)
        return total
    for state in states:
        if rule.target is None:
            _fixed(total, spread, state)
        else:
            _until(total, spread, state, rule.target, rule.most or 0)
    return total


def _fixed(total: Courses, spread: Rates, state: _State) -> None:
    at, more = _standing(spread, state), np.maximum(total.levels - state.n, 0)[:, None]
    total.draws[:] += state.problems * (state.n + more)
    total.right[:] += state.problems * (state.c + rates.mean_rate(at) * more)
    total.solved[:] += state.problems * _solved(total.levels, at, state)


def _solved(levels: Whole, at: Standing, state: _State) -> Reals:
    """The chance that a problem is solved, (levels, draws): among draws made already, in any order."""
    more = np.maximum(levels - state.n, 0)[:, None]
    found = 1.0 - rates.missed(at, more) if not state.c else np.ones((len(levels), at.never.shape[1]))
    for place in np.flatnonzero((levels < state.n) & (levels > 0)):
        found[place] = pass_at_k_array([state.n], [state.c], int(levels[place]))[0]
    found[levels == 0] = 0.0
    return found


def _until(total: Courses, spread: Rates, state: _State, target: int, most: int) -> None:
    """Draws of problems that stop at `target` correct ones, or at `most` draws."""
    at, need = _standing(spread, state), max(0, target - state.c)
    total.solved[:] += state.problems * _solved(total.levels, at, state)
    open_ = np.ones((2, at.a.shape[2], need)) * (np.arange(need) == 0)  # chance of so many new correct ones
    weight, a, b = at.weight[:, 0], at.a[:, 0], at.b[:, 0]
    draws, right, square = (np.zeros(at.never.shape[1]) for _ in range(3))
    for level in range(most + 1):
        step = level - state.n
        for place in np.flatnonzero(total.levels == level):
            total.draws[place] += state.problems * (state.n + draws)
            total.right[place] += state.problems * (state.c + right)
            total.variance[place] += state.problems * np.maximum(square - draws**2, 0.0)
        if step < 0 or not need:
            continue
        chance = weight * open_.sum(axis=2)
        hit = (a[..., None] + np.arange(need)) / (a + b + step)[..., None]
        going = chance.sum(axis=0) + at.never[0]
        draws, square = draws + going, square + (2 * step + 1) * going
        right = right + (weight * (open_ * hit).sum(axis=2)).sum(axis=0)
        lost = open_ * hit
        open_ = open_ - lost
        open_[..., 1:] += lost[..., :-1]


def _probed(
    total: Courses, spread: Rates, states: list[_State], proportional: tuple[int, int], most: int
) -> None:
    """Draws that probe each problem, and then those until it has as many as its fail rate asks for."""
    hardest, probe = proportional[0], min(proportional[1], most)
    after = [np.zeros(total.draws.shape[1]) for _ in range(probe + 1)]
    early = total.levels < probe
    before = Courses(total.levels, *(np.zeros_like(one) for one in total[1:]))
    for state in states:
        _fixed(before, spread, state)
        if state.n >= probe:
            after[round(state.c * probe / state.n)] += state.problems
            continue
        for hits, chance in enumerate(_hits(_standing(spread, state), probe - state.n)):
            after[state.c + hits] += state.problems * chance
    there = [correct for correct in range(probe + 1) if after[correct].mean() >= 0.5]
    highest = 1.0 - min(there, default=0) / probe
    for correct, problems in enumerate(after):
        wanted = max(1, round(hardest * (1 - correct / probe) / highest)) if highest else 1
        _until(total, spread, _State(probe, correct, problems), wanted, most)
    for ours, theirs in zip(total[1:], before[1:], strict=True):
        ours[early] = theirs[early]


def _hits(at: Standing, draws: int) -> Reals:
    """The chances of 0 to `draws` correct ones among so many draws of one problem: (draws + 1, posterior)."""
    chances = np.ones((2, at.a.shape[2], draws + 1)) * (np.arange(draws + 1) == 0)
    a, b = at.a[:, 0, :, None], at.b[:, 0, :, None]
    for step in range(draws):
        hit = chances * (a + np.arange(draws + 1)) / (a + b + step)
        chances = chances - hit
        chances[..., 1:] += hit[..., :-1]
    found = np.moveaxis((at.weight[:, 0, :, None] * chances).sum(axis=0), 1, 0)
    found[0] += at.never[0]
    return np.asarray(found)


def _standing(spread: Rates, state: _State) -> Standing:
    return rates.standing(spread, np.array([state.n]), np.array([state.c]))
