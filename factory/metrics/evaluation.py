"""What draws on an evaluation set say of a model, and of the difference between two models.

Guarantees: a problem counts once, and every problem that was drawn counts, so that models are compared on the
same ones. A value says what was seen to be solved: a draw that could not be judged (no verdict, or an error
for one) solves nothing, or a model whose texts no verifier reads would be the better for it; `counts` tells
them apart, and `at_most` is what the value would be were they all right. Where none could be judged nothing
is known, and values are null. Reals are rounded to 10 significant digits. Left out: which answers are equal,
which the caller says by the groups of the draws.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from factory.metrics.estimators import pass_at_k_array
from factory.metrics.intervals import wilson
from factory.metrics.measure import estimate, rounded
from factory.records import Status

JUDGED: Final = (Status.PASS, Status.FAIL, Status.NO_ANSWER)
"""The verdicts that say whether a draw is right; a text without an answer has not solved its problem."""

UNVERIFIED: Final = "unverified"
NEW: Final = -1
"""A group that no draw has."""


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
    """1 for a problem whose first draw passes, 0 where it is not seen to."""
    return {
        problem: float(group[0].status is Status.PASS) for problem, group in _known(draws).items() if group
    }


def pass_at_k(draws: Draws, k: int) -> dict[str, float]:
    """pass@k without bias (arXiv 2107.03374, equation 1) of the problems with at least k draws."""
    enough = {problem: group for problem, group in _known(draws).items() if len(group) >= k}
    passes = [sum(one.status is Status.PASS for one in group) for group in enough.values()]
    values = pass_at_k_array([len(group) for group in enough.values()], passes, k)
    return dict(zip(enough, values.tolist(), strict=True))


def majority_at_k(draws: Draws, k: int) -> dict[str, float]:
    """maj@k (arXiv 2203.11171) of the problems with at least k draws.

    A problem's n draws are taken in order as floor(n / k) blocks of k that share none; its figure is the mean
    over the blocks.
    """
    found = {}
    for problem, group in _known(draws).items():
        blocks = [group[start : start + k] for start in range(0, len(group) - k + 1, k)]
        if blocks:
            found[problem] = math.fsum(vote(block) for block in blocks) / len(blocks)
    return found


def as_solved(draws: Draws) -> dict[str, Sequence[Draw]]:
    """The draws with every one that could not be judged as right, and voting with the right ones."""
    found: dict[str, Sequence[Draw]] = {}
    for problem, group in _known(draws).items():
        right = next((one.group for one in group if one.status is Status.PASS), None)
        vote_for = Draw(Status.PASS, NEW if right is None else right)
        found[problem] = [one if one.status in JUDGED else vote_for for one in group]
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


def figure(scores: Scores, most: Scores, resamples: int, seed: int) -> dict[str, Any]:
    """{value, low, high, n_problems, at_most}: the mean of `scores` and its 95% interval; that of `most`.

    The interval is Wilson's where each problem is solved or not, as in greedy decoding: the bootstrap is too
    narrow for few problems, and of no width at all where all are solved or none is. Elsewhere it resamples
    the problems.
    """
    values = list(scores.values())
    found = estimate(values, resamples, seed)
    if set(values) <= {0.0, 1.0} and values:
        low, high = wilson(sum(value == 1.0 for value in values), len(values))
        assert low is not None
        assert high is not None
        found |= {"low": rounded(low), "high": rounded(high)}
    return found | {"at_most": rounded(math.fsum(most.values()) / len(most)) if most else None}


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


def _known(draws: Draws) -> Draws:
    """The draws, or none where not one could be judged: that is no failure of the model."""
    return draws if any(one.status in JUDGED for group in draws.values() for one in group) else {}
