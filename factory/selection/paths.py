"""The reasoning of a solution, reduced to a key: the equations it writes, in order.

Guarantees: the same completion has the same key on every machine; text is scanned, never evaluated.
Swapped operands and swapped equations give different keys on purpose, as in rejection-sampling
fine-tuning (arXiv 2308.01825); `48/2=24` and `48/2=24.0` give one key, which differs from its code.
Whether an equation is true is not asked here: `1/2`, `$5`, `1,000` and `20%` as right sides are
read as `1/2`, `5`, `1000` and `20%`, and `a=b=c` is kept as one equation.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from factory.records import content_id
from factory.selection.notation import plain_arithmetic, prose_equations

NAME: Final = "equations"
"""What this key of a path is called where numbers of paths are told."""

ANNOTATION: Final = re.compile(r"<<([^<>]*)>>")
"""A calculator annotation as GSM8K writes it: `3 + 4 = <<3+4=7>>7`."""


def text_key(text: str) -> str:
    """The text with every run of whitespace as one blank: what two exact duplicates share."""
    return " ".join(text.split())


def equations(text: str) -> tuple[str, ...]:
    """The calculator annotations in order, or, where a text has none, the equations of its prose.

    A text with any annotation is read by its annotations alone: its prose repeats them.
    """
    annotated = [plain_arithmetic(body) for body in ANNOTATION.findall(text)]
    return tuple(body for body in annotated if body) or prose_equations(text)


@functools.lru_cache(maxsize=1024)  # the rules of one problem and its metrics ask again and again
def path_key(text: str) -> str:
    """The equations joined by `|`; where there are none, `text:` and a hash of the text itself.

    Without the second rule all solutions without an equation would share the empty key, and at most
    one a problem would survive, however they differ. Case and whitespace are no difference there.
    """
    found = equations(text)
    return "|".join(found) if found else f"text:{content_id(text_key(text).casefold())}"
