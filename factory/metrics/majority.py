"""maj@k: how often the commonest answer of k draws is the right one (arXiv 2203.11171), without bias.

Guarantees: the average over all subsets of k of the n judged draws of a problem. Every draw with an answer
has one vote for it; all right answers are one answer. Answers with equally many votes share the win evenly,
so a tie of the right one with t others counts 1 / (t + 1). A draw without an answer votes for nothing, and
where none votes the problem is not solved. The value is exact where C(n, k) is at most 10,000 or where that
costs little, as for some hundred problems with n = 128; elsewhere it is the mean over seeded draws, with the
variance of that mean. Which it is depends on the counts alone. Left out: which answers are equal, and any
average over problems (`measure.py`).
"""

from __future__ import annotations

from math import comb
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from factory.metrics.estimators import Reals, Whole, whole

EXACT: Final = 10_000
"""Subsets of the draws of a problem up to which it is never sampled."""

TERMS: Final = 10_000_000
"""Terms summed for the problems with equally many draws: 3 seconds of one core."""

DRAWS: Final = 200_000
"""Seeded draws made in all, where they are."""

LEAST_DRAWS: Final = 64
BLOCK: Final = 2_000_000
"""Numbers held at once: 32 MB of complex ones."""

SETTLED: Final = 12
"""Decimals that a value is rounded to: sums of waves leave noise behind them."""


def majority_at_k(n: int, right: int, others: ArrayLike, k: int) -> float:
    """maj@k of one problem: `right` of n draws give the right answer, `others` counts those of each other.

    Raises ValueError unless 1 <= k <= n, every count is at least 1 and they add up to n at most.
    """
    sizes = whole(others)
    values, _ = majority_at_k_array([n], [right], np.zeros(len(sizes)), sizes, k)
    return float(values[0])


def majority_at_k_array(
    n: ArrayLike, right: ArrayLike, owner: ArrayLike, sizes: ArrayLike, k: int, seed: int = 0
) -> tuple[Reals, Reals]:
    """`majority_at_k` of many problems, and the variance of each value: 0 where it is exact.

    `n` and `right` have one entry a problem; `owner` and `sizes` one for each wrong answer: the place of its
    problem in `n`, and how many draws give it.
    """
    counted = Counted(whole(n), whole(right), whole(owner), whole(sizes))
    _refuse(counted, k)
    draws = counted.n
    values, variances = np.zeros(len(draws)), np.zeros(len(draws))
    one, every, but_one = (k == 1) & (draws > 0), draws == k, draws == k + 1
    for where, rule in ((one, _one), (every & ~one, _every), (but_one & ~one & ~every, _but_one)):
        values[where] = rule(_only(where, counted))
    rest = ~(one | every | but_one)
    for number, problems in zip(*np.unique(draws[rest], return_counts=True), strict=True):
        if comb(int(number), k) <= EXACT or _terms(int(number), k) * problems <= TERMS:
            where = draws == number
            values[where] = _by_waves(_only(where, counted), k)
            rest &= ~where
    if rest.any():
        values[rest], variances[rest] = _by_draws(_only(rest, counted), k, seed)
    return np.clip(np.round(values, SETTLED), 0.0, 1.0), variances


class Counted(NamedTuple):
    """What `majority_at_k_array` is given."""

    n: Whole
    right: Whole
    owner: Whole
    size: Whole

    def by_problem(self, values: ArrayLike) -> Whole:
        """The sum over its wrong answers, for each problem."""
        return np.bincount(self.owner, weights=values, minlength=len(self.n)).astype(np.int64)


def _refuse(counted: Counted, k: int) -> None:
    n, right, owner, size = counted
    wrong = (n < k) | (k < 1) | (right + counted.by_problem(size) > n) | (right < 0)
    wrong[owner[size < 1]] = True
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"maj@k needs answers of 1 draw or more that add up to n at most and 1 <= k <= n, got n={n[at]}, "
            f"right={right[at]}, others={size[owner == at].tolist()}, k={k}"
        )


def _only(where: NDArray[np.bool_], counted: Counted) -> Counted:
    """The same of the problems in `where` alone."""
    place = np.cumsum(where) - 1
    inside = where[counted.owner]
    owner = place[counted.owner[inside]].astype(np.int64)
    return Counted(counted.n[where], counted.right[where], owner, counted.size[inside])


# --- exact -------------------------------------------------------------------------------------------


def _one(counted: Counted) -> Reals:
    return np.asarray(counted.right / counted.n, dtype=np.float64)


def _every(counted: Counted) -> Reals:
    """All n draws vote."""
    return _share(counted.right, *_top(counted))


def _but_one(counted: Counted) -> Reals:
    """All draws but one vote, each of the n being the one with the same chance."""
    n, right = counted.n, counted.right
    top, tied = _top(counted)
    below = counted.by_problem(counted.size == top[counted.owner] - 1)
    # One that has the most votes alone falls among those with one less; one of several leaves the others.
    fallen = np.where(
        tied == 1, _share(right, top - 1, below + 1), _share(right, top, np.maximum(tied - 1, 0))
    )
    at_top = tied * top
    others = (n - right - at_top) * _share(right, top, tied)
    return np.asarray((right * _share(right - 1, top, tied) + at_top * fallen + others) / n, dtype=np.float64)


def _top(counted: Counted) -> tuple[Whole, Whole]:
    """The votes of the commonest wrong answer of each problem, and how many answers have so many."""
    top = np.zeros(len(counted.n), dtype=np.int64)
    np.maximum.at(top, counted.owner, counted.size)
    return top, counted.by_problem(counted.size == top[counted.owner])


