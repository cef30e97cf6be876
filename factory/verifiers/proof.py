"""A proof by sympy that two formulas are the same function.

Guarantees: sympy gets trees and never text, so nothing is evaluated that was not read by our own grammar;
it is imported here alone, at the first call. Left out: a limit on its time, which is the pool's.
Variables are taken as positive; that the formulas agree elsewhere is for the caller to see.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, variables

LARGEST: Final = 150
"""Operations in the difference; simplifying more takes longer than a verdict may."""
LARGEST_POWER: Final = 12
"""sin(x)**50 is one operation and takes minutes to expand."""


def proves_equal(one: Tree, other: Tree) -> bool:
    """Whether sympy finds the difference of two trees to be zero; False says nothing."""
    import sympy

    difference = _expression(one) - _expression(other)
    if difference == 0:
        return True
    powers = (power.exp for power in difference.atoms(sympy.Pow) if power.exp.is_Rational)
    if sympy.count_ops(difference) > LARGEST or any(abs(power) > LARGEST_POWER for power in powers):
        return False
    return bool(sympy.expand(difference) == 0 or sympy.simplify(difference) == 0)


def same_zeros(one: Tree, other: Tree) -> bool | None:
    """Whether two formulas are zero at the same points, told by their numerators; None if they do not tell.

    Numerators that are polynomials are compared without repeated factors.
    """
    import sympy

    if any(_degree(tree) * len(variables(tree)) > LARGEST_POWER for tree in (one, other)):
        return None
    parts = []
    for tree in (one, other):
        expression = _expression(tree)
        if sympy.count_ops(expression) > LARGEST or not expression.free_symbols:
            return None
        numerator = sympy.fraction(sympy.together(expression))[0]
        if not numerator.is_polynomial(*expression.free_symbols):
            return None
        polynomial = sympy.Poly(numerator, *sorted(expression.free_symbols, key=lambda symbol: symbol.name))
        if polynomial.total_degree() > LARGEST_POWER or polynomial.is_ground:
            return None
        parts.append(polynomial.sqf_part().monic())
    return bool(parts[0] == parts[1])


def _degree(tree: Tree) -> int:
    """A bound of the degree of a formula as a quotient of polynomials."""
    kind = tree[0]
    if kind == "variable":
        return 1
    if kind == "^" and variables(tree[1]):
        exponent = tree[2][1] if tree[2][0] == "-" else tree[2]
        large = exponent[0] != "number" or exponent[1] > LARGEST_POWER
        return LARGEST_POWER + 1 if large else max(1, int(exponent[1])) * _degree(tree[1])
    inner = (
        [_degree(part) for part in tree[-1]]
        if kind in ("+", "*")
        else [
            _degree(part)
            for part in tree[1:]
            if isinstance(part, tuple) and part and isinstance(part[0], str)
        ]
    )
    return sum(inner) if kind == "*" else max(inner, default=0)


def _expression(tree: Tree) -> Any:
    """The sympy expression of a tree."""
    import sympy

    kind: str = tree[0]
    parts: tuple[Any, ...] = tree[1:]
    if kind == "number":
        return sympy.Rational(parts[0].numerator, parts[0].denominator)
    if kind == "constant":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}[parts[0]]
    if kind == "variable":
        return sympy.Symbol(parts[0], positive=True)
    if kind in ("+", "*"):
        return (sympy.Add if kind == "+" else sympy.Mul)(*map(_expression, parts[0]))
    if kind == "call":
        return getattr(sympy, _NAMES.get(parts[0], parts[0]))(_expression(parts[1]))
    if kind == "log" and parts[0] is None:
        parts = parts[1:]
    rule = _rules().get(kind)
    if rule is None:
        raise Unsettled("unparsed")
    return rule(*map(_expression, parts))


_NAMES: Final = {
    "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "conj": "conjugate", "ceil": "ceiling",
}  # fmt: skip


@functools.cache
def _rules() -> dict[str, Any]:
    import sympy

    return {
        "^": sympy.Pow,
        "-": lambda part: -part,
        "!": sympy.factorial,
        "abs": sympy.Abs,
        "root": lambda degree, part: sympy.Pow(part, 1 / degree),
        "log": lambda *parts: sympy.log(parts[-1]) / (sympy.log(parts[0]) if len(parts) > 1 else 1),
        "binom": sympy.binomial,
    }
