"""The values of the sides of an equation, exactly, and how two of them agree.

Guarantees: fractions, never machine numbers; a value of more than MAX_BITS, a number of more than
MAX_DIGITS, an exponent beyond MAX_EXPONENT is refused before it is computed, so hostile powers cost
nothing. Left out: where an equation stands and whether it may be judged (`steps_reading.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

MAX_DIGITS: Final = 40
MAX_TOKENS: Final = 200
MAX_DEPTH: Final = 50
MAX_EXPONENT: Final = 64
MAX_BITS: Final = 8192
"""Of numerator and denominator together: nested powers grow without any large exponent."""

_FLOAT: Final = Fraction(1, 10**9)
"""Relative noise of machine numbers: a calculator writes `16.830000000000002` for 16.83."""


Value = int | Fraction


class Number(NamedTuple):
    """A number as written, with the decimals it shows; a percentage is its hundredth."""

    value: Value
    decimals: int
    percent: bool = False


Atom = Number | str
"""A number, one of + - * / ^, or a round bracket."""


class Unread(Exception):
    """The side has no value that can be computed; `kind` says why."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def number(text: str, *, percent: bool = False) -> Number:
    """The number that a token of digits, commas, blanks, a point and an exponent writes."""
    digits, _, exponent = text.replace(",", "").replace(" ", "").partition("e")
    whole, _, part = digits.partition(".")
    if len(whole) + len(part) > MAX_DIGITS or (exponent and abs(int(exponent)) > MAX_EXPONENT):
        raise Unread("too_large")
    decimals = len(part) + 2 * percent
    value: Value = int(whole + part)
    if decimals:
        value = Fraction(value, 10**decimals)
    if exponent:
        value *= Fraction(10) ** int(exponent)
        decimals = max(0, decimals - int(exponent))
    return Number(value, decimals, percent)


def value_of(atoms: Sequence[Atom]) -> Value:
    """The value of a whole expression. Raises Unread (unparsed, too_large, undefined)."""
    if len(atoms) == 1 and isinstance(atoms[0], Number):
        return atoms[0].value
    if len(atoms) > MAX_TOKENS:
        raise Unread("too_large")
    reader = _Reader(atoms)
    value = reader.sum(0)
    if reader.place != len(atoms):
        raise Unread("unparsed")
    return value


def shown(atoms: Sequence[Atom]) -> int | None:
    """Decimals shown by a side that is one number with or without a sign, else None."""
    last = atoms[-1]
    if isinstance(last, Number) and (len(atoms) == 1 or (len(atoms) == 2 and atoms[0] == "-")):
        return last.decimals
    return None


def agreement(left: Sequence[Atom], right: Sequence[Atom]) -> tuple[str, Value]:
    """How two sides agree, and the exact left value.

    exact, float, rounded (also truncated, to the decimals that a side of one number shows), percent (one
    is a hundred times the other), or wrong.
    """
    one, other = value_of(left), value_of(right)
    if one == other:
        return "exact", one
    gap = _size(one - other)
    whole = one.denominator == other.denominator == 1
    if not whole and gap <= _FLOAT * max(_size(one), _size(other)):
        return "float", one
    if _rounds(one, other, shown(right)) or _rounds(other, one, shown(left)):
        return "rounded", one
    if one * 100 == other or other * 100 == one or _rounds(one * 100, other, shown(right)):
        return "percent", one
    return "wrong", one


def _size(value: Value) -> Value:
    return -value if value < 0 else value


def _rounds(value: Value, written: Value, decimals: int | None) -> bool:
    if decimals is None or not written:
        return False
    gap = _size(value - written) * 10**decimals
    return gap * 2 <= 1 or (gap < 1 and _size(value) > _size(written))


def text_of(value: Value) -> str:
    """`7`, `2.5`, or `10/3` where the decimals have no end."""
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or not places:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


class _Reader:
    """Recursive descent over atoms; each method reads from `place` and leaves it behind what it read."""

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self.atoms = atoms
        self.place = 0

    def next(self) -> Atom | None:
        return self.atoms[self.place] if self.place < len(self.atoms) else None

    def sum(self, depth: int) -> Value:
        value = self.product(depth)
        while (sign := self.next()) in ("+", "-"):
            self.place += 1
            other = self.product(depth)
            value = _small(value + other if sign == "+" else value - other)
        return value

    def product(self, depth: int) -> Value:
        value = self.factor(depth)
        while (sign := self.next()) in ("*", "/"):
            self.place += 1
            other = self.factor(depth)
            if sign == "/" and not other:
                raise Unread("undefined")
            value = _small(value * other if sign == "*" else Fraction(value) / other)
        return value

    def factor(self, depth: int) -> Value:
        if self.next() == "-":
            self.place += 1
            return -self.factor(depth + 1)
        base = self.base(depth)
        if self.next() != "^":
            return base
        self.place += 1
        return _power(base, self.factor(depth + 1))

    def base(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise Unread("too_large")
        atom = self.next()
        self.place += 1
        if isinstance(atom, Number):
            return atom.value
        if atom != "(":
            raise Unread("unparsed")
        value = self.sum(depth + 1)
        if self.next() != ")":
            raise Unread("unparsed")
        self.place += 1
        return value


def _small(value: Value) -> Value:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise Unread("too_large")
    return value


def _power(base: Value, exponent: Value) -> Value:
    if exponent.denominator != 1:
        raise Unread("unparsed")  # a root, which has no exact value as a rule
    if not base and exponent <= 0:
        raise Unread("undefined")
    bits = base.numerator.bit_length() + base.denominator.bit_length()
    if _size(exponent) > MAX_EXPONENT or bits * _size(exponent) > MAX_BITS:
        raise Unread("too_large")
    return Fraction(base) ** int(exponent)
