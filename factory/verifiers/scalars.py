"""Equality and order of single values: by exact values where there are any, by a proof where there are none.

Guarantees: both orders of the arguments get the same verdict (but for decimals, which may be shorter in a
reference: `exact.py`). Numbers without an exact value are compared
at 50 and 100 digits (and at 200 when these do not settle it); zero is recognised by a difference that
melts as the digits grow. Formulas with variables are unequal when they differ at a point; they are equal
when they agree, as exact fractions, at every point tried (chance of an error below 1e-20 for the sizes
that are read), or else when sympy simplifies their difference to zero. What none of this settles is
`undecided`. sympy is imported for that last step only and is given trees, never text.

Left out: answers of several parts (`algebra.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from factory.verifiers.evaluation import NO_MAGNITUDE, Evaluator, Undefined, Value, exact_fraction
from factory.verifiers.exact import LEAST_FIGURES, LEAST_REFERENCE_FIGURES, shows, terminates
from factory.verifiers.proof import proves_equal
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, canonical, substituted, variables, walk

DIGITS: Final = (50, 100, 200)
INFINITE: Final[Tree] = ("constant", "infinity")
INFINITIES: Final[tuple[Tree, ...]] = (INFINITE, ("-", INFINITE))
_BITS: Final = 3.33
"""Bits of a decimal digit."""
LARGEST_HEIGHT: Final = 4000
"""Bits of a fraction beside which a number without an exact value is still computed."""
_POINTS: Final = 6


def verdict(is_equal: bool) -> str:
    return "equal:algebra" if is_equal else "different:algebra"


def equal(one: Tree, other: Tree) -> bool:
    return compare(one, other).startswith("equal")


def is_whole(tree: Tree) -> bool:
    """Whether a number is an integer."""
    if variables(tree):
        raise Unsettled("undecided")
    try:
        value = Evaluator(DIGITS[0], {})(tree)
    except Undefined:
        raise Unsettled("undecided") from None
    if not isinstance(value, Fraction):
        raise Unsettled("undecided")
    return value.denominator == 1


def endless(tree: Tree) -> bool:
    """Whether a single number has no end as a decimal; False for what is no number."""
    try:
        value = None if variables(tree) else Evaluator(DIGITS[0], {})(tree)
    except Undefined:
        return False
    return value is not None and not (isinstance(value, Fraction) and terminates(value))


def order(one: Tree, other: Tree) -> int:
    """-1, 0 or 1. Raises Unsettled for what has no order."""
    if variables(one, other):
        raise Unsettled("undecided")
    try:
        first, second = (Evaluator(DIGITS[1], {})(tree) for tree in (one, other))
        left, right = exact_fraction(first), exact_fraction(second)
        if left is None or right is None:
            raise Unsettled("undecided")
        if (first is not left or second is not right) and _agree(one, other, {}):
            return 0
    except Undefined:
        raise Unsettled("undecided") from None
    return (left > right) - (left < right)


def compare(one: Tree, other: Tree, rounding: str = "shown") -> str:
    """equal:... or different:... for an answer and a reference that are single values. Raises Unsettled."""
    if one == other:
        return "equal:algebra"
    if any(part[0] == "operator" for tree in (one, other) for part in walk(tree)):
        if canonical(one) == canonical(other):
            return "equal:algebra"
        raise Unsettled("unsupported:operator")
    if one in INFINITIES or other in INFINITIES:
        return "different:algebra"
    logs = [any(part[0] == "log" and part[1] is None for part in walk(tree)) for tree in (one, other)]
    if logs[0] != logs[1]:
        raise Unsettled("unsupported:log")  # of which base?
    one, other = _with_applications_named(one), _with_applications_named(other)
    if one == other:
        return "equal:algebra"
    try:
        return _formulas(one, other) if variables(one, other) else _numbers(one, other, rounding)
    except Undefined:
        raise Unsettled("undecided") from None


def _with_applications_named(tree: Tree) -> Tree:
    """f(x), of which nothing is known, as a variable of that name."""
    for part in list(walk(tree)):
        if part[0] == "apply":
            tree = substituted(tree, part, ("variable", f"{part[1]}({canonical(part[2])!r})"))
    return tree


def _numbers(one: Tree, other: Tree, rounding: str) -> str:
    at = Evaluator(DIGITS[1], {})
    first, second = at(one), at(other)
    if rounding == "shown" and (
        _shown_by(one, second, LEAST_FIGURES) or _shown_by(other, first, LEAST_REFERENCE_FIGURES)
    ):
        return "equal:rounded"
    return verdict(_agree(one, other, {}))


def _shown_by(decimal: Tree, exact: Value, least: int) -> bool:
    """Whether `decimal` is a numeral that shows enough figures of a value without end."""
    fraction = exact_fraction(exact)
    if fraction is None or (exact is fraction and terminates(fraction)):
        return False
    figures, value, step = _numeral(decimal)
    return figures >= least and shows(value, step, fraction)


def _numeral(tree: Tree) -> tuple[int, Fraction, Fraction | None]:
    """Figures, value and last place of a numeral with a sign; no figures for any other tree."""
    sign, leaf = (-1, tree[1]) if tree[0] == "-" else (1, tree)
    return (leaf[2], sign * leaf[1], leaf[3]) if leaf[0] == "number" else (0, Fraction(0), None)


def written_short(one: Tree, other: Tree) -> bool:
    """Whether a side of a chain is the other with few decimals: `100/3 = 33.33` contradicts nothing."""
    return is_short_for(one, other) or is_short_for(other, one)


def is_short_for(decimal: Tree, tree: Tree) -> bool:
    """Whether a decimal is another number rounded, or cut, at its last place."""
    _, value, step = _numeral(decimal)
    exact = exact_fraction(Evaluator(DIGITS[1], {})(tree)) if step is not None else None
    return exact is not None and shows(value, step, exact)


def _agree(one: Tree, other: Tree, values: Mapping[str, Fraction]) -> bool:
    """Whether two numbers are equal. Raises Undefined, and Unsettled when 200 digits do not tell."""
    before, close_before = 0, False
    for position, digits in enumerate(DIGITS):
        at = Evaluator(digits, values)
        first, second = at(one), at(other)
        if isinstance(first, Fraction) and isinstance(second, Fraction):
            return first == second
        # A long fraction inside may tell the two apart only behind as many digits as it has.
        if at.height > LARGEST_HEIGHT:
            raise Unsettled("refused")  # a gamma function of so many digits takes seconds
        at = Evaluator(digits + at.height // 3, values)
        gap, size = at.gap(one, other)
        close = gap <= max(size - _BITS * (digits - 15), NO_MAGNITUDE)  # or no gap at all
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
    if any(
        part[0] == "call" and part[1] in ("floor", "ceil") for tree in (one, other) for part in walk(tree)
    ):
        if canonical(one) == canonical(other):
            return "equal:algebra"
        raise Unsettled("undecided")  # points are too few to see steps
    found = {kind: _agreements(one, other, points(names, kind)) for kind in ("positive", "any", "whole")}
    if not found["positive"]:
        raise Unsettled("undecided")
    if not all(found["positive"]):
        # (-1)^n and cos(n pi) agree where they are meant to: at whole numbers.
        if len(found["whole"]) > 1 and all(found["whole"]):
            raise Unsettled("undecided")
        return "different:algebra"
    if not all(found["any"]):
        raise Unsettled("undecided")
    (point, *_) = points(names, "positive")
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


def points(names: list[str], kind: str) -> Iterator[Mapping[str, Fraction]]:
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
