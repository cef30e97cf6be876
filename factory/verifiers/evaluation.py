"""The value of a tree: an exact fraction as long as it is one, else a number of as many digits as asked.

Guarantees: bounded work. Powers, factorials and binomials are refused by the size of their evaluated
arguments before they are computed; no value is ever made a machine float or printed. Real odd roots of
negative numbers are real; every other function is on its principal branch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any, Final

from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree

LARGEST_EXPONENT: Final = 10_000
LARGEST_BITS: Final = 200_000
LARGEST_ARGUMENT: Final = 10**30
"""Of a transcendental function: reducing a larger one costs digits without end."""

Value = Any
"""A Fraction, or mpmath's mpf or mpc."""


NO_MAGNITUDE: Final = -(10**9)


@functools.lru_cache(maxsize=16)
def _context(digits: int) -> Any:
    """mpmath at a precision, apart from its global one."""
    import mpmath

    context = mpmath.mp.clone()
    context.dps = digits
    return context


def exact_fraction(value: Value) -> Fraction | None:
    """A value as a fraction: itself, or the binary fraction that a real number of mpmath is."""
    if isinstance(value, Fraction):
        return value
    if not hasattr(value, "_mpf_"):
        return None
    sign, mantissa, exponent, _ = value._mpf_
    fraction: Fraction = Fraction(-int(mantissa) if sign else int(mantissa))
    return fraction * (1 << int(exponent)) if exponent >= 0 else fraction / (1 << -int(exponent))


class Undefined(Exception):
    """The expression has no value here: a division by zero, a logarithm of zero."""


class Evaluator:
    """Evaluates trees at one precision; `height` is the size in bits of the largest fraction met."""

    def __init__(self, digits: int, values: Mapping[str, Fraction]) -> None:
        self.mp = _context(digits)
        self.values = values
        self.height = 0

    def gap(self, one: Tree, other: Tree) -> tuple[int, int]:
        """Binary magnitudes of the difference of two values and of the larger of them."""
        first, second = self.real(self(one)), self.real(self(other))
        larger = max(self.magnitude(first), self.magnitude(second))
        return self.magnitude(first - second), larger

    def magnitude(self, value: Value) -> int:
        return int(self.mp.mag(value)) if value else NO_MAGNITUDE

    def real(self, value: Value) -> Value:
        """A value as mpmath's number."""
        if isinstance(value, Fraction):
            return self.mp.mpf(value.numerator) / self.mp.mpf(value.denominator)
        return value

    def __call__(self, tree: Tree) -> Value:
        """The value of `tree`. Raises Unsettled("refused") or Undefined."""
        kind = tree[0]
        try:
            if kind == "number":
                return self.fraction(tree[1])
            if kind == "variable":
                return self.values[tree[1]]
            rule = _RULES.get(kind)
            if rule is None:
                raise Unsettled("unparsed")
            return self.fraction(rule(self, *tree[1:]))
        except (ZeroDivisionError, ValueError) as error:
            raise Undefined from error

    def fraction(self, value: Value) -> Value:
        """`value`, after its size is noted and found bearable."""
        if isinstance(value, Fraction):
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            if bits > LARGEST_BITS:
                raise Unsettled("refused")
            self.height = max(self.height, bits)
        elif not self.mp.isfinite(value):
            raise Undefined
        return value

    def small(self, value: Value, limit: int) -> Value:
        """`value`, refused when its size is above `limit`."""
        size = abs(value) if isinstance(value, Fraction) else self.mp.fabs(value)
        if size > limit:
            raise Unsettled("refused")
        return value


def _constant(at: Evaluator, name: str) -> Value:
    if name == "infinity":
        raise Unsettled("unsupported:infinity")
    return {"pi": +at.mp.pi, "e": +at.mp.e, "i": at.mp.mpc(0, 1)}[name]


def _joined(join: Callable[[Value, Value], Value]) -> Callable[[Evaluator, tuple[Tree, ...]], Value]:
    def rule(at: Evaluator, parts: tuple[Tree, ...]) -> Value:
        def step(left: Value, right: Value) -> Value:
            if isinstance(left, Fraction) and isinstance(right, Fraction):
                return at.fraction(join(left, right))
            return join(at.real(left), at.real(right))

        return reduce(step, map(at, parts))

    return rule


def _power(at: Evaluator, base: Tree, exponent: Tree) -> Value:
    power = at.small(at(exponent), LARGEST_EXPONENT)
    value = at(base)
    if not isinstance(value, Fraction):
        return at.mp.power(value, at.real(power))
    if not isinstance(power, Fraction):
        if value == 0:
            raise Undefined
        return at.mp.power(at.real(value), power)
    if power.denominator == 1:
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits > 1 and bits * abs(power) > LARGEST_BITS:
            raise Unsettled("refused")
        return value ** int(power)
    if power.denominator == 2:
        return _sqrt(at, value) ** int(power.numerator)
    if value < 0 and power.denominator % 2:  # as the root of odd order is: (-8)^(1/3) is -2
        size = at.mp.power(at.real(-value), at.real(power))
        return -size if power.numerator % 2 else size
    return at.mp.power(at.real(value), at.real(power))


