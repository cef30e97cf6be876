"""How the solve rates of problems are spread, from a few draws of some of them: a posterior, not a point.

Guarantees: numpy alone; the same counts and seed give the same posterior. What a few problems cannot tell
stays open: with none the posterior is the prior, and where all draws were right, or none was, that may go
on. Left out: what follows for a budget (`forecast.py`).

The model is a beta-binomial mixture: of all problems a share never is solved, the rates of the others come
from two Betas, one of any rates and one of low ones. Coverage at many draws hangs on the problems that few
draws do not solve, and there a point fit, or one Beta, is sure of what it cannot know (compare the power
laws of coverage in arXiv 2407.21787, section 3): so the posterior of all parameters is carried on.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]

PRIOR_MEAN: Final = np.array([0.5, 1.5, -3.5, 6.0, -0.5, -6.0])
PRIOR_WIDTH: Final = np.array([1.5, 2.0, 2.0, 3.0, 1.5, 3.5])
"""Normal priors of: the logit of a / (a + b) and the logarithm of a + b, of the Beta of any rates and then of
that of low rates; the logits of the share of the second, and of the share of problems never solved. Wide in
the size of the second and in the last: whether what a few draws did not solve is hopeless, or all of it
equally hard and solved in the end, only many draws tell."""
_FARTHEST: Final = np.array([12.0, 9.0, 12.0, 9.0, 12.0, 12.0])
"""Parameters beyond mean no other problems, and are taken as these."""

DRAWS: Final = 1000
MOVES: Final = 6
_KEPT: Final = 0.5
"""The least effective share of the particles after a step from the prior to the posterior."""
_EXTREME: Final = 0.05
_SURE: Final = (1e4, 1e-8)
"""A Beta whose draws are all right."""
_PACE: Final = 2.38 / np.sqrt(2 * len(PRIOR_MEAN))
"""How far a particle moves along the difference of two others (ter Braak 2006, section 2)."""


class Rates(NamedTuple):
    """Draws of the posterior: the share `never` solved (draws), and of each Beta weight, a, b (2, draws).

    `never` and `weight` of one draw add up to 1.
    """

    never: Reals
    weight: Reals
    a: Reals
    b: Reals


class Standing(NamedTuple):
    """Problems after their draws, as `Rates`: `never` is (problems, draws of the posterior), all else
    (2, problems, draws of the posterior)."""

    never: Reals
    weight: Reals
    a: Reals
    b: Reals


def posterior(n: ArrayLike, c: ArrayLike, seed: int, draws: int = DRAWS) -> Rates:
    """The posterior of the spread of rates, from problems with `c` of `n` draws correct, as `draws` draws.

    By sequential Monte Carlo (arXiv cond-mat/0212648, section 3): particles of the prior, weighed with a
    growing power of the likelihood, resampled, and moved by differential evolution. Raises ValueError unless
    0 <= c <= n.
    """
    samples, correct = np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)
    if samples.shape != correct.shape or ((correct < 0) | (correct > samples)).any():
        raise ValueError("the posterior needs 0 <= c <= n, one entry a problem")
    pairs, counts = np.unique(np.stack([samples, correct]), axis=1, return_counts=True)
    generator = np.random.default_rng(seed)
    points = PRIOR_MEAN + PRIOR_WIDTH * generator.standard_normal((draws, len(PRIOR_MEAN)))
    likelihood, power = _log_likelihood(points, pairs, counts), 0.0
    while power < 1.0:
        step = _step(likelihood, 1.0 - power)
        power = min(1.0, power + step)
        # Equally spaced along the weights: fewer repeats than by independent choices.
        marks = (np.arange(draws) + generator.random()) / draws
        at = np.searchsorted(np.cumsum(_weights(step * likelihood)), marks)
        at = generator.permutation(np.minimum(at, draws - 1))
        points, likelihood = points[at], likelihood[at]
        for _ in range(MOVES):
            points, likelihood = _move(generator, points, likelihood, power, pairs, counts)
    return _with_extremes(_rates(points), int(samples.sum()), int(correct.sum()))


def _with_extremes(found: Rates, samples: int, correct: int) -> Rates:
    """`found` with the share _EXTREME of its draws where no draw is ever right, or every one is, as long as
    that is all that was seen: no Beta means either, and a likelihood of 1 never loses weight."""
    number = math.ceil(_EXTREME * len(found.never))
    if samples and not correct:
        found.never[:number], found.weight[:, :number] = 1.0, 0.0
    if samples and correct == samples:
        found.never[:number], found.weight[0, :number], found.weight[1, :number] = 0.0, 1.0, 0.0
        found.a[0, :number], found.b[0, :number] = _SURE
    return found


def _step(likelihood: Reals, most: float) -> float:
    """How much more of the likelihood may count so that enough particles still weigh something."""
    low, high, step = 0.0, most, most
    for _ in range(40):
        if 1.0 / (_weights(step * likelihood) ** 2).sum() >= _KEPT * len(likelihood):
            if step == most:
                break
            low = step
        else:
            high = step
        step = (low + high) / 2
    return step


def _weights(log_weights: Reals) -> Reals:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum())


def _move(
    generator: np.random.Generator,
    points: Reals,
    likelihood: Reals,
    power: float,
    pairs: Whole,
    counts: Whole,
) -> tuple[Reals, Reals]:
    """One Metropolis step of every particle along the difference of two others."""
    number = len(points)
    one, other = generator.permutation(number), generator.permutation(number)
    pace = np.where(generator.random((number, 1)) < 0.1, 1.0, _PACE)  # 1: from one mode to another
    noise = 1e-3 * PRIOR_WIDTH * generator.standard_normal(points.shape)
    offered = points + pace * (points[one] - points[other]) + noise
    worth = _log_likelihood(offered, pairs, counts)
    gain = power * (worth - likelihood) + _log_prior(offered) - _log_prior(points)
    taken = np.log(generator.random(number)) < gain
    return np.where(taken[:, None], offered, points), np.where(taken, worth, likelihood)


def _log_prior(points: Reals) -> Reals:
    return np.asarray(-(((points - PRIOR_MEAN) / PRIOR_WIDTH) ** 2).sum(axis=1) / 2)


def standing(rates: Rates, n: ArrayLike, c: ArrayLike) -> Standing:
    """What is known of problems after `n` draws with `c` correct, one entry a problem."""
    samples = np.asarray(n, dtype=np.float64)[:, None]
    correct = np.asarray(c, dtype=np.float64)[:, None]
    start_a, start_b = rates.a[:, None], rates.b[:, None]
    beta = _log_rising(start_a, correct) + _log_rising(start_b, samples - correct)
    parts = rates.weight[:, None] * np.exp(beta - _log_rising(start_a + start_b, samples))
    never = rates.never * (correct == 0)
    whole = never + parts.sum(axis=0)
    return Standing(never / whole, parts / whole, start_a + correct, start_b + samples - correct)


def missed(at: Standing, draws: ArrayLike) -> Reals:
    """The chance that so many further draws are all wrong: (problems, draws of the posterior).

    `draws` is broadcast against (problems, draws of the posterior), and need not be whole.
    """
    more = np.asarray(draws, dtype=np.float64)
    wrong = np.exp(_log_rising(at.b, more) - _log_rising(at.a + at.b, more))
    chance = at.never + (at.weight * wrong).sum(axis=0)
    return np.asarray(np.clip(chance, 0.0, 1.0))


def mean_rate(at: Standing) -> Reals:
    """The expected rate of each problem: (problems, draws of the posterior)."""
    return np.asarray((at.weight * at.a / (at.a + at.b)).sum(axis=0))


def _rates(points: Reals) -> Rates:
    near = np.clip(points, -_FARTHEST, _FARTHEST).T
    total, never, low = np.exp(near[1:4:2]), _sigmoid(near[5]), _sigmoid(near[4])
    weight = (1.0 - never) * np.stack([1.0 - low, low])
    return Rates(never, weight, total * _sigmoid(near[0:3:2]), total * _sigmoid(-near[0:3:2]))


def _log_likelihood(points: Reals, pairs: Whole, counts: Whole) -> Reals:
    """Of each point, up to a constant: the chance of c correct among n, in one order."""
    rates = _rates(points)
    most = int(pairs[0].max(initial=0))
    rising = [
        np.concatenate([np.zeros((1, *one.shape)), np.cumsum(np.log(one + _steps(most)), axis=0)])
        for one in (rates.a, rates.b, rates.a + rates.b)
    ]
    result = np.zeros(len(points))
    for n, c, problems in zip(*pairs.tolist(), counts.tolist(), strict=True):
        chance = (rates.weight * np.exp(rising[0][c] + rising[1][n - c] - rising[2][n])).sum(axis=0)
        if not c:
            chance = chance + rates.never
        result += problems * np.log(np.maximum(chance, 1e-300))
    return result


def _steps(most: int) -> Reals:
    return np.arange(most, dtype=np.float64)[:, None, None]


def _sigmoid(values: Reals) -> Reals:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def _log_rising(start: Reals, steps: float | Reals) -> Reals:
    """log of start (start + 1) ... (start + steps - 1), for real steps: a difference of log gammas."""
    return _log_gamma(start + steps) - _log_gamma(start)


def _log_gamma(values: Reals) -> Reals:
    """log Gamma for positive values: Stirling's series eight places up, where it is right to 1e-13."""
    product, shifted = np.ones_like(values), values
    for _ in range(8):
        product, shifted = product * shifted, shifted + 1.0
    inverse = 1.0 / shifted
    series = inverse * (1 / 12 - inverse**2 * (1 / 360 - inverse**2 * (1 / 1260 - inverse**2 / 1680)))
    return np.asarray((shifted - 0.5) * np.log(shifted) - shifted + 0.5 * np.log(2 * np.pi) + series
                      - np.log(product))  # fmt: skip
