"""How the command line shows a budget: what was planned, spent, presumed and is left.

Guarantees: what is presumed stands apart from what was seen, and what is not known is said to be. Left out:
what is shown (`sampling/spending.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from factory import amounts
from factory.commands.display import table


def lines(found: Mapping[str, Any] | None) -> Iterator[Table | str]:
    """The budget of a recipe, `found` as `budget` in metrics.json; nothing where there is none."""
    told = list(amounts.lines(found)) if found and found.get("generators") else []
    if not found or not told:
        return
    yield table(
        "Budget",
        ("of", "currency", "planned", "spent", "presumed", "lost", "left"),
        [
            (
                one.name,
                amounts.NAMES[one.currency],
                _shown(one.planned),
                amounts.written(one.realised),
                *(_shown(amount or None) for amount in (one.presumed, one.lost)),
                _shown(one.left),
            )
            for one in told
        ],
    )
    yield amounts.allowed(found)
    if any(one.presumed for one in told):
        yield (
            "Presumed: calls were under way when their process died; they are charged at the most they can "
            "have cost."
        )
    if any(one.lost for one in told):
        yield "Lost: calls that were paid for and gave no sample and no vote."


def _shown(amount: float | None) -> str:
    return "" if amount is None else amounts.written(amount)
