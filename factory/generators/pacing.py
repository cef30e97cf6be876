"""How many requests may be under way at once: halved by signs of too much, grown again by successes (AIMD).

Guarantees: never more than `most` at once and never fewer than one; waiters are served in order; one
burst of refusals halves once, because those requests were all sent before the first refusal was known.
Left out: rates in tokens a minute, and threads (everything happens in one asyncio loop).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

ROUNDS_TO_FULL: Final = 16
"""Rounds of successes from one request at once to `most`; the same for a laptop and for a cluster."""


class Pace:
    """Room for requests; `limit` is how many may be under way now."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._halved_at = float("-inf")
        self._closed_until = float("-inf")

    @asynccontextmanager
    async def room(self) -> AsyncIterator[float]:
        """Wait for room and for the end of a pause, then hold it; gives the loop's time of the start."""
        loop = asyncio.get_running_loop()
        if self._waiting or self.under_way >= int(self.limit):
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        else:
            self.under_way += 1
        try:
            while (pause := self._closed_until - loop.time()) > 0:
                await asyncio.sleep(pause)
            yield loop.time()
        finally:
            self.under_way -= 1
            self._admit()

    def succeeded(self) -> None:
        """A request went well: a whole round of these adds a sixteenth of `most`, but at least one."""
        step = max(1.0, self.most / ROUNDS_TO_FULL)
        self.limit = min(float(self.most), self.limit + step / self.limit)
        self._admit()

    def pressed(self, began: float) -> None:
        """A request that began at `began` (the loop's time) met a limit of the server."""
        if began > self._halved_at:
            self._halved_at = asyncio.get_running_loop().time()
            self.limit = max(1.0, self.limit / 2)

    def pause(self, seconds: float) -> None:
        """Start nothing for so long: what one request is told by Retry-After holds for all."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    def _admit(self) -> None:
        while self._waiting and self.under_way < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():  # a waiter that was cancelled needs no room
                self.under_way += 1
                turn.set_result(None)