def _sqrt(at: Evaluator, value: Fraction) -> Value:
    """Exact where it is a fraction."""
    if value >= 0:
        top, low = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if top * top == value.numerator and low * low == value.denominator:
            return Fraction(top, low)
    return at.mp.sqrt(at.real(value))


def _root(at: Evaluator, degree: Tree, part: Tree) -> Value:
    order, value = at(degree), at(part)
    if not isinstance(order, Fraction) or order.denominator != 1 or not 1 < order <= LARGEST_EXPONENT:
        raise Unsettled("unsupported:root")
    if order == 2 and isinstance(value, Fraction):
        return _sqrt(at, value)
    number = at.real(value)
    if order % 2 and isinstance(number, at.mp.mpf) and number < 0:
        return -at.mp.root(-number, int(order))
    return at.mp.root(number, int(order))


def _factorial(at: Evaluator, part: Tree) -> Value:
    value = at.small(at(part), LARGEST_EXPONENT)
    if isinstance(value, Fraction) and value.denominator == 1:
        if value < 0:
            raise Undefined
        return Fraction(math.factorial(int(value)))
    return at.mp.gamma(at.real(value) + 1)


def _double_factorial(at: Evaluator, part: Tree) -> Value:
    value = at.small(at(part), LARGEST_EXPONENT)
    if not isinstance(value, Fraction) or value.denominator != 1 or value < 0:
        raise Undefined
    return Fraction(math.prod(range(int(value), 0, -2)))


def _binomial(at: Evaluator, upper: Tree, lower: Tree) -> Value:
    top, low = at(upper), at.small(at(lower), LARGEST_EXPONENT)
    if all(isinstance(value, Fraction) and value.denominator == 1 and value >= 0 for value in (top, low)):
        if int(low) * top.numerator.bit_length() > LARGEST_BITS:
            raise Unsettled("refused")
        return Fraction(math.comb(int(top), int(low)))
    return at.mp.binomial(at.real(at.small(top, LARGEST_EXPONENT)), at.real(low))


def _call(at: Evaluator, function: str, part: Tree) -> Value:
    inner = at.small(at(part), LARGEST_ARGUMENT)
    if function in ("floor", "ceil"):
        if not isinstance(inner, Fraction):
            raise Unsettled("undecided")
        return Fraction(getattr(math, function)(inner))
    if function == "conj":
        return inner if isinstance(inner, Fraction) else at.mp.conj(inner)
    value = at.real(inner)
    if function == "exp":
        at.small(value, LARGEST_EXPONENT)
    names = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    return getattr(at.mp, names.get(function, function))(value)


def _remainder(at: Evaluator, part: Tree, modulus: Tree) -> Value:
    """Of integers; of a power without computing it."""
    base = at(modulus)
    power = part[0] == "^"
    values = [at(one) for one in (part[1:] if power else (part,))]
    if any(not isinstance(one, Fraction) or one.denominator != 1 for one in (base, *values)) or base <= 0:
        raise Unsettled("undecided")
    if power and values[1] < 0:
        raise Undefined
    first = int(values[0])
    return Fraction(pow(first, int(values[1]), int(base)) if power else first % int(base))


def _of(at: Evaluator, name: str, parts: tuple[Tree, ...]) -> Value:
    """The gcd, lcm, max or min of integers (of any numbers, for the last two)."""
    if name == "mod":
        return _remainder(at, *parts)
    values = [at(part) for part in parts]
    if not all(isinstance(value, Fraction) for value in values):
        raise Unsettled("undecided")
    if name in ("max", "min"):
        return max(values) if name == "max" else min(values)
    if any(value.denominator != 1 for value in values):
        raise Undefined
    return Fraction(getattr(math, name)(*map(int, values)))


def _log(at: Evaluator, base: Tree | None, part: Tree) -> Value:
    value = at.mp.log(at.real(at(part)))
    return value if base is None else value / at.mp.log(at.real(at(base)))


_RULES: Final[Mapping[str, Callable[..., Value]]] = {
    "constant": _constant,
    "+": _joined(lambda left, right: left + right),
    "*": _joined(lambda left, right: left * right),
    "-": lambda at, part: -at(part),
    "abs": lambda at, part: abs(at(part)),
    "^": _power,
    "root": _root,
    "!": _factorial,
    "!!": _double_factorial,
    "binom": _binomial,
    "call": _call,
    "log": _log,
    "of": _of,
}
