"""Whether a prompt holds its own answer.

Guarantees: numbers are compared as numbers and taken whole: 1,200 is 1200, and 5 is not in 15, 5.5 or x5.
Left out: whether it is a fault. A question whose answer is among the numbers it names holds it, and so does
one that offers choices.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_NUMBER: Final = re.compile(r"(?<![\w.,])[-−]?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?!\w|[.,][0-9])")


def gives_away(prompt: str, answer: str) -> bool:
    """Whether `answer` stands in `prompt`: as a number, or as whole words in any case."""
    words = answer.strip()
    wanted = _number(words)
    if wanted is not None:
        return any(_number(one.group()) == wanted for one in _NUMBER.finditer(prompt))
    return bool(words) and bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", prompt, re.IGNORECASE))


def _number(text: str) -> Decimal | None:
    return Decimal(text.replace(",", "").replace("−", "-")) if _NUMBER.fullmatch(text) else None
