"""A solution cut into the steps that people read one after the other.

Guarantees: the parts of all steps, in order, are the text, but for line ends, blank lines, blanks between
sentences, and characters that cannot be seen, which are shown by their number. Time is linear in the length
of the text, which is scanned and never evaluated. Equations are marked where they stand, whether they hold or
not. Left out: what a step is for training (`steps` of a recipe), and any judgement.
"""

from __future__ import annotations

import re
from typing import Any, Final

from factory.report.markup import visible

_SENTENCE: Final = re.compile(r"(?<=[.!?])[ \t]+(?=[A-Z\"'“(\[$\\])")
_NO_END: Final = re.compile(
    r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|St|No|vs|etc|e\.g|i\.e|approx|[A-Z])\.$|^\s*[0-9]{1,3}\.$"
)
"""A stop that ends no sentence: of an abbreviation, an initial, or the number of an item of a list."""

_NEAR: Final = 12
"""Characters before a full stop that are looked at."""

_ARITHMETIC: Final = re.compile(r"[0-9.,+\-*/×÷·−^%()$€£= \t]+")
_TRIM: Final = " \t,."


def steps(text: str, *, code: bool = False) -> list[dict[str, Any]]:
    """The steps: {number, parts}, where each part is [text, whether it is an equation].

    A step is a sentence of a line that is not blank, or with `code` the line. `number` is from 1.
    """
    lines = (line for line in re.split(r"\r\n|\r|\n", text) if line.strip())
    pieces = [piece for line in lines for piece in ([line] if code else _sentences(line))]
    return [
        {"number": number, "parts": [[visible(piece), False]] if code else _parts(piece)}
        for number, piece in enumerate(pieces, start=1)
    ]


def _sentences(line: str) -> list[str]:
    found, start = [], 0
    for gap in _SENTENCE.finditer(line):
        if not _NO_END.search(line[max(start, gap.start() - _NEAR) : gap.start()]):
            found.append(line[start : gap.start()])
            start = gap.end()
    return [*found, line[start:].rstrip()]


def _parts(piece: str) -> list[list[Any]]:
    parts: list[list[Any]] = []
    end = 0
    for run in _ARITHMETIC.finditer(piece):
        inside = run[0].strip(_TRIM)
        sides = inside.split("=")
        if len(sides) < 2 or not all(any(sign.isdigit() for sign in side) for side in sides):
            continue
        start = run.start() + run[0].index(inside)
        if start > end:
            parts.append([visible(piece[end:start]), False])
        parts.append([visible(inside), True])
        end = start + len(inside)
    if end < len(piece):
        parts.append([visible(piece[end:]), False])
    return parts
