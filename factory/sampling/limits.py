"""Limits on what may be spent, and the clock that shares an engine's time among its calls.

Guarantees: what fits a limit never takes it over its amount, but for the rounding of sums; the shares of the
calls add up to the time in which any was under way. Left out: who spends (`account.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from factory.budget_sections import Currency

SLACK: Final = 1e-9
"""So large a part of an amount is the rounding of sums, and no overspending."""


@dataclass(slots=True)
class Limit:
    """So much of one currency at most; `held` is the most that calls under way may cost."""

    name: str
    currency: Currency
    most: float
    spent: float
    held: float = 0.0

    def fits(self, more: float, held: float) -> bool:
        """Whether `more` may be spent beside `held`; seconds, which no call tells beforehand, while there
        are any."""
        if self.currency == "seconds":
            return self.spent < self.most
        return self.spent + held + more <= self.most * (1 + SLACK)


class VirtualClock:
    """Gives the draws under way beside each other equal parts of the time: their shares add up to it.

    It advances by dt / draws under way, so a draw's share is where it stands at its end less at its start.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._last = now, now()
        self.under_way = 0
        self.busy = self.shared = self.stands = 0.0

    def tick(self) -> float:
        """Advance to now; returns the seconds since it was last asked, 0 where nothing was under way."""
        now = self._now()
        passed, self._last = now - self._last if self.under_way else 0.0, now
        if self.under_way:
            self.busy += passed
            self.stands += passed / self.under_way
        return passed

    def share(self, start: float) -> float:
        """The share of a draw that ends now and began where the clock stood at `start`."""
        part = self.stands - start
        self.shared += part
        return part
