"""The shape of a formula that was read: nested tuples, each beginning with its kind.

("number", value, figures, step): an exact Fraction, its significant figures, and one unit of the last
decimal shown (None for an integer) · ("constant", "pi" | "e" | "i" | "infinity") · ("variable", name) ·
("+", parts) · ("*", parts) · ("^", base, exponent) · ("-", part) · ("!", part) · ("abs", part) ·
("call", function, part) · ("root", degree, part) · ("log", base or None, part) · ("binom", n, k).
Whole answers may also be ("bracket", open, close, parts) for a tuple or an interval, ("set", parts),
("list", parts) and ("=", sides).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from factory.verifiers.spelling import Unsettled

Tree = tuple[Any, ...]

LONGEST_DIGITS: Final = 1000
STRUCTURES: Final = ("bracket", "set", "list", "=")


def number(text: str) -> Tree:
    """The tree of a plain numeral without separators; refuses one of more than LONGEST_DIGITS digits."""
    part = text.partition(".")[2]
    digits = text.replace(".", "")
    if len(digits) > LONGEST_DIGITS:
        raise Unsettled("refused")
    step = Fraction(1, 10 ** len(part)) if part else None
    return "number", Fraction(int(digits), 10 ** len(part)), len(digits.lstrip("0")), step


ONE: Final = number("1")


def inverse(tree: Tree) -> Tree:
    return "^", tree, ("-", ONE)


def is_integer(tree: Tree) -> bool:
    """Whether the tree is a numeral without a decimal point."""
    return bool(tree[0] == "number" and tree[3] is None)


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and every tree inside it."""
    yield tree
    for part in tree[1:]:
        if isinstance(part, tuple) and part:
            if isinstance(part[0], tuple):
                for one in part:
                    yield from walk(one)
            elif isinstance(part[0], str):
                yield from walk(part)


def variables(*trees: Tree) -> list[str]:
    """The names of all variables, sorted."""
    return sorted({one[1] for tree in trees for one in walk(tree) if one[0] == "variable"})
