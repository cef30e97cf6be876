"""What a budget will buy, from a probe: samples, costs and coverage, each as draws of what may come true.

Guarantees: numpy alone; the same probe and seed give the same forecast. An interval is for the value that
will be realised: it holds what a probe leaves open (the spread of rates and the costs of a draw) and the
chance of the draws still to come; what is drawn already is taken as it is. Left out: where probes come from
(`forecasting.py`); the rates of several generators on one problem together; calls of judges.

Rates are the posterior of `rates.py`. Costs of a draw, right ones and others apart, are a Bayesian bootstrap
over problems (Rubin 1981), widened to Student's interval for few problems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from factory.metrics import rates
from factory.metrics.courses import Courses, Rule, courses

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]

LEVEL: Final = 0.95
MOST_BOOTSTRAPPED: Final = 2000
"""Problems of a probe that costs are taken from: more would tell no more of a mean."""
MOST_POINTS: Final = 60


@dataclass(frozen=True)
class Probe:
    """What was drawn already by one generator, an entry a problem.

    `n` draws, `c` of them correct. `costs` holds, for each currency that is known, what the
    problem cost: (problems, 3), once for all its draws (a prompt that is shared), for its correct draws, and
    for all others. `paid` is what was paid, where these sums do not say it; `beside` is what a draw to come
    may cost besides, at most: a prompt that it does not share after all. Raises ValueError where they do not
    fit.
    """

    n: Whole
    c: Whole
    costs: Mapping[str, Reals] = field(default_factory=dict)
    paid: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.costs.items():
            if values.shape != (len(self.n), 3) or not np.isfinite(values).all():
                raise ValueError(f"costs in {name} need three finite amounts of each problem")
        if self.costs and not len(self.n):
            raise ValueError("no problem, no costs: leave them out")


class Forecast(NamedTuple):
    """Draws of what may come true: `samples`, `coverage` (a share) and `costs`, and the way there.

    `level` is how many draws of a problem are made, all in all; `courses` and `paid` tell, for each level of
    `courses.levels`, how many problems are solved and what it costs: (levels, draws).
    """

    samples: Reals
    coverage: Reals
    costs: dict[str, Reals]
    level: Reals
    courses: Courses
    paid: dict[str, Reals]


def forecast(probe: Probe, rule: Rule, seed: int) -> Forecast:
    """What `rule` will come to on all its problems, the probe's among them.

    Raises ValueError where the probe has more problems than the rule, or where an amount ends the draws in a
    currency that the probe does not know.
    """
    lacking = sorted(set(rule.amounts) - {"samples", *probe.costs})
    if len(probe.n) > rule.problems or lacking:
        raise ValueError(
            f"a probe of {len(probe.n)} problems that knows {sorted(probe.costs)} cannot tell of "
            f"{rule.problems} problems and amounts of {sorted(rule.amounts)}"
        )
    generator = np.random.default_rng([seed, 1])
    spread = rates.posterior(probe.n, probe.c, seed)
    means = {name: _means(values, probe, rule, generator) for name, values in probe.costs.items()}
    for name, most in probe.beside.items():  # nobody knows how many: from none to all, few likelier than many
        means[name][1:] += most * generator.random(rates.DRAWS) ** 2
    found = courses(spread, probe.n, probe.c, rule, _levels(probe, rule, means))
    paid = {"samples": found.draws} | {
        name: _paid(probe.paid.get(name, float(values.sum())), probe, rule, found, means[name])
        for name, values in probe.costs.items()
    }
    level = np.full(found.draws.shape[1], float(found.levels[-1] if rule.most is None else rule.most))
    for name, amount in rule.amounts.items():
        spent = amount - min(rule.slack.get(name, 0.0), amount) * generator.random(len(level))
        before = probe.n.sum() if name == "samples" else paid[name][1].min()
        level = np.minimum(level, _reached(found.levels, paid[name], np.maximum(spent, min(before, amount))))
    at = {name: _read(found.levels, values, level) for name, values in paid.items()}
    noise = generator.standard_normal(len(level)) * np.sqrt(_read(found.levels, found.variance, level))
    if not rule.amounts:
        share = 1.0 + noise / np.maximum(at["samples"], 1.0)
        at = {name: values * np.maximum(share, 0.0) for name, values in at.items()}
    samples = np.maximum(np.rint(at.pop("samples")), probe.n.sum())
    solved = _read(found.levels, found.solved, level)
    return Forecast(samples, _realised(solved, probe, rule, generator), at, level, found, paid)


def summary(values: Reals, *, whole: bool = False) -> dict[str, Any]:
    """{value, low, high}: the mean and the central 95 % of draws."""
    # Outward: what can only be some values must not lose one of them to interpolation.
    low = float(np.quantile(values, (1 - LEVEL) / 2, method="lower"))
    high = float(np.quantile(values, (1 + LEVEL) / 2, method="higher"))
    mean = min(max(float(values.mean()), low), high)  # rounding of a mean of equal values
    found = {"value": mean, "low": low, "high": high}
    return {name: round(one) for name, one in found.items()} if whole else found


def curve(made: Forecast, rule: Rule, probe: Probe, seed: int) -> list[dict[str, Any]]:
    """Coverage against cost: {draws, samples, cost: {currency: expected}, coverage: {value, low, high}}.

    Of rules with a fixed number of draws up to twice as many, of others as far as they go.
    """
    generator = np.random.default_rng([seed, 2])
    levels = made.courses.levels
    chosen = np.unique(np.linspace(1, len(levels) - 1, min(MOST_POINTS, len(levels) - 1)).astype(int))
    points = []
    highest = {"value": 0.0, "low": 0.0, "high": 0.0}
    for at in chosen.tolist():
        solved = summary(_realised(made.courses.solved[at], probe, rule, generator))
        # More draws never solve fewer problems: what falls is the noise of the draws of the posterior.
        highest = {name: max(highest[name], value) for name, value in solved.items()}
        points.append(
            {
                "draws": int(levels[at]),
                "samples": float(made.courses.draws[at].mean()),
                "cost": {name: float(values[at].mean()) for name, values in made.paid.items()},
                "coverage": highest,
            }
        )
    return points


# --- costs -------------------------------------------------------------------------------------------


def _means(values: Reals, probe: Probe, rule: Rule, generator: np.random.Generator) -> Reals:
    """Draws of the mean cost of a problem's prompt, of a correct draw, and of another: (3, draws)."""
    values, n, c = values[:MOST_BOOTSTRAPPED], probe.n[:MOST_BOOTSTRAPPED], probe.c[:MOST_BOOTSTRAPPED]
    number, rest = len(n), rule.problems - len(probe.n)
    per = np.stack([np.ones(number), c, n - c]).astype(np.float64)
    weights = generator.standard_exponential((rates.DRAWS, number))
    points = _ratios(np.ones((1, number)), values, per)
    drawn = _ratios(weights, values, per)
    if number < 2:  # one problem tells nothing of how others differ: by a factor of e or so
        return np.asarray(drawn * np.exp(generator.standard_normal(rates.DRAWS)) if rest else drawn)
    # Student's for the unknown spread, and the chance of which problems are still to come.
    wider = np.sqrt((number - 1) / generator.chisquare(number - 1, rates.DRAWS))
    wider = wider * math.sqrt((number + 1) / (number - 1) * (1 + number / max(rest, 1)))
    return np.asarray(np.maximum(points + (drawn - points) * wider, points / 20))


