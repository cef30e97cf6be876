"""Whether some of a whole are more than a share of it.

Guarantees: exact, so that 57 of 100 are not more than 0.57 on any machine.
"""

from __future__ import annotations

from fractions import Fraction


def is_majority(count: int, total: int, share: float) -> bool:
    """Whether `count` of `total` is more than `share`, taken as the decimal it is written as."""
    return total > 0 and Fraction(count, total) > Fraction(repr(share))
