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
    many first draws of each problem come problem by problem; all others strictly level by level, so that
    where the money ends no draw is lacking below those that were made.
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
        self._flying: list[int] = none.tolist()
        self._most = ENDLESS if most is None else most
        self._target: list[int] | None = None if target is None else target.tolist()
        self.paid = paid
        self._near: list[int] = []
        self._far: list[tuple[int, int]] = []
        self._waiting: list[tuple[int, int]] = []
        self._queued = [False] * len(started)
        self._offered: Draw | None = None
        self._unasked = 0
        for place in range(len(started)):
            self._queue(place)

    def _open(self, place: int) -> bool:
        wanted = self._target
        return self._started[place] < self._most and (wanted is None or self._likely[place] < wanted[place])

    def _wanting(self, place: int) -> bool:
        """Whether the problem may need another draw, though it may have enough under way."""
        wanted, known = self._target, self._likely[place] - self._flying[place]
        return self._started[place] < self._most and (wanted is None or known < wanted[place])

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
            place = self._near[0] if self._near else self._far[0][1]
            if self._open(place):
                if not self._near and self._held(self._far[0]):
                    return None
                self._offered = Draw(place, self._started[place])
            heapq.heappop(self._near) if self._near else heapq.heappop(self._far)
            self._queued[place] = False
        return self._offered

    def _held(self, upcoming: tuple[int, int]) -> bool:
        """Whether a draw that comes before `upcoming` is needed unless one under way turns out correct."""
        waiting = self._waiting
        while waiting:
            started, place = waiting[0]
            if started == self._started[place] and self._wanting(place) and not self._open(place):
                return waiting[0] < upcoming
            heapq.heappop(waiting)
        return False

    def take(self) -> None:
        draw, self._offered = self._offered, None
        if draw is not None:
            self._started[draw.place] += 1
            self._likely[draw.place] += 1
            self._flying[draw.place] += 1
            self._queue(draw.place)
            if not self._queued[draw.place] and self.paid < ENDLESS:
                heapq.heappush(self._waiting, (self._started[draw.place], draw.place))

    def judged(self, draw: Draw, correct: bool | None, *, told: bool = True) -> None:
        self._flying[draw.place] -= 1
        if not correct:
            self._likely[draw.place] -= 1
            if self._offered is None or self._offered.place != draw.place:
                self._queue(draw.place)

    def failed(self, draw: Draw) -> None:
        self._started[draw.place] = ENDLESS
        if self._offered is not None and self._offered.place == draw.place:
            self._offered = None

    def pay(self, draws: float, surely: float) -> None:
        """About `draws` more can be paid for, and so many `surely`: the levels that these fill come problem
        by problem. They are fewer again where even `draws` no longer fill them."""
        self._unasked -= 1
        if self._unasked > 0:
            return
        self._unasked = len(self._started) // 32  # it takes a look at every problem
        heights = np.asarray(
            [height for place, height in enumerate(self._started) if self._wanting(place)], dtype=np.int64
        )
        level = matching.levels(heights, surely)
        short = bool(self._near) and matching.levels(heights, draws) < self.paid
        if short or (level > self.paid and not self._near):
            self.paid = level
            places = [*self._near, *(place for _, place in self._far)]
            places += [self._offered.place] if self._offered is not None else []
            self._near, self._far, self._offered = [], [], None
            for place in places:
                self._queued[place] = False
            for place in places:
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

    def pay(self, draws: float, surely: float) -> None:
        """See `Levels.pay`."""
        self.now.pay(draws, surely)

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
