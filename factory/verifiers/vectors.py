r"""Vectors written with the unit vectors i, j and k, as the tuple of their components.

Guarantees: `components` says something only of sums of multiples of unit vectors, each term with exactly
one; a plain `3i` alone stays a complex number. Left out: vectors in other letters, and lines in space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from factory.verifiers.trees import ONE, Tree, number, walk

_MARKS: Final = ("hat", "vec", "widehat", "overrightarrow")
_AXES: Final[dict[Tree, int]] = {
    ("constant", "i"): 0, ("variable", "j"): 1, ("variable", "k"): 2,
    **{("variable", f"{mark}.{letter}"): axis for mark in _MARKS for axis, letter in enumerate("ijk")},
}  # fmt: skip
_COMPLEX: Final[Tree] = ("constant", "i")
_SINGLE: Final = frozenset(("+", "-", "*", "variable", "constant"))


def is_marked(tree: Tree) -> bool:
    """Whether a unit vector stands in a formula with a hat or an arrow."""
    return any(part in _AXES and "." in part[1] for part in walk(tree))


def components(tree: Tree, size: int) -> tuple[Tree, ...] | None:
    """The `size` components of a sum of multiples of unit vectors; None of what is no certain vector."""
    axes = {part for part in walk(tree) if part in _AXES}
    if axes <= {_COMPLEX} or max(map(_AXES.__getitem__, axes)) >= size:
        return None
    read = _read(tree)
    return None if read is None else tuple(read.get(axis, number("0")) for axis in range(size))


def _read(tree: Tree) -> dict[int, Tree] | None:
    """The multiples of the axes in a sum; None where a term has none, or several."""
    if tree in _AXES:
        return {_AXES[tree]: ONE}
    if tree[0] == "-":
        return _times(_read(tree[1]), lambda part: ("-", part))
    if tree[0] == "+":
        return _added([_read(part) for part in tree[1]])
    if tree[0] == "*":
        held = [any(part in _AXES for part in walk(factor)) for factor in tree[1]]
        if sum(held) == 1:
            at = held.index(True)
            rest = tree[1][:at] + tree[1][at + 1 :]
            return _times(_read(tree[1][at]), lambda part: ("*", (*rest, part)))
    return None


def _times(read: dict[int, Tree] | None, change: Callable[[Tree], Tree]) -> dict[int, Tree] | None:
    return None if read is None else {axis: change(part) for axis, part in read.items()}


def _added(terms: list[dict[int, Tree] | None]) -> dict[int, Tree] | None:
    found: dict[int, tuple[Tree, ...]] = {}
    for term in terms:
        if term is None:
            return None
        for axis, part in term.items():
            found[axis] = (*found.get(axis, ()), part)
    return {axis: ("+", parts) for axis, parts in found.items()}


def aligned(one: Tree, other: Tree) -> tuple[Tree, Tree]:
    """Both, and a vector in i, j, k beside a tuple, a matrix of one row or column, or another, as that is."""
    if one[0] in _SINGLE and other[0] in _SINGLE:
        if not (is_marked(one) or is_marked(other)):
            return one, other
        first, second = components(one, 3), components(other, 3)
        if first is None or second is None:
            return one, other
        return ("bracket", "(", ")", first), ("bracket", "(", ")", second)
    if one[0] in _SINGLE:
        return _like(one, other), other
    return (one, _like(other, one)) if other[0] in _SINGLE else (one, other)


def _like(tree: Tree, other: Tree) -> Tree:
    if other[0] == "bracket" and other[1:3] == ("(", ")") and len(other[3]) in (2, 3):
        parts = components(tree, len(other[3]))
        return tree if parts is None else (*other[:3], parts)
    if other[0] == "matrix" and {len(other[1]), len(other[1][0])} in ({1, 2}, {1, 3}):
        parts = components(tree, max(len(other[1]), len(other[1][0])))
        if parts is not None:
            return "matrix", (parts,) if len(other[1]) == 1 else tuple((part,) for part in parts)
    return tree