def _share(right: Whole, top: Whole, tied: Whole) -> Reals:
    """What of the win the right answer has, against `tied` answers with `top` votes each."""
    share = np.where(right > top, 1.0, np.where(right == top, 1 / (tied + 1.0), 0.0))
    return np.asarray(np.where(right > 0, share, 0.0), dtype=np.float64)


def _by_waves(counted: Counted, k: int) -> Reals:
    """Any k, for problems with equally many draws.

    Votes of the answers are independent binomials, given that they add up to k. Where the right answer has j
    votes, the others add up to k - j, none with more than j; the chance of that is a coefficient of the
    product of their generating functions in z, read off by a Fourier sum over z on the unit circle. A factor
    y for each answer with j votes turns t ties into y^t, and the integral of y^t over [0, 1] is 1 / (t + 1):
    Gauss's nodes give it exactly.
    """
    n, right, owner, size = counted
    number, rate = int(n[0]), k / int(n[0])
    held = np.zeros((len(n), int(size.max(initial=0)) + 1))
    np.add.at(held, (owner, size), 1)
    silent = n - right - counted.by_problem(size)
    points = number + 1 + number % 2  # an odd number, so that all but the first come in conjugate pairs
    angles = 2 * np.pi * np.arange(points // 2 + 1) / points
    mirrored = np.where(angles > 0, 2.0, 1.0) / points
    chance = _binomials(max(number, 1), rate)
    found = np.zeros(len(n))
    for j in range(1, min(int(right.max(initial=0)), k) + 1):
        y, weight = np.polynomial.legendre.leggauss((k - j) // j // 2 + 1)
        logs = _logs(j, held.shape[1], angles, (y + 1) / 2, chance)
        quiet = np.log(1 - rate + rate * np.exp(1j * angles))
        wave = (mirrored * np.exp(-1j * (k - j) * angles))[:, None] * (weight / 2)[None, :]
        step = max(1, BLOCK // wave.size)
        for start in range(0, len(n), step):
            some = slice(start, start + step)
            exponent = held[some] @ logs + np.repeat(silent[some, None] * quiet[None, :], len(y), axis=1)
            found[some] += chance[right[some], j] * (np.exp(exponent) @ wave.reshape(-1)).real
    return np.asarray(found / chance[number, k], dtype=np.float64)


def _terms(n: int, k: int) -> int:
    """How many terms `_by_waves` sums for a problem, at most."""
    return (n // 2 + 1) * sum((k - j) // j // 2 + 1 for j in range(1, k + 1))


def _logs(j: int, sizes: int, angles: Reals, y: Reals, chance: Reals) -> NDArray[np.complex128]:
    """The logarithm of the generating function of an answer of each size: fewer than j votes, or y for j."""
    votes = np.exp(1j * angles[None, :] * np.arange(j + 1)[:, None])
    below = chance[:sizes, :j] @ votes[:j]
    at = chance[:sizes, j, None] * votes[None, j]
    of_size = below[:, :, None] + at[:, :, None] * y[None, None, :]
    of_size[np.abs(of_size) < 1e-290] = 1e-290
    return np.asarray(np.log(of_size).reshape(sizes, -1), dtype=np.complex128)


def _binomials(most: int, rate: float) -> Reals:
    """The chance of x of s at `rate`, in row s and column x, by Pascal's rule."""
    chance = np.zeros((most + 1, most + 1))
    chance[0, 0] = 1.0
    for s in range(1, most + 1):
        chance[s, 1:] = chance[s - 1, :-1] * rate
        chance[s] += chance[s - 1] * (1 - rate)
    return chance


# --- seeded draws ------------------------------------------------------------------------------------


def _by_draws(counted: Counted, k: int, seed: int) -> tuple[Reals, Reals]:
    """The mean over draws of k votes without replacement, and its variance."""
    n = counted.n
    number = max(LEAST_DRAWS, DRAWS // len(n))
    generator = np.random.default_rng(seed)
    values, variances = np.zeros(len(n)), np.zeros(len(n))
    step = max(1, BLOCK // number)
    for start in range(0, len(n), step):
        where = np.zeros(len(n), dtype=np.bool_)
        where[start : start + step] = True
        shares = _drawn(_only(where, counted), k, number, generator)
        values[where], variances[where] = shares.mean(axis=1), shares.var(axis=1, ddof=1) / number
    return values, variances


def _drawn(counted: Counted, k: int, number: int, generator: np.random.Generator) -> Reals:
    """What of the win the right answer has, in `number` draws of each problem."""
    n, right, owner, size = counted
    shape = (len(n), number)
    rest, owed = np.broadcast_to(n[:, None], shape).copy(), np.full(shape, k)

    def votes(of: Whole) -> Whole:
        drawn = generator.hypergeometric(np.broadcast_to(of[:, None], shape), rest - of[:, None], owed)
        np.subtract(rest, of[:, None], out=rest)
        np.subtract(owed, drawn, out=owed)
        return drawn

    for_right = votes(right)
    alone = size == 1  # they have one vote each at most, so all of them are drawn at once
    tied = votes(np.bincount(owner[alone], minlength=len(n)))
    top = (tied > 0).astype(np.int64)
    order = np.argsort(owner[~alone], kind="stable")
    place, sizes = owner[~alone][order], size[~alone][order]
    turn = np.arange(len(place)) - np.searchsorted(place, place)
    for column in range(int(turn.max(initial=-1)) + 1):
        of = np.zeros(len(n), dtype=np.int64)
        of[place[turn == column]] = sizes[turn == column]
        drawn = votes(of)
        tied = np.where(drawn > top, 1, tied + ((drawn == top) & (drawn > 0)))
        top = np.maximum(top, drawn)
    return _share(for_right, top, tied)
