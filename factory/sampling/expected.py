"""What a draw is expected to cost, so that as many are asked for at once as are surely paid for.

Guarantees: draws count in the order in which they began, each when all before it have ended: those that
end first are the short ones, and alone would make a draw look cheap. Left out: what it is used for
(`drawing.py`).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from factory.amounts import CURRENCIES, Amounts
from factory.budget_sections import Currency

ERRORS: Final = 3.0
"""Standard errors that the mean of draws to come may lie above that of draws so far."""


class Expected:
    """The cost of a draw by those that began first; `number` of them are counted."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._ended: dict[str, Amounts | None] = {}
        self._sums: dict[Currency, tuple[float, float] | None] = dict.fromkeys(CURRENCIES, (0.0, 0.0))
        self.number = 0

    def begin(self, sample: str) -> None:
        """A draw begins."""
        self._order.append(sample)

    def end(self, sample: str, cost: Amounts | None) -> None:
        """A draw that began is over and cost so much; None: it failed, and does not count."""
        self._ended[sample] = cost
        while self._order and self._order[0] in self._ended:
            counted = self._ended.pop(self._order.popleft())
            if counted is not None:
                self.number += 1
                for currency in CURRENCIES:
                    self._add(currency, counted.of(currency))

    def _add(self, currency: Currency, cost: float | None) -> None:
        sums = self._sums[currency]
        if sums is not None:
            total, squares = sums
            self._sums[currency] = None if cost is None else (total + cost, squares + cost * cost)

    def cost(self, currency: Currency) -> tuple[float, float] | None:
        """(mean, the most that the mean may be) of a draw; None before there are two, or where not known."""
        sums = self._sums[currency]
        if self.number < 2 or sums is None:
            return None
        mean = sums[0] / self.number
        variance = max(0.0, sums[1] / self.number - mean * mean) / (self.number - 1)
        return mean, mean + ERRORS * math.sqrt(variance)
