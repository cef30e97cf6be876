"""What draws on an evaluation set say of a model, and of the difference between two models.

Guarantees: a problem counts once; a draw without a verdict, or with an error for one, is evidence of
nothing: it is no draw here, and is counted by `counts`. What no problem tells is null. Values and intervals
are those of `measure.estimate`: reals rounded to 10 significant digits, intervals by resampling problems.
Left out: which answers are equal, which the caller says by the groups of the draws.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from factory.metrics.estimators import pass_at_k_array
from factory.metrics.measure import estimate
from factory.records import Status

JUDGED: Final = (Status.PASS, Status.FAIL, Status.NO_ANSWER)
"""The verdicts that say something of a model; a text without an answer has not solved its problem."""

UNVERIFIED: Final = "unverified"


class Draw(NamedTuple):
    """One draw of a problem: its verdict, and the number of the group of equal answers it votes for.

    `status` is None without a verdict, `group` None without a valid answer.
    """

    status: Status | None
    group: int | None = None


Draws = Mapping[str, Sequence[Draw]]
"""The draws of each problem, by its id, in the order of their index."""

Scores = Mapping[str, float]
"""A figure of each problem that tells it, in [0, 1], by the problem's id."""


def counts(draws: Draws) -> dict[str, int]:
    """How many draws have each verdict; `unverified` have none."""
    found = Counter(one.status or UNVERIFIED for group in draws.values() for one in group)
    return {str(name): found[name] for name in (*Status, UNVERIFIED)}


def solved(draws: Draws) -> dict[str, float]:
    """1 for a problem whose first draw passes, 0 where it does not; without a verdict on it none."""
    return {
        problem: float(group[0].status is Status.PASS)
        for problem, group in draws.items()
        if group and group[0].status in JUDGED
    }


def pass_at_k(draws: Draws, k: int) -> dict[str, float]:
    """pass@k without bias (arXiv 2107.03374, equation 1) of the problems with at least k judged draws."""
    judged = {problem: _judged(group) for problem, group in draws.items()}
    enough = {problem: group for problem, group in judged.items() if len(group) >= k}
    passes = [sum(one.status is Status.PASS for one in group) for group in enough.values()]
    values = pass_at_k_array([len(group) for group in enough.values()], passes, k)
    return dict(zip(enough, values.tolist(), strict=True))


def majority_at_k(draws: Draws, k: int) -> dict[str, float]:
    """maj@k (arXiv 2203.11171) of the problems with at least k judged draws.

    A problem's n judged draws are taken in order as floor(n / k) blocks of k that share none; its figure is
    the mean over the blocks.
    """
    found = {}
    for problem, group in draws.items():
        judged = _judged(group)
        blocks = [judged[start : start + k] for start in range(0, len(judged) - k + 1, k)]
        if blocks:
            found[problem] = math.fsum(vote(block) for block in blocks) / len(blocks)
    return found


def vote(block: Sequence[Draw]) -> float:
    """Whether the commonest answer of a block is right; groups that tie share the vote evenly.

    A group is right when its first draw here passes, since that draw stands for it. Draws without a valid
    answer do not vote, and where none votes the block is wrong.
    """
    votes = Counter(one.group for one in block if one.group is not None)
    most = max(votes.values(), default=0)
    tied = [group for group, number in votes.items() if number == most]
    first = {one.group: one for one in reversed(block)}
    right = sum(first[group].status is Status.PASS for group in tied)
    return right / len(tied) if tied else 0.0


def figure(scores: Scores, resamples: int, seed: int) -> dict[str, Any]:
    """{value, low, high, n_problems}: the mean of `scores` with its 95% interval over problems."""
    return estimate(list(scores.values()), resamples, seed)


def difference(scores: Scores, against: Scores, resamples: int, seed: int) -> dict[str, Any]:
    """The mean of `scores` - `against` over the problems that both tell, with its 95% interval over them.

    {value, low, high, n_problems, wins, losses, ties, p}: wins are the problems with the greater score in
    `scores`. p is McNemar's exact two-sided one, of wins against losses (the sign test).
    """
    pairs = [(value, against[problem]) for problem, value in scores.items() if problem in against]
    wins, losses = sum(one > other for one, other in pairs), sum(one < other for one, other in pairs)
    return estimate([one - other for one, other in pairs], resamples, seed) | {
        "wins": wins,
        "losses": losses,
        "ties": len(pairs) - wins - losses,
        "p": mcnemar(wins, losses),
    }


def mcnemar(wins: int, losses: int) -> float:
    """The chance of at least so uneven a split of wins + losses fair coins; 1 where there is none."""
    trials = wins + losses
    tail = ways = 1  # whole numbers, so that nothing overflows or is lost, however many problems there are
    for number in range(min(wins, losses)):
        ways = ways * (trials - number) // (number + 1)
        tail += ways
    return min(1.0, tail / (1 << trials) * 2)


def _judged(group: Iterable[Draw]) -> list[Draw]:
    return [one for one in group if one.status in JUDGED]
