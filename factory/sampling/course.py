"""Which draw of one generator comes next, while earlier ones are under way or wait for their verdict.

Guarantees: draws whose verdict is not known count as correct, so that a problem is never drawn from once its
correct ones and those may be as many as it is to have; the draws of a problem begin in the order of their
indices. Draws that are surely paid for come problem by problem, so that an engine can share their prompt;
all others level by level, in the order of ranks. Arithmetic alone: left out are amounts and engines
(`drawing.py`).
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from factory.allocation import matching, rules
from factory.allocation.adaptive import Adaptive

Counts = NDArray[np.int64]

ENDLESS: Final = 2**31 - 1
"""Draws of a problem that only an amount ends."""

PARKED: Final = 256
"""Draws of problems that have one under way already, kept back until it ends."""


class Draw(NamedTuple):
    """A draw of the problem at `place` (its rank); `number` is its sample_index."""

    place: int
    number: int


class Course(Protocol):
    """What is to be drawn. `offer` names the next draw; it is made by `take`, and over with `judged`."""

    def offer(self) -> Draw | None:
        """The next draw, the same until it is taken; None: none now, as far as is known."""
        ...

    def take(self) -> None:
        """The draw offered begins."""
        ...

    def judged(self, draw: Draw, correct: bool | None, *, told: bool = True) -> None:
        """The verdict on a draw: right or not; `told`: it is evidence of its problem's rate."""
        ...

    def failed(self, draw: Draw) -> None:
        """A draw could not be had: nothing more is drawn of its problem."""
        ...


class Levels:
    """Problems that get a number of draws, or draws until so many are correct.

    An entry a problem, in the order of ranks: `started` draws so far, `correct` and `unknown` of them;
    `target` correct ones wanted, None: correctness does not matter. At most `most` draws each. `paid`: so
    many first draws of each problem come problem by problem.
    """

    def __init__(
        self,
        started: Counts,
        most: int | None,
        *,
        correct: Counts | None = None,
        unknown: Counts | None = None,
        target: Counts | None = None,
        paid: int = ENDLESS,
    ) -> None:
        none = np.zeros(len(started), dtype=np.int64)
        self._started: list[int] = started.tolist()
        self._likely: list[int] = (
            (none if correct is None else correct) + (none if unknown is None else unknown)
        ).tolist()
        self._most = ENDLESS if most is None else most
        self._target: list[int] | None = None if target is None else target.tolist()
        self.paid = paid
        self._near: list[int] = []
        self._far: list[tuple[int, int]] = []
        self._queued = [False] * len(started)
        self._offered: Draw | None = None
        for place in range(len(started)):
            self._queue(place)

    def _open(self, place: int) -> bool:
        wanted = self._target
        return self._started[place] < self._most and (wanted is None or self._likely[place] < wanted[place])

    def _queue(self, place: int) -> None:
        if self._queued[place] or not self._open(place):
            return
        self._queued[place] = True
        if self._started[place] < self.paid:
            heapq.heappush(self._near, place)
        else:
            heapq.heappush(self._far, (self._started[place], place))

    def offer(self) -> Draw | None:
        while self._offered is None and (self._near or self._far):
            place = heapq.heappop(self._near) if self._near else heapq.heappop(self._far)[1]
            self._queued[place] = False
            if self._open(place):
                self._offered = Draw(place, self._started[place])
        return self._offered

    def take(self) -> None:
        draw, self._offered = self._offered, None
        if draw is not None:
            self._started[draw.place] += 1
            self._likely[draw.place] += 1
            self._queue(draw.place)

    def judged(self, draw: Draw, correct: bool | None, *, told: bool = True) -> None:
        if not correct:
            self._likely[draw.place] -= 1
            if self._offered is None or self._offered.place != draw.place:
                self._queue(draw.place)

    def failed(self, draw: Draw) -> None:
        self._started[draw.place] = ENDLESS
        if self._offered is not None and self._offered.place == draw.place:
            self._offered = None

    def aim(self, target: Counts) -> None:
        """From now on so many correct ones are wanted of each problem."""
        self._target = target.tolist()
        for place in range(len(target)):
            self._queue(place)

    def pay(self, draws: float) -> None:
        """So many more draws are surely paid for: as many levels as they fill come problem by problem.

        Waits until what was paid for before is drawn.
        """
        if self._near or not self._far:
            return
        waiting = np.asarray([self._started[place] for _, place in self._far], dtype=np.int64)
        level = matching.levels(waiting, draws)
        if level > self.paid:
            self.paid = level
            entries, self._far = self._far, []
            for _, place in entries:
                self._queued[place] = False
            for _, place in entries:
                self._queue(place)


