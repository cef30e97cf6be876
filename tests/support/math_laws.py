"""Laws that the verdicts of the verifier `math` keep on any two texts."""

from __future__ import annotations

import enum

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import equivalence
from factory.verifiers.base import Item
from factory.verifiers.judging import judge
from factory.verifiers.spelling import Unsettled, clean

OPTIONS = MathOptions()


class Law(enum.Enum):
    """What holds for any two texts."""

    RAISED = "no verdict raises"
    NOT_A_SLICE = "the answer is a slice of the completion"
    NOT_REFLEXIVE = "a text is not different from itself"
    NOT_SYMMETRIC = "neither order is equal where the other is different"


def broken(pair: tuple[str, str]) -> Law | None:
    """The law that the verdicts on two texts break, None when they keep them all."""
    one, other = pair
    checks = [
        judge(Item(one, other), "math", OPTIONS),
        judge(Item(one, other), "math", OPTIONS, whole=True),
        judge(Item(other, one), "math", OPTIONS, whole=True),
        judge(Item(one, one), "math", OPTIONS, whole=True),
    ]
    if any(check.reason.startswith("raised") for check in checks):
        return Law.RAISED
    if any(
        check.answer is not None and check.answer not in text
        for check, text in zip(checks, (one, one, other, one), strict=True)
    ):
        return Law.NOT_A_SLICE
    if checks[3].status is Status.FAIL:
        return Law.NOT_REFLEXIVE
    words = {compared(one, other), compared(other, one)}
    # Stated differences of an answer and a reference: how short a decimal may be, and a closing `!`.
    if {"equal", "different"} <= words and "!" not in one + other:
        return Law.NOT_SYMMETRIC
    return None


def compared(one: str, other: str) -> str | None:
    """equal or different; rounded, or None, where the order may matter or nothing is settled."""
    try:
        reason = equivalence.decided(clean(one), clean(other), OPTIONS)
    except Unsettled:
        return None
    return "rounded" if "rounded" in reason else reason.partition(":")[0]


def looked_at(pair: tuple[str, str]) -> tuple[str | None, str]:
    """The law that is broken, and the status of the pair, for the pool."""
    law = broken(pair)
    return law.value if law else None, judge(Item(*pair), "math", OPTIONS, whole=True).status.value
