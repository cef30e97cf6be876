"""The shape of a formula that was read: nested tuples, each beginning with its kind.

("number", value, figures, step): an exact Fraction, its significant figures, and one unit of the last
decimal shown (None for an integer) · ("constant", "pi" | "e" | "i" | "infinity") · ("variable", name) ·
("+", parts) · ("*", parts) · ("^", base, exponent) · ("-", part) · ("!", part) · ("abs", part) ·
("call", function, part) · ("of", gcd | lcm | max | min | mod, parts) · ("root", degree, part) ·
("!!", part) · ("apply", name, parts) for f(x) · ("log", base or None, part) · ("binom", n, k) ·
("operator", name, below, above, part) for sums and limits. ("pm", part) and ("mp", part) stand for two
values. Whole answers may be more (`statements.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from factory.verifiers.spelling import Unsettled

Tree = tuple[Any, ...]

LONGEST_DIGITS: Final = 1000


def number(text: str) -> Tree:
    """The tree of a plain numeral without separators; refuses one of more than LONGEST_DIGITS digits."""
    text, _, power = text.lower().partition("e")
    if power:
        return _scaled(number(text), int(power))
    part = text.partition(".")[2]
    digits = text.replace(".", "")
    if not digits:
        raise Unsettled("unparsed")
    if len(digits) > LONGEST_DIGITS:
        raise Unsettled("refused")
    step = Fraction(1, 10 ** len(part)) if part else None
    return "number", Fraction(int(digits), 10 ** len(part)), len(digits.lstrip("0")), step


def _scaled(tree: Tree, power: int) -> Tree:
    """A numeral times a power of ten."""
    if abs(power) > LONGEST_DIGITS:
        raise Unsettled("refused")
    times = Fraction(10) ** power
    step = tree[3] * times if tree[3] is not None else None
    return "number", tree[1] * times, tree[2], step


ONE: Final = number("1")
HUNDREDTH: Final = ("number", Fraction(1, 100), 1, None)
DEGREE: Final = ("*", (("constant", "pi"), ("number", Fraction(1, 180), 1, None)))


def inverse(tree: Tree) -> Tree:
    return "^", tree, ("-", ONE)


def is_integer(tree: Tree) -> bool:
    """Whether the tree is a numeral without a decimal point."""
    return bool(tree[0] == "number" and tree[3] is None)


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and every tree inside it."""
    if tree and isinstance(tree[0], str):
        yield tree
    for part in tree:
        if isinstance(part, tuple):
            yield from walk(part)


def variables(*trees: Tree) -> list[str]:
    """The names of all variables, sorted."""
    return sorted({one[1] for tree in trees for one in walk(tree) if one[0] == "variable"})


def substituted(tree: Tree, old: Tree, new: Tree) -> Tree:
    """The tree with every part that is `old` made `new`."""
    if tree == old:
        return new
    return tuple(substituted(part, old, new) if isinstance(part, tuple) else part for part in tree)


def canonical(tree: Tree) -> Tree:
    """The tree with the parts of sums and products in one order."""
    parts = tuple(canonical(part) if isinstance(part, tuple) else part for part in tree)
    if parts and parts[0] in ("+", "*"):
        return parts[0], tuple(sorted(parts[1], key=repr))
    return parts