class Probing:
    """Problems whose first draws tell how many correct ones they get; see `rules.proportional`.

    `correct` and `judged` are of the first `probe` draws alone, `all_correct` and `unknown` of all `started`.
    """

    def __init__(
        self,
        started: Counts,
        most: int | None,
        *,
        probe: int,
        hardest: int,
        correct: Counts,
        judged: Counts,
        all_correct: Counts,
        unknown: Counts,
        paid: int = ENDLESS,
    ) -> None:
        self._probe, self._hardest = probe, hardest
        self._correct, self._judged = correct.copy(), judged.copy()
        self._all_correct, self._unknown = all_correct.copy(), unknown.copy()
        self._drawn = started.copy()
        self._most, self._lost = most, 0
        self._probing = Levels(started, probe, paid=paid)
        self._levels: Levels | None = None
        self._left = int(np.maximum(0, probe - started).sum() + unknown.sum())
        self._aim()

    @property
    def now(self) -> Levels:
        """The draws that probe, or those that follow."""
        return self._levels or self._probing

    def offer(self) -> Draw | None:
        return self.now.offer()

    def take(self) -> None:
        draw = self.now.offer()
        if draw is not None:
            self._drawn[draw.place] += 1
        self.now.take()

    def judged(self, draw: Draw, correct: bool | None, *, told: bool = True) -> None:
        if self._levels is not None:
            self._levels.judged(draw, correct, told=told)
            return
        self._left -= 1
        self._correct[draw.place] += bool(correct)
        self._judged[draw.place] += told
        self._all_correct[draw.place] += bool(correct)
        self._aim()

    def failed(self, draw: Draw) -> None:
        self.now.failed(draw)  # what is left of the probing never comes, and so no target

    def pay(self, draws: float) -> None:
        """So many more draws are surely paid for."""
        self.now.pay(draws)

    def _aim(self) -> None:
        if self._left == 0:
            target = rules.proportional(self._correct, self._judged, self._hardest)
            self._levels = Levels(
                self._drawn, self._most, correct=self._all_correct, target=target, paid=self._probing.paid
            )


class Best:
    """Problems that are drawn from until one draw solves them, the most promising for its cost first."""

    def __init__(self, adaptive: Adaptive, started: Counts) -> None:
        self._adaptive = adaptive
        self._started: list[int] = started.tolist()
        self._flying: set[int] = set()
        self._parked: deque[int] = deque()
        self._offered: int | None = None

    def offer(self) -> Draw | None:
        while self._offered is None:
            ready = next((one for one in self._parked if one not in self._flying), None)
            if ready is not None:
                self._parked.remove(ready)
            else:
                ready = self._adaptive.next() if len(self._parked) < PARKED else None
                if ready is None:
                    return None
                if ready in self._flying:
                    self._parked.append(ready)
                    continue
            self._offered = ready
        return Draw(self._offered, self._started[self._offered])

    def take(self) -> None:
        if self._offered is not None:
            self._flying.add(self._offered)
            self._started[self._offered] += 1
            self._offered = None

    def judged(self, draw: Draw, correct: bool | None, *, told: bool = True) -> None:
        self._flying.discard(draw.place)
        self._adaptive.ended(draw.place, correct if told or correct else None)
        if correct:
            self._withdraw(draw.place)

    def failed(self, draw: Draw) -> None:
        self._withdraw(draw.place)

    def _withdraw(self, place: int) -> None:
        self._adaptive.withdraw(place)
        self._parked = deque(one for one in self._parked if one != place)
        if self._offered == place:
            self._offered = None

    def cost(self, place: int, cost: float) -> None:
        """A draw of `place` has cost so much on average."""
        self._adaptive.cost_seen(place, cost)
