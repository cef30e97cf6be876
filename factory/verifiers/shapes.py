"""One shape for answers that are written in several: names taken off, plus-minus written out.

Guarantees: the result says no more and no less than what was read. x = 5 is 5 under a name that is kept
only where it matters (two names, an equation of a curve); a chain of equal numbers is its last member, and
one of unequal numbers is a Contradiction. Left out: comparing (`algebra.py`).
"""

from __future__ import annotations

import itertools
from typing import Final

from factory.verifiers import matrices, scalars
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, substituted, variables, walk

_MANY: Final = frozenset(("bracket", "set", "list", "matrix", "ratio", "relation", "union", "meet", "reals"))


class Contradiction(Exception):
    """A chain of numbers that says of two different ones that they are equal."""


def shaped(tree: Tree) -> Tree:
    """An answer in its shape. Raises Unsettled and Contradiction."""
    parts = both_signs(tree)
    if len(parts) > 1:
        return _list(tuple(map(shaped, parts)))
    kind = tree[0]
    if kind == "list":
        return _named(tree[1]) or _list(tuple(map(shaped, tree[1])))
    if kind == "set":
        return "set", tuple(itertools.chain(*(_members(shaped(part)) for part in tree[1])))
    if kind == "bracket":
        return _named(tree[3]) or (*tree[:3], tuple(map(shaped, tree[3])))
    if kind == "=":
        return _equation(tree[1])
    if any(part[0] == "matrix" for part in walk(tree)) and kind not in ("union", "meet", "relation"):
        return matrices.computed(tree)
    return tree


def label_of(tree: Tree) -> Tree | None:
    """What an equation gives a value to: x, x_1, f(x), AB, |AB|, (x, y), AB/CD, A:B, the sine of A.

    Never minus a name: -x = 2 is an equation.
    """
    if tree[0] == "apply" or (tree[0] == "variable"):
        return tree
    if not variables(tree):
        return None
    rest = _without_inverses(tree)
    if any(part[0] in ("+", "-", "number", "constant") for part in walk(rest) if part[0] != "apply"):
        return None
    return tree


def _without_inverses(tree: Tree) -> Tree:
    """A quotient as a product, so that the -1 of an inverse does not count as a number."""
    return tuple(
        _without_inverses(part[1] if part[:1] == ("^",) and part[2][0] == "-" else part)
        if isinstance(part, tuple)
        else part
        for part in tree
    )


def both_signs(tree: Tree) -> tuple[Tree, ...]:
    """A tree with a plus-minus as two: the upper signs, then the lower."""
    signs = [part for part in walk(tree) if part[0] in ("pm", "mp")]
    if not signs:
        return (tree,)
    if tree[0] in ("list", "set"):
        return (tree,)  # its parts are written out one by one
    upper, lower = tree, tree
    for part in reversed(signs):  # the inner ones first
        plus, minus = part[1], ("-", part[1])
        upper = substituted(upper, part, plus if part[0] == "pm" else minus)
        lower = substituted(lower, part, minus if part[0] == "pm" else plus)
    if any(part[0] in ("pm", "mp") for part in itertools.chain(walk(upper), walk(lower))):
        raise Unsettled("undecided")  # one inside another
    return upper, lower


def _members(tree: Tree) -> tuple[Tree, ...]:
    return tuple(tree[1]) if tree[0] == "list" else (tree,)


def _list(parts: tuple[Tree, ...]) -> Tree:
    return "list", tuple(itertools.chain(*map(_members, parts)))


def _named(parts: tuple[Tree, ...]) -> Tree | None:
    """("named", names, values) for parts that give values to different names; None for all others."""
    names = [label_of(part[1][0]) if part[0] == "=" else None for part in parts]
    if len({name for name in names if name}) < 2:
        return None
    if None in names or len(set(names)) < len(names):
        raise Unsettled("undecided")
    if any(variables(part[1][-1]) for part in parts):
        return "named", tuple(names), tuple(("=", part[1]) for part in parts)
    return "named", tuple(names), tuple(shaped(("=", part[1])) for part in parts)


def _several_names(sides: tuple[Tree, ...]) -> Tree | None:
    """(x, y) = (1, 2) and x = y = 3 as names with their values; None for other equations."""
    name, value = sides[0], sides[-1]
    if name[0] == value[0] == "bracket" and len(sides) == 2:
        letters = {part for part in name[3] if part[0] == "variable"}
        if len(letters) == len(name[3]) == len(value[3]) and list(name[3]) != sorted(name[3]):
            return "named", name[3], tuple(map(shaped, value[3]))
    if len(sides) > 2 and not variables(value) and all(label_of(side) is not None for side in sides[:-1]):
        return "named", sides[:-1], (shaped(value),) * (len(sides) - 1)
    return None


def unrounded(tree: Tree) -> Tree:
    """A chain less a last member that is the one before it with few decimals (x = 1/3 = 0.33)."""
    if tree[0] != "=" or variables(*tree[1][-2:]) or {side[0] for side in tree[1][-2:]} & _MANY:
        return tree
    if not (scalars.endless(tree[1][-2]) and scalars.is_short_for(tree[1][-1], tree[1][-2])):
        return tree
    return tree[1][0] if len(tree[1]) == 2 else ("=", tree[1][:-1])


def _equation(sides: tuple[Tree, ...]) -> Tree:
    """The value of a named chain, the last of a chain of equal numbers, or an equation."""
    if len(sides) == 2 and label_of(sides[0]) is None and sides[1][0] == "variable":
        sides = sides[::-1]  # `12 = n`
    named = label_of(sides[0]) is not None
    rest = sides[1:] if named else sides
    if named and (several := _several_names(sides)):
        return several
    if len(rest) == 1 and variables(rest[0]):
        return "=", sides
    for left, right in itertools.pairwise(rest):
        if variables(left, right) or {left[0], right[0]} & _MANY:
            if named and len(rest) > 1:
                continue  # y = (x + 1)^2 = x^2 + 2x + 1: the last form stands
            return "=", sides
        if not scalars.equal(left, right) and not scalars.written_short(left, right):
            raise Contradiction
    return shaped(rest[-1]) if not variables(rest[-1]) else ("=", (sides[0], rest[-1]))
