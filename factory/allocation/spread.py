"""How the solve rates of a class of problems are spread, from draws that end with the first correct one.

Guarantees: arithmetic alone; the same counts give the same spread. Left out: which problems make a class,
and where the next draw goes (`adaptive.py`).

Of the problems of a class a share is never solved, the rates of the others come from one Beta: a Beta alone
cannot have many problems near 0 and the others well above it, and takes what is hopeless for hard. First
draws tell only the mean: as many problems may be hopeless as failed, or none. So all that fits is carried on,
not the best fit; by that alone, a class could be given up for ever after its first draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Point = tuple[float, float, float]
"""The logit of a / (a + b), the logarithm of a + b, and the logit of the share never solved."""

CENTRE: Final[Point] = (0.0, 0.0, -2.5)
WIDTHS: Final[Point] = (2.0, 1.5, 1.5)
"""Before anything is seen: about Beta(0.5, 0.5) with one in thirteen never solved, and how firmly, as
standard deviations of a normal prior of the point."""
CLASS_WIDTHS: Final[Point] = (1.5, 1.0, 1.0)
"""How far a class may lie from all classes together before its own counts must say so."""
FAR: Final = 1000
"""So many failures are evidence enough: further ones change nothing."""
_FARTHEST: Final = np.array([12.0, 9.0, 12.0])
_STEPS: Final = np.stack(np.meshgrid(*[np.linspace(-3.0, 3.0, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
"""The grid in standard deviations of what is looked for: at steps of one, sums of a normal density are right
to 1e-8."""
_ROUNDS: Final = 12
_FLOOR: Final = 0.1
"""The least share of its variance that a round of the grid keeps, where all the weight is on one point."""


class Spread:
    """The rates of a class of problems as weighed points: 0 for a share, Beta(a, b) for the others."""

    def __init__(self, points: Reals, weights: Reals) -> None:
        near = np.clip(points, -_FARTHEST, _FARTHEST)
        self._weight, self._never = weights, _sigmoid(near[:, 2])
        self._whole = np.exp(near[:, 1])
        self._a, self._b = self._whole * _sigmoid(near[:, 0]), self._whole * _sigmoid(-near[:, 0])
        self._lasting = [np.ones_like(weights)]

    def mean(self) -> float:
        """The expected rate of a problem of which nothing is known."""
        return self.hit(0, 0)

    def hit(self, failures: int, flying: int) -> float:
        """The chance that one more draw solves a problem that nothing has solved.

        E[p (1 - p)^m | t failures], for t failures and m draws under way: all of those have to fail, or the
        draw solves nothing new. With s(t) = B(a, b + t) / B(a, b), the chance of t failures where the rate is
        not 0, and w the share never solved, that is (1 - w) s(t + m) / (w + (1 - w) s(t)) x
        a / (a + b + t + m).
        """
        before = min(failures, FAR)
        after = before + flying
        while len(self._lasting) <= after:
            place = len(self._lasting) - 1
            self._lasting.append(self._lasting[-1] * (self._b + place) / (self._whole + place))
        open_ = (1.0 - self._never) * self._lasting[after]
        chance = open_ / (self._never + (1.0 - self._never) * self._lasting[before])
        return float(self._weight @ (chance * self._a / (self._whole + after)))


def posterior(
    solved: Mapping[int, int],
    unsolved: Mapping[int, int],
    centre: Point = CENTRE,
    widths: Point = WIDTHS,
) -> tuple[Point, Spread]:
    """The mean point and the spread that are to be expected of problems like these.

    `solved` and `unsolved` count problems by the failures before their first correct draw, and by all their
    failures. The likelihood of the beta-geometric model with a share w never solved, (1 - w) B(a + 1, b + t)
    / B(a, b) and w + (1 - w) B(a, b + t) / B(a, b), times a normal prior about `centre`: what was decided by
    earlier outcomes needs no correction, since the likelihood of a sequence does not depend on why it ended.
    On a grid that each round lays along the axes of what it found, and closer.
    """
    hits, opens = _counted(solved), _counted(unsolved)
    middle, root = np.array(centre), np.diag(widths)
    for _ in range(_ROUNDS):
        points = middle + _STEPS @ root.T
        worth = _log_likelihood(points, hits, opens)
        worth -= (((points - np.array(centre)) / np.array(widths)) ** 2).sum(axis=1) / 2
        weights = np.exp(worth - worth.max())
        weights /= weights.sum()
        middle = weights @ points
        away = points - middle
        root = np.linalg.cholesky((weights[:, None] * away).T @ away + _FLOOR * root @ root.T)
    kept = weights > 1e-6
    spread = Spread(points[kept], weights[kept] / weights[kept].sum())
    return (float(middle[0]), float(middle[1]), float(middle[2])), spread


def _counted(counts: Mapping[int, int]) -> Reals:
    """Numbers of problems by failures; what failed very often stands at `FAR`."""
    result = np.zeros(min(max(counts, default=0), FAR) + 1)
    for failures, problems in counts.items():
        result[min(failures, FAR)] += problems
    return result


def _log_likelihood(points: Reals, hits: Reals, opens: Reals) -> Reals:
    near = np.clip(points, -_FARTHEST, _FARTHEST)
    whole, never = np.exp(near[:, 1:2]), _sigmoid(near[:, 2:])
    a, b = whole * _sigmoid(near[:, :1]), whole * _sigmoid(-near[:, :1])
    place = np.arange(max(len(hits), len(opens)), dtype=np.float64)
    under = np.log(whole + place)
    lasting = np.zeros_like(under)
    np.cumsum((np.log(b + place) - under)[:, :-1], axis=1, out=lasting[:, 1:])
    right = np.flatnonzero(hits)
    result = (lasting[:, right] - under[:, right]) @ hits[right]
    result += (np.log(a) + np.log1p(-never))[:, 0] * hits.sum()
    still = np.flatnonzero(opens)
    chance = never + (1.0 - never) * np.exp(lasting[:, still])
    return np.asarray(result + np.log(chance) @ opens[still])


def _sigmoid(values: Reals) -> Reals:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
