"""Sets of real numbers: intervals, points, unions, and what inequalities in one variable say.

Guarantees: a region is a sorted tuple of separate pieces whose ends are compared exactly (as `scalars.py`
compares numbers), so two regions are equal when they hold the same numbers, however they were written.
Inequalities are solved when they are linear in their variable, in its absolute value or in its square, or
when what is bounded is a mere name. Left out: other inequalities, and ends that hold variables; both are
`undecided` here.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Final, NamedTuple

from factory.verifiers import scalars
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, inverse, number, substituted, variables, walk

INFINITE: Final[Tree] = ("constant", "infinity")
MINUS_INFINITE: Final[Tree] = ("-", INFINITE)
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
_TWO: Final = number("2")
_ZERO: Final = number("0")
_INSIDE: Final = ("variable", ".inside")
MOST_PIECES: Final = 30


class Piece(NamedTuple):
    """From `low` to `high`, either end with or without; None is no end. A point is its own low and high."""

    low: Tree | None
    low_in: bool
    high: Tree | None
    high_in: bool


Region = tuple[Piece, ...]
REALS: Final = Piece(None, False, None, False)


def same(one: Region, other: Region, equal: Callable[[Tree, Tree], bool]) -> bool:
    """Whether two regions hold the same numbers; `equal` compares two ends."""

    def same_end(one: Tree | None, other: Tree | None) -> bool:
        return one is other if one is None or other is None else equal(one, other)

    return len(one) == len(other) and all(
        (a.low_in, a.high_in) == (b.low_in, b.high_in) and same_end(a.low, b.low) and same_end(a.high, b.high)
        for a, b in zip(one, other, strict=True)
    )


def region(tree: Tree) -> Region:
    """The numbers an answer stands for. Raises Unsettled for what is no set of numbers."""
    kind = tree[0]
    if kind == "reals":
        return (REALS,)
    if kind == "list" and all(part[0] == "relation" for part in tree[1]):
        return _listed(tuple(map(region, tree[1])))
    if kind in ("union", "list"):
        return _union(*map(region, tree[1]))
    if kind == "meet":
        return functools.reduce(_meet, map(region, tree[1]))
    if kind == "less":
        return _meet(region(tree[1]), _complement(region(tree[2])))
    if kind == "set":
        return _union(*((Piece(part, True, part, True),) for part in tree[1]))
    if kind == "bracket" and len(tree[3]) == 2:
        return _interval(*tree[1:])
    if kind == "relation":
        return _solved(tree[1], tree[2])
    raise Unsettled("undecided")


def _listed(parts: tuple[Region, ...]) -> Region:
    """x > 1, x < 3 holds together, if it can: x < -1, x > 1 is one or the other."""
    together = functools.reduce(_meet, parts)
    if not together:
        return _union(*parts)
    if any(same(together, part, scalars.equal) for part in parts):
        raise Unsettled("undecided")  # x > 1, x > 3: which is meant?
    return together


def _interval(opening: str, closing: str, ends: tuple[Tree, Tree]) -> Region:
    low = None if ends[0] == MINUS_INFINITE else ends[0]
    high = None if ends[1] in (INFINITE, ("+", (INFINITE,))) else ends[1]
    if low == INFINITE or high == MINUS_INFINITE:
        raise Unsettled("undecided")
    piece = Piece(low, opening == "[" and low is not None, high, closing == "]" and high is not None)
    return (piece,) if _holds_something(piece) else ()


# --- operations --------------------------------------------------------------------------------------


def _holds_something(piece: Piece) -> bool:
    if piece.low is None or piece.high is None:
        return True
    order = scalars.order(piece.low, piece.high)
    return order < 0 or (order == 0 and piece.low_in and piece.high_in)


def _before(one: Piece, other: Piece) -> int:
    """The order of pieces by where they begin."""
    if one.low is None or other.low is None:
        return (one.low is not None) - (other.low is not None)
    return scalars.order(one.low, other.low) or other.low_in - one.low_in


def _union(*regions: Region) -> Region:
    pieces = sorted(itertools.chain(*regions), key=functools.cmp_to_key(_before))
    if len(pieces) > MOST_PIECES:
        raise Unsettled("refused")
    merged: list[Piece] = []
    for piece in pieces:
        if merged and (joint := _merged(merged[-1], piece)):
            merged[-1] = joint
        else:
            merged.append(piece)
    return tuple(merged)


def _merged(one: Piece, other: Piece) -> Piece | None:
    """The union of two pieces, the first of which begins first, if there is nothing between them."""
    if one.high is not None and other.low is not None:
        gap = scalars.order(one.high, other.low)
        if gap < 0 or (gap == 0 and not (one.high_in or other.low_in)):
            return None
    if one.high is None or other.high is None:
        return Piece(one.low, one.low_in, None, False)
    order = scalars.order(one.high, other.high)
    later = one if order > 0 else other
    return Piece(one.low, one.low_in, later.high, later.high_in or (order == 0 and one.high_in))


def _meet(one: Region, other: Region) -> Region:
    found = [_common(a, b) for a in one for b in other]
    return _union(*((piece,) for piece in found if _holds_something(piece)))


def _common(one: Piece, other: Piece) -> Piece:
    start = one if _before(one, other) >= 0 else other
    if one.high is None or other.high is None:
        end = other if one.high is None else one
        return Piece(start.low, start.low_in, end.high, end.high_in)
    order = scalars.order(one.high, other.high)
    end = one if order < 0 else other
    return Piece(start.low, start.low_in, end.high, end.high_in and (order != 0 or one.high_in))


def _complement(one: Region) -> Region:
    rest: Region = (REALS,)
    for piece in one:
        outside = []
        if piece.low is not None:
            outside.append(Piece(None, False, piece.low, not piece.low_in))
        if piece.high is not None:
            outside.append(Piece(piece.high, not piece.high_in, None, False))
        rest = _meet(rest, tuple(outside))
    return rest


# --- inequalities ------------------------------------------------------------------------------------


def _solved(sides: tuple[Tree, ...], signs: tuple[str, ...]) -> Region:
    """The numbers for which a chain of inequalities holds."""
    names = {one for side in sides if (one := _subject(side)) is not None}
    if len(names) != 1 or not set(signs) <= set(_FLIPPED):
        raise Unsettled("undecided")
    (name,) = names
    found: Region = (REALS,)
    for (left, right), sign in zip(itertools.pairwise(sides), signs, strict=True):
        found = _meet(found, _solution(left, sign, right, name))
    return found


def _subject(side: Tree) -> str | None:
    """What an inequality is about: its one variable, or the name it bounds, as f(x) or AB."""
    if side[0] == "apply":
        return side[1] if isinstance(side[1], str) else None
    names = variables(side)
    if len(names) == 1:
        return names[0]
    if names and side[0] == "*" and all(part[0] == "variable" for part in side[1]):
        return ".".join(names)
    if names:
        raise Unsettled("undecided")
    return None


def subject(tree: Tree) -> str | None:
    """The one letter that an answer bounds, None where there is none or no single one."""
    names = variables(tree)
    return names[0] if tree[0] in ("relation", "union", "meet") and len(names) == 1 else None


def _solution(left: Tree, sign: str, right: Tree, name: str) -> Region:
    for one, other, turned in ((left, right, sign), (right, left, _FLIPPED[sign])):
        whole = one == ("variable", name) or one[0] == "apply" or len(variables(one)) > 1
        if not variables(other) and other[0] != "apply" and whole:
            return _half_line(turned, other)
    return _linear(("+", (left, ("-", right))), sign, name)


def _half_line(sign: str, end: Tree) -> Region:
    """The numbers that stand so to `end`."""
    if end in (INFINITE, MINUS_INFINITE):
        return (REALS,)
    point = Piece(end, True, end, True)
    return {
        "<": (Piece(None, False, end, False),),
        "<=": (Piece(None, False, end, True),),
        ">": (Piece(end, False, None, False),),
        ">=": (Piece(end, True, None, False),),
        "!=": _complement((point,)),
    }[sign]


def line(tree: Tree, name: str) -> tuple[Tree, Tree] | None:
    """Slope and value at 0 of a tree that is linear in a variable, None of one that is not."""
    at = [
        substituted(tree, ("variable", name), ("number", Fraction(value), 0, None)) for value in (0, 1, -2, 7)
    ]
    slope: Tree = ("+", (at[1], ("-", at[0])))
    for value, result in ((-2, at[2]), (7, at[3])):
        if not scalars.equal(result, ("+", (at[0], ("*", (("number", Fraction(value), 0, None), slope))))):
            return None
    return slope, at[0]


def _linear(difference: Tree, sign: str, name: str) -> Region:
    """Where `difference` stands so to 0: linear in the variable, in its absolute value or in its square."""
    straight = line(difference, name)
    if straight is None:
        return _through(difference, sign, name)
    slope, start = straight
    direction = scalars.order(slope, _ZERO)
    if direction == 0:
        raise Unsettled("undecided")
    root: Tree = ("*", (("-", start), inverse(slope)))
    return _half_line(sign if direction > 0 else _FLIPPED[sign], root)


def _through(difference: Tree, sign: str, name: str) -> Region:
    for part in walk(difference):
        if part[0] == "abs" or (part[0] == "^" and part[2][:2] == _TWO[:2]):
            rest = substituted(difference, part, _INSIDE)
            straight = line(part[1], name) if variables(rest) == [_INSIDE[1]] else None
            if straight is not None:
                inner = _meet(_linear(rest, sign, _INSIDE[1]), (Piece(_ZERO, True, None, False),))
                return _mapped(inner, straight, squared=part[0] == "^")
    raise Unsettled("undecided")


def _mapped(sizes: Region, straight: tuple[Tree, Tree], *, squared: bool) -> Region:
    """Where slope * x + start has one of these sizes, or its square has."""
    slope, start = straight
    direction = scalars.order(slope, _ZERO)

    def back(end: Tree | None, negative: bool) -> Tree | None:
        if end is None:
            return None
        size: Tree = ("root", _TWO, end) if squared else end
        return "*", (("+", (("-", size) if negative else size, ("-", start))), inverse(slope))

    pieces: list[Region] = []
    for piece in sizes:
        for negative in (False, True):
            low = (back(piece.low, negative), piece.low_in)
            high = (back(piece.high, negative), piece.high_in)
            if negative != (direction < 0):
                low, high = high, low
            pieces.append((Piece(*low, *high),))
    return _union(*pieces)
