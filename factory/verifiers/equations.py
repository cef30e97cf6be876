"""Whether two equations, or two inequalities, in the same variables say the same.

Guarantees: they are the same when what they set to zero differs by a factor that is a number (a positive
one for inequalities), shown at points in exact fractions or proved by sympy; two equations that are
polynomials, or become ones when multiplied out, are told apart by sympy. All else is `undecided`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from factory.verifiers import proof, regions, scalars
from factory.verifiers.evaluation import Evaluator, Undefined
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, inverse, number, variables

_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}


def same_equation(one: tuple[Tree, ...], other: tuple[Tree, ...]) -> bool:
    """Whether left = right and left = right hold at the same points."""
    first, second = _difference(*one), _difference(*other)
    if variables(first) != variables(second):
        return False
    if _factor(first, second) is not None:
        return True
    told = proof.same_zeros(first, second)
    if told is None:
        raise Unsettled("undecided")
    return told


def root(sides: tuple[Tree, ...]) -> Tree | None:
    """The number that solves an equation of two sides that is linear in its one variable."""
    difference = _difference(*sides[:2])
    names = variables(difference)
    line = regions.line(difference, names[0]) if len(names) == 1 and len(sides) == 2 else None
    if line is None or scalars.equal(line[0], number("0")):
        return None
    return "*", (("-", line[1]), inverse(line[0]))


def same_relation(one: Tree, other: Tree) -> bool:
    """Whether two inequalities of two sides are the same up to a factor."""
    if len(one[1]) != 2 or len(other[1]) != 2:
        raise Unsettled("undecided")
    (first_sign,), (second_sign,) = one[2], other[2]
    first, second = _difference(*one[1]), _difference(*other[1])
    if variables(first) != variables(second):
        return False
    factor = _factor(first, second)
    if factor is None:
        raise Unsettled("undecided")
    return bool(first_sign == (second_sign if factor > 0 else _FLIPPED.get(second_sign)))


def _difference(left: Tree, right: Tree) -> Tree:
    return "+", (left, ("-", right))


def _factor(one: Tree, other: Tree) -> Fraction | None:
    """The rational number that `one` is times `other`, None if there is none that can be shown."""
    for point in scalars.points(variables(one, other), "any"):
        try:
            at = Evaluator(50, point)
            first, second = at(one), at(other)
        except Undefined:
            continue
        if not (isinstance(first, Fraction) and isinstance(second, Fraction)):
            return _irrational_factor(one, other)
        if first and second:
            factor = first / second
            times: Tree = ("*", (("number", factor, 0, None), other))
            return factor if scalars.equal(one, times) else None
    return None


def _irrational_factor(one: Tree, other: Tree) -> Fraction | None:
    for factor in (1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)):
        times: Tree = ("*", (("number", Fraction(factor), 0, None), other))
        try:
            if scalars.equal(one, times):
                return Fraction(factor)
        except Unsettled:
            continue
    return None
