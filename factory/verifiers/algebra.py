"""Layer 3: equality of formulas, by exact values where there are any and by a proof where there are none.

Guarantees: both orders of the arguments get the same verdict. Numbers without an exact value are compared
at 50 and 100 digits (and at 200 when these do not settle it); zero is recognised by a difference that
melts as the digits grow. Formulas with variables are unequal when they differ at a point; they are equal
when they agree, as exact fractions, at every point tried (chance of an error below 1e-20 for the sizes
that are read), or else when sympy simplifies their difference to zero. What none of this settles is
`undecided`. sympy is imported for that last step only and is given trees, never text.

Left out: inequalities, unions, matrices, unit conversion.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from factory.verifiers.evaluation import Evaluator, Undefined, Value, exact_fraction
from factory.verifiers.exact import LEAST_FIGURES, shows, terminates
from factory.verifiers.proof import proves_equal
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, variables, walk

DIGITS: Final = (50, 100, 200)
INFINITE: Final[Tree] = ("constant", "infinity")
MINUS_INFINITE: Final[Tree] = ("-", INFINITE)
_BITS: Final = 3.33
"""Bits of a decimal digit."""
_MANY: Final = frozenset(("bracket", "set", "list", "named"))
_MOST_PARTS: Final = 30
_POINTS: Final = 6


def compare(one: Tree, other: Tree) -> str:
    """equal:... or different:... for two answers. Raises Unsettled."""
    if one == other:
        return "equal:algebra"
    try:
        first, second = _value_of(one), _value_of(other)
    except _Contradiction:  # `71 + 83 = 164` is no value, and it is not right
        return "different:contradiction"
    kinds = {first[0], second[0]}
    if not kinds & _MANY:
        return _scalars(first, second)
    if kinds <= {"list", "set"}:
        return _verdict(_same_in_any_order(first[-1], second[-1]))
    if kinds == {"named"}:
        return _verdict(_same_by_name(first, second))
    if not kinds <= _MANY or kinds == {"bracket", "set"}:
        return "different:type"
    fences = {tree[1:3] for tree in (first, second) if tree[0] == "bracket"}
    if len(fences) > 1 or (len(kinds) > 1 and fences - {("(", ")")}):
        return "different:algebra"
    equal = _same_in_order(first[-1], second[-1])
    if not equal and "named" in kinds:
        raise Unsettled("undecided")  # x = 1, y = 2 against 2, 1: in which order was it asked?
    return _verdict(equal)


def _verdict(equal: bool) -> str:
    return "equal:algebra" if equal else "different:algebra"


def _is(one: Tree, other: Tree) -> bool:
    return compare(one, other).startswith("equal")


# --- whole answers -----------------------------------------------------------------------------------


def _name_of(tree: Tree) -> Tree | None:
    """What an equation gives a value to: x, x_1, f(x), AB, (x, y)."""
    if tree[0] != "=":
        return None
    left: Tree = tree[1][0]
    if left[0] == "variable" or (
        left[0] in ("*", "bracket") and all(part[0] == "variable" for part in left[-1])
    ):
        return left
    return None


class _Contradiction(Exception):
    """A chain of numbers that says of two different ones that they are equal."""


def _value_of(tree: Tree) -> Tree:
    """An answer without the name it is given to, and a chain of equal numbers as its last one.

    A list that gives values to different names becomes ("named", names, values).
    """
    if tree[0] == "list":
        names = [_name_of(part) for part in tree[1]]
        values = tuple(_value_of(part) for part in tree[1])
        if len({name for name in names if name}) < 2:
            return "list", values
        if None in names or len(set(names)) < len(names):
            raise Unsettled("undecided")
        return "named", tuple(names), values
    if tree[0] != "=":
        return tree
    sides = tree[1][1:] if _name_of(tree) else tree[1]
    for left, right in itertools.pairwise(sides):
        if variables(left, right) or {left[0], right[0]} & _MANY:
            raise Unsettled("unsupported:relation")
        if not _is(left, right) and not _written_short(left, right):
            raise _Contradiction
    value: Tree = sides[-1]
    return value


def _same_by_name(one: Tree, other: Tree) -> bool:
    ours, theirs = (dict(zip(*tree[1:], strict=True)) for tree in (one, other))
    return ours.keys() == theirs.keys() and all(_is(ours[name], theirs[name]) for name in ours)


def _same_in_order(one: tuple[Tree, ...], other: tuple[Tree, ...]) -> bool:
    return len(one) == len(other) and all(map(_is, one, other))


def _same_in_any_order(one: tuple[Tree, ...], other: tuple[Tree, ...]) -> bool:
    if len(one) > _MOST_PARTS or len(other) > _MOST_PARTS:
        raise Unsettled("refused")
    left = list(other)
    for part in one:
        match = next((index for index, rest in enumerate(left) if _is(part, rest)), None)
        if match is None:
            return False
        del left[match]
    return not left


# --- single values -----------------------------------------------------------------------------------


def _scalars(one: Tree, other: Tree) -> str:
    if one == other:
        return "equal:algebra"
    if INFINITE in (one, other) or MINUS_INFINITE in (one, other):
        return "different:algebra"
    logs = [any(part[0] == "log" and part[1] is None for part in walk(tree)) for tree in (one, other)]
    if logs[0] != logs[1]:
        raise Unsettled("unsupported:log")  # of which base?
    try:
        return _formulas(one, other) if variables(one, other) else _numbers(one, other)
    except Undefined:
        raise Unsettled("undecided") from None


def _numbers(one: Tree, other: Tree) -> str:
    at = Evaluator(DIGITS[1], {})
    first, second = at(one), at(other)
    if _shown_by(one, second) or _shown_by(other, first):
        return "equal:rounded"
    return _verdict(_agree(one, other, {}))


def _shown_by(decimal: Tree, exact: Value) -> bool:
    """Whether `decimal` is a numeral that shows enough figures of a value without end."""
    fraction = exact_fraction(exact)
    if fraction is None or (exact is fraction and terminates(fraction)):
        return False
    figures, value, step = _numeral(decimal)
    return figures >= LEAST_FIGURES and shows(value, step, fraction)


def _numeral(tree: Tree) -> tuple[int, Fraction, Fraction | None]:
    """Figures, value and last place of a numeral with a sign; no figures for any other tree."""
    sign, leaf = (-1, tree[1]) if tree[0] == "-" else (1, tree)
    return (leaf[2], sign * leaf[1], leaf[3]) if leaf[0] == "number" else (0, Fraction(0), None)


def _written_short(one: Tree, other: Tree) -> bool:
    """Whether a side of a chain is the other with few decimals: `100/3 = 33.33` contradicts nothing."""
    at = Evaluator(DIGITS[1], {})
    for decimal, exact in ((one, exact_fraction(at(other))), (other, exact_fraction(at(one)))):
        _, value, step = _numeral(decimal)
        if exact is not None and shows(value, step, exact):
            return True
    return False


def _agree(one: Tree, other: Tree, values: Mapping[str, Fraction]) -> bool:
    """Whether two numbers are equal. Raises Undefined, and Unsettled when 200 digits do not tell."""
    before, close_before = 0, False
    for position, digits in enumerate(DIGITS):
        at = Evaluator(digits, values)
        first, second = at(one), at(other)
        if isinstance(first, Fraction) and isinstance(second, Fraction):
            return first == second
        # A long fraction inside may tell the two apart only behind as many digits as it has.
        at = Evaluator(digits + at.height // 3, values)
        gap, size = at.gap(one, other)
        close = gap <= size - _BITS * (digits - 15)
        if position:
            if (close and close_before) or gap <= before - 35 * _BITS:  # or it melts: both are the same zero
                return True
            if not close and abs(gap - before) <= 1:
                return False
        before, close_before = gap, close
    raise Unsettled("undecided")


# --- formulas with variables -------------------------------------------------------------------------


def _formulas(one: Tree, other: Tree) -> str:
    """Points with positive values decide; where other points contradict them, nothing is decided."""
    names = variables(one, other)
    found = {kind: _agreements(one, other, _points(names, kind)) for kind in ("positive", "any", "whole")}
    if not found["positive"]:
        raise Unsettled("undecided")
    if not all(found["positive"]):
        # (-1)^n and cos(n pi) agree where they are meant to: at whole numbers.
        if len(found["whole"]) > 1 and all(found["whole"]):
            raise Unsettled("undecided")
        return "different:algebra"
    if not all(found["any"]):
        raise Unsettled("undecided")
    (point, *_) = _points(names, "positive")
    at = Evaluator(DIGITS[0], point)
    if all(isinstance(at(tree), Fraction) for tree in (one, other)) or proves_equal(one, other):
        return "equal:algebra"
    raise Unsettled("undecided")


def _agreements(one: Tree, other: Tree, points: Iterable[Mapping[str, Fraction]]) -> list[bool]:
    """Whether the two agree at each point where both have a value, up to the first where they differ."""
    found: list[bool] = []
    for point in points:
        try:
            found.append(_agree(one, other, point))
        except Undefined:
            continue
        if not found[-1]:
            break
    return found


def _points(names: list[str], kind: str) -> Iterator[Mapping[str, Fraction]]:
    """Fixed points of 20 bits a value: between 0.1 and 10, of either sign, or whole numbers from 2 to 9."""
    source = random.Random(f"{kind} 1")
    for _ in range(_POINTS):
        if kind == "whole":
            yield {name: Fraction(source.randint(2, 9)) for name in names}
        else:
            signs = (1,) if kind == "positive" else (1, -1)
            yield {
                name: source.choice(signs)
                * Fraction(source.randint(10**5, 10**6), source.randint(10**5, 10**6))
                for name in names
            }
