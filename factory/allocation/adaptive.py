"""Where the next draw goes, when draws are to solve as many problems as they can for what they cost.

Guarantees: arithmetic alone; O(log n) a draw; the same calls give the same draws. Draws under way count, so
that many at once do not pile on one problem. Left out: how many draws are made (an amount says that), and
the cost of a draw (the caller says that).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from factory.allocation.spread import CLASS_WIDTHS, posterior

Reals = NDArray[np.float64]

FIRST_FIT: Final = 32
"""Draws that end before the rates are fitted again for the first time; then a quarter more each time."""
GROWTH: Final = 1.25

_Bucket = tuple[int, int, int]
"""(class, failures, draws under way): all that the chance of a draw depends on."""


class Adaptive:
    """Chooses the problem whose next draw has the greatest expected new coverage for its cost.

    What it optimises: the expected number of problems that get their first correct sample, for the cost
    spent. In a class a share of the problems is never solved, and the rate of the others is drawn from a
    Beta; the chance that the next draw of a problem solves it, after t failures and with m draws under way,
    is its mean over all spreads of rates that fit the draws so far (`spread.py`), and that chance for its
    cost is the index: the problem with the highest index is next. The spread of a class is drawn towards
    that of all classes together (empirical Bayes), the more so the fewer draws it has, and is told again as
    draws come in.

    How good that is: with the spreads known, every problem is a bandit arm whose index never rises along its
    draws (a failure lowers it, a success ends it), and of such arms the one that pays best now is the right
    one to play: to wait brings nothing better, and two draws in the wrong order can be exchanged without
    loss. With equal costs the greedy choice is then optimal for every number of draws; with unequal ones it
    is so but for the draw that no longer fits into the budget. What it does not do: spend draws to learn the
    rates of a class sooner (the hierarchy, and not to be sure too soon, stand in for that), value a second
    correct sample.

    One entry a problem: `groups`, its class (whole numbers from 0); `cost`, the expected cost of its next
    draw, above 0, in any unit; `most`, the draws it may have; `tries`, its draws so far without success, for
    a solved one those before the first success; `solved`. Ties go to the entry that stands first. Raises
    ValueError for entries that do not fit together.
    """

    def __init__(
        self,
        groups: NDArray[np.int64],
        cost: Reals,
        most: int,
        *,
        tries: NDArray[np.int64],
        solved: NDArray[np.bool_],
    ) -> None:
        _check(groups, cost, most, tries, solved)
        self._group: list[int] = groups.tolist()
        self._cost: list[float] = cost.tolist()
        self._most = most
        self._failures: list[int] = tries.tolist()
        self._draws: list[int] = tries.tolist()
        self._flying = [0] * len(groups)
        self._closed: list[bool] = solved.tolist()
        self._solved: list[Counter[int]] = [Counter() for _ in range(max(self._group, default=-1) + 1)]
        self._unsolved: list[Counter[int]] = [Counter() for _ in self._solved]
        for known, counts in ((solved, self._solved), (~solved, self._unsolved)):
            pairs, numbers = np.unique(np.stack([groups[known], tries[known]]), axis=1, return_counts=True)
            for group, failures, number in zip(*pairs.tolist(), numbers.tolist(), strict=True):
                counts[group][failures] = number
        self._ended = int(tries.sum() + solved.sum())
        self._waiting: dict[_Bucket, list[tuple[float, int]]] = {}
        for place in np.lexsort((np.arange(len(groups)), cost)).tolist():  # a sorted list is a heap
            if not self._closed[place] and self._draws[place] < most:
                self._waiting.setdefault(self._bucket(place), []).append((self._cost[place], place))
        self._fit()

    def next(self) -> int | None:
        """The place of the problem whose draw comes next, which is then under way; None: none is worth it.

        None does not last: a draw under way that cannot be told may open its problem again.
        """
        while self._order:
            worth, bucket = heapq.heappop(self._order)
            heap = self._waiting[bucket]
            self._clean(bucket, heap)
            if not heap:
                continue
            if self._worth(bucket, heap[0][0]) != worth:  # its best was drawn since, or has another cost
                self._offer(bucket)
                continue
            place = heapq.heappop(heap)[1]
            self._offer(bucket)
            self._flying[place] += 1
            self._draws[place] += 1
            self._wait(place)
            return place
        return None

    def ended(self, place: int, solved: bool | None) -> None:
        """A draw of `place` is over: it solved the problem or not; None where it could not be told.

        What cannot be told is a draw made and no evidence. Raises ValueError where none was under way.
        """
        if not self._flying[place]:
            raise ValueError(f"no draw of problem {place} is under way")
        self._flying[place] -= 1
        if self._closed[place]:
            return
        if solved is not None:
            group, failures = self._group[place], self._failures[place]
            self._unsolved[group][failures] -= 1
            (self._solved if solved else self._unsolved)[group][failures + (not solved)] += 1
            self._failures[place] += not solved
            self._closed[place] = solved
            self._ended += 1
        self._wait(place)
        if self._ended >= self._refit_at:
            self._fit()

    def withdraw(self, place: int) -> None:
        """No more draws of `place`, as when another generator solved it; its failures stay evidence."""
        self._closed[place] = True

    def cost_seen(self, place: int, cost: float) -> None:
        """The next draw of `place` is expected to cost so much, from now on."""
        if not (cost > 0 and math.isfinite(cost)):
            raise ValueError(f"the cost of a draw of problem {place} must be above 0 and finite, got {cost}")
        self._cost[place] = cost
        self._wait(place)

    def rates(self) -> dict[int, float]:
        """The expected rate of a new problem of each class, as it was last fitted."""
        return {group: spread.mean() for group, spread in enumerate(self._spreads)}

    # --- the order of problems

    def _bucket(self, place: int) -> _Bucket:
        return self._group[place], self._failures[place], self._flying[place]

    def _worth(self, bucket: _Bucket, cost: float) -> float:
        """The index of a problem, negative, so that the best is the least."""
        chance = self._chances.get(bucket)
        if chance is None:
            chance = self._chances[bucket] = self._spreads[bucket[0]].hit(*bucket[1:])
        return -chance / cost

    def _wait(self, place: int) -> None:
        """Let `place` be drawn again, if it may be."""
        if self._closed[place] or self._draws[place] >= self._most:
            return
        bucket, entry = self._bucket(place), (self._cost[place], place)
        heap = self._waiting.setdefault(bucket, [])
        heapq.heappush(heap, entry)
        if heap[0] == entry:
            self._offer(bucket)

    def _offer(self, bucket: _Bucket) -> None:
        heap = self._waiting[bucket]
        if heap:
            heapq.heappush(self._order, (self._worth(bucket, heap[0][0]), bucket))

    def _clean(self, bucket: _Bucket, heap: list[tuple[float, int]]) -> None:
        """Drop from the top what has gone elsewhere since it was entered."""
        while heap:
            cost, place = heap[0]
            open_ = not self._closed[place] and self._draws[place] < self._most
            if open_ and self._bucket(place) == bucket and self._cost[place] == cost:
                return
            heapq.heappop(heap)

    def _fit(self) -> None:
        pooled, _ = posterior(_sum(self._solved), _sum(self._unsolved))
        self._spreads = [
            posterior(solved, unsolved, pooled, CLASS_WIDTHS)[1]
            for solved, unsolved in zip(self._solved, self._unsolved, strict=True)
        ]
        self._refit_at = max(self._ended + FIRST_FIT, int(self._ended * GROWTH))
        self._chances: dict[_Bucket, float] = {}
        self._waiting = {bucket: heap for bucket, heap in self._waiting.items() if heap}
        self._order: list[tuple[float, _Bucket]] = []
        for bucket in self._waiting:
            self._offer(bucket)


def _sum(counts: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return total


def _check(
    groups: NDArray[np.int64], cost: Reals, most: int, tries: NDArray[np.int64], solved: NDArray[np.bool_]
) -> None:
    sizes = {"groups": len(groups), "cost": len(cost), "tries": len(tries), "solved": len(solved)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"groups, cost, tries and solved need one entry a problem each, got {sizes}")
    if most < 1:
        raise ValueError(f"most must be 1 or more draws, got {most}")
    for name, wrong in (
        ("groups", groups < 0),
        ("tries", tries < 0),
        ("cost", ~(np.isfinite(cost) & (cost > 0))),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            found = {"groups": groups, "tries": tries, "cost": cost}[name][at]
            raise ValueError(
                f"{name} of problem {at} is {found}: costs are above 0 and finite, counts not below 0"
            )
