"""The verifiers by name, and the one place where what they raise becomes a verdict.

Guarantees: `judge` returns a Check for everything but MemoryError, which the pool names. To add a
verifier, write a module with NAME, VERSION and `check`, and add it to VERIFIERS.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from factory.recipe import VerifierOptions
from factory.records import Status
from factory.verifiers import arithmetic, math_answer
from factory.verifiers.base import Check, Item

VERIFIERS: Final[dict[str, ModuleType]] = {
    math_answer.NAME: math_answer,
    arithmetic.NAME: arithmetic,
}


def judge(item: Item, name: str, options: VerifierOptions, *, whole: bool = False) -> Check:
    """The word of the verifier `name` on `item`; an exception is an error, never evidence against it.

    `whole` says that the completion is an answer and nothing else; only `math` makes that difference.
    """
    try:
        module = VERIFIERS[name]
        check: Check = (module.check_answer if whole else module.check)(item, options)
    except MemoryError:
        raise
    except Exception as error:
        return Check(Status.ERROR, f"raised:{type(error).__name__}")
    return check
