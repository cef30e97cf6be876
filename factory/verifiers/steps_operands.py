"""Operands of arithmetic: numbers with their percent sign and fractions, brackets, and annotations.

Guarantees: a bracket is read once and to a bounded depth; one that is not arithmetic is None, one without
a number is empty. `2 1/2` and `2½` are mixed numbers, `a / b/c` with a tight b/c is a / (b/c). Left out:
how operands stand in a line (`steps_reading.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from factory.verifiers.steps_tokens import VULGAR, Token
from factory.verifiers.steps_values import MAX_DEPTH, Atom, Number, Unread, number

SIGNS: Final = ("+", "-", "*", "/", "^")
UNKNOWN: Final = Number(0, 0)
"""Stands in the place of an operand that has no value that can be read; its side is never judged."""


def partners(tokens: Sequence[Token]) -> dict[int, int]:
    """Where the bracket that opens at a place closes; not for brackets that hold an equation sign."""
    found: dict[int, int] = {}
    open_: list[tuple[int, int]] = []
    signs = 0
    for place, token in enumerate(tokens):
        if token.kind in ("equals", "approximates"):
            signs += 1
        elif token.kind == "open":
            open_.append((place, signs))
        elif token.kind == "close" and open_:
            opening, before = open_.pop()
            if before == signs:
                found[opening] = place
    return found


def annotation(tokens: Sequence[Token]) -> list[list[Atom]] | None:
    """The sides of an annotation, which holds arithmetic and nothing else; None for any other text."""
    found: list[list[Atom]] = []
    closing = partners(tokens)
    start = 0
    for end in [*(place for place, token in enumerate(tokens) if token.kind == "equals"), len(tokens)]:
        side = group(tokens, closing, start, end, words=False)
        if not side:
            return None
        found.append(side)
        start = end + 1
    return found if len(found) > 1 else None


def numeral(tokens: Sequence[Token], place: int, *, loose_slash: bool = False) -> tuple[list[Atom], int]:
    """The atoms of the number at `place`, and the place behind it. Raises Unread for one of too many digits.

    `loose_slash`: it stands behind a `/` with a blank, so that a tight `b/c` is one operand.
    """
    token = tokens[place]
    if token.kind == "vulgar":
        return _quotient(*VULGAR[token.text]), place + 1
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    if following is None:
        return [number(token.text)], place + 1
    if following.kind == "percent":
        return [number(token.text, percent=True)], place + 2
    if following.kind == "vulgar" and following.start == token.end and token.text.isdigit():
        return ["(", number(token.text), "+", *_quotient(*VULGAR[following.text]), ")"], place + 2
    if loose_slash and (tight := tight_fraction(tokens, place)):
        return _quotient(*tight), place + 3
    if following.kind == "number" and following.start == token.end + 1 and token.text.isdigit():
        part = tight_fraction(tokens, place + 1)
        if part and 0 < part[0] < part[1]:
            return ["(", number(token.text), "+", *_quotient(*part), ")"], place + 4
    return [number(token.text)], place + 1


def _quotient(above: int, below: int) -> list[Atom]:
    return ["(", Number(above, 0), "/", Number(below, 0), ")"]


def tight_fraction(tokens: Sequence[Token], place: int) -> tuple[int, int] | None:
    """The two numbers of a `b/c` of short integers without blanks that starts at `place`, or None."""
    if place + 2 >= len(tokens):
        return None
    above, slash, below = tokens[place : place + 3]
    if slash.text != "/" or above.end != slash.start or slash.end != below.start:
        return None
    if not (above.text.isdigit() and below.text.isdigit() and below.end - above.start < MAX_DEPTH):
        return None
    behind = tokens[place + 3] if place + 3 < len(tokens) else None
    if behind is not None and behind.start == below.end:
        unit = place + 4 < len(tokens) and tokens[place + 4].kind == "word"
        if behind.kind == "percent" or (behind.text == "/" and not unit):
            return None
    return int(above.text), int(below.text)


def fraction(
    tokens: Sequence[Token], closing: Mapping[int, int], place: int, depth: int = 0
) -> tuple[list[Atom] | None, int]:
    r"""The atoms of a \frac whose first bracket is at `place`, or None, and the place behind it."""
    parts: list[list[Atom]] = []
    for _ in range(2):
        if place not in closing:
            return None, place
        part = group(tokens, closing, place + 1, closing[place], depth + 1)
        place = closing[place] + 1
        if not part:
            return None, place
        parts.append(part)
    return ["(", "(", *parts[0], ")", "/", "(", *parts[1], ")", ")"], place


def group(
    tokens: Sequence[Token],
    closing: Mapping[int, int],
    start: int,
    end: int,
    depth: int = 0,
    *,
    words: bool = True,
) -> list[Atom] | None:
    """The atoms between two places; [] where no number stands, None where it is not arithmetic.

    `words`: units are allowed behind numbers, and words before the first.
    """
    atoms: list[Atom] = []
    place = start
    while place < end:
        token, wants = tokens[place], not atoms or atoms[-1] in SIGNS
        if token.kind in ("number", "vulgar", "open", "fraction"):
            glued = token.kind == "open" and tokens[place - 1].end == token.start
            operand, place = _operand(tokens, closing, place, depth, words=words)
            if operand is None or (operand and not (wants or glued)):
                return None
            atoms += operand if wants or not operand else ["*", *operand]
            continue
        if token.kind == "op":
            unit = words and token.text == "/" and tokens[place + 1].kind == "word"
            if wants and (not _is_sign(token, atoms) or (place > start and tokens[place - 1].kind == "word")):
                return None
            if not unit and not (wants and token.text == "+"):
                atoms.append(token.text)
        elif token.kind == "of" and not wants and tokens[place - 1].kind in ("percent", "vulgar", "close"):
            atoms.append("*")
        elif not (token.kind == "currency" or (words and token.kind == "word" and not (wants and atoms))):
            return None
        place += 1
    return None if atoms and atoms[-1] in SIGNS else atoms


def _is_sign(token: Token, atoms: Sequence[Atom]) -> bool:
    """Whether an operation that stands where an operand is due may be its sign; a `+` is none after a `+`."""
    return (token.text == "-" and list(atoms[-2:]) != ["-", "-"]) or (
        token.text == "+" and atoms[-1:] != ["+"]
    )


def _operand(
    tokens: Sequence[Token], closing: Mapping[int, int], place: int, depth: int, *, words: bool
) -> tuple[list[Atom] | None, int]:
    """The operand at `place` within a bracket, as `group` gives it, and the place behind it."""
    token = tokens[place]
    if token.kind == "fraction":
        return fraction(tokens, closing, place + 1, depth)
    if token.kind == "open":
        if place not in closing or depth >= MAX_DEPTH:
            return None, place + 1
        close = closing[place]
        inner = group(tokens, closing, place + 1, close, depth + 1, words=words)
        return (["(", *inner, ")"] if inner else inner if words else None), close + 1
    before = tokens[place - 1] if place else None
    loose = before is not None and before.text == "/" and before.end < token.start
    try:
        return numeral(tokens, place, loose_slash=loose)
    except Unread:
        return None, place + 1
