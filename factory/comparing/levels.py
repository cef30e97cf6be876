"""At how many draws sides are compared: of equal cost, and of equal number.

Guarantees: at a level of equal cost every side spends the same on a problem on average, counting what a
judged draw really cost it, with the draws that could not be judged and its share of the prompt. Left out:
what the draws show (`figures.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from factory.metrics.measure import rounded

MOST_POINTS: Final = 40
"""Points of a curve; of more draws some are left out, the more the further out."""


@dataclass(frozen=True)
class Level:
    """`k` draws of each side; those of `anchor` are a whole number, and set the others. `cost` is what they
    cost a problem in the currency that is matched, None where numbers are equal. `all_in`: all that the side
    with the least has drawn of every problem."""

    k: Mapping[str, float]
    anchor: str
    cost: float | None
    all_in: bool


def ratio(per_draw: Mapping[str, float], of: str, to: str) -> float:
    """Draws of `of` for the cost of one of `to`: S_WC = S_SE (P_SE W_SE) / (P_WC W_WC), arXiv 2408.16737."""
    return per_draw[to] / per_draw[of]


def equal_cost(
    per_draw: Mapping[str, float],
    least: Mapping[str, int],
    most: Mapping[str, int],
    ks: Iterable[int],
    reference: str,
) -> list[Level]:
    """The levels at which `reference` has k draws, for each of `ks`, and the last one that every side reaches
    on every problem. `least` and `most` are the fewest and the most judged draws of a problem of each side; a
    level that a side reaches on no problem is left out.
    """
    limit = min(least, key=lambda name: least[name] * per_draw[name])
    levels = (_at(per_draw, reference, k, all_in=False) for k in sorted(set(ks)))
    found = [one for one in levels if all(k <= most[name] for name, k in one.k.items())]
    if least[limit]:
        last = _at(per_draw, limit, least[limit], all_in=True)
        found = [*(one for one in found if one.cost != last.cost), last]
    return found


def equal_number(least: Mapping[str, int], ks: Iterable[int], reference: str) -> list[Level]:
    """The levels of `ks` that every side reaches, and the last one."""
    last = min(least.values())
    wanted = sorted({k for k in ks if k < last} | ({last} if last else set()))
    return [Level(dict.fromkeys(least, float(k)), reference, None, k == last) for k in wanted]


def thinned(most: int) -> list[int]:
    """The k of a curve up to `most`: all of them, or MOST_POINTS in a geometric row."""
    if most <= MOST_POINTS:
        return list(range(1, most + 1))
    step = math.log(most) / (MOST_POINTS - 1)
    return sorted({round(math.exp(step * place)) for place in range(MOST_POINTS)} | {1, most})


def _at(per_draw: Mapping[str, float], anchor: str, k: int, *, all_in: bool) -> Level:
    cost = k * per_draw[anchor]
    # The anchor's own k is exact; a quotient of floats might miss a whole number, and with it a problem.
    shares = {name: float(k) if name == anchor else rounded(cost / one) for name, one in per_draw.items()}
    return Level(shares, anchor, rounded(cost), all_in)