def _ratios(weights: Reals, values: Reals, per: Reals) -> Reals:
    """Weighted mean of each kind of cost; of a kind that never was, that of all draws: (3, weights)."""
    over, under = weights @ values, weights @ per.T
    whole = over[:, 1:].sum(axis=1) / np.maximum(under[:, 1:].sum(axis=1), 1e-300)
    return np.stack([over[:, at] / under[:, at] if per[at].any() else whole for at in range(3)])


def _paid(before: float, probe: Probe, rule: Rule, found: Courses, means: Reals) -> Reals:
    """What each level costs: what was paid already, and what is to come at the mean costs."""
    right = found.right - probe.c.sum()
    others = found.draws - found.right - (probe.n - probe.c).sum()
    new = (rule.problems - len(probe.n)) * means[0] if rule.problems > len(probe.n) else 0.0
    rest = np.where(right == 0, 0.0, right * means[1]) + np.where(others == 0, 0.0, others * means[2]) + new
    paid = np.maximum(before + rest, 0.0)
    paid[0] = 0.0
    return np.asarray(np.maximum.accumulate(paid, axis=0))


def _levels(probe: Probe, rule: Rule, means: Mapping[str, Reals]) -> Whole:
    """The numbers of draws of a problem that are looked at: all that are few, then ever fewer of them."""
    most = rule.most
    if most is None:
        each = {name: float(one[1:].mean()) for name, one in means.items()} | {"samples": 1.0}
        lasts = [amount / max(rule.problems * each[name], 1e-300) for name, amount in rule.amounts.items()]
        most = int(min(4 * min(lasts, default=1.0) + probe.n.max(initial=0) + 4, 1e7))
    elif rule.target is None and rule.proportional is None:
        most = 2 * most
    dense = np.arange(0, min(most, 64) + 1)
    return np.unique(
        np.concatenate([dense, np.geomspace(1, most, 100).astype(np.int64), [rule.most or most]])
    )


def _reached(levels: Whole, paid: Reals, spent: Reals) -> Reals:
    """The level, in parts, at which each column has cost its amount: of several that cost the same, as those
    that were paid already do, the last."""
    above = np.clip((paid <= spent).sum(axis=0), 1, len(levels) - 1)
    column = np.arange(len(spent))
    low, high = paid[above - 1, column], paid[above, column]
    part = np.clip((spent - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.asarray(
        levels[above - 1] + np.where(high > low, part, 1.0) * (levels[above] - levels[above - 1])
    )


def _read(levels: Whole, values: Reals, at: Reals) -> Reals:
    """Each column at its own level, in parts."""
    upper = np.clip(np.searchsorted(levels, at), 1, len(levels) - 1)
    low, high, column = levels[upper - 1], levels[upper], np.arange(len(at))
    share = (at - low) / (high - low)
    return np.asarray(values[upper - 1, column] * (1 - share) + values[upper, column] * share)


def _realised(solved: Reals, probe: Probe, rule: Rule, generator: np.random.Generator) -> Reals:
    """Shares of problems that will be solved: those that are, and of the others as chance has it."""
    known = np.minimum((probe.c > 0).sum(), np.floor(solved + 1e-9))
    left = (rule.problems - known).astype(np.int64)
    chance = np.clip((solved - known) / np.maximum(left, 1), 0.0, 1.0)
    return np.asarray((known + generator.binomial(left, chance)) / max(rule.problems, 1))
