"""Matrices of formulas: sums, products, multiples and transposes, cell by cell.

Guarantees: sizes are bounded, and cells stay trees, so nothing is rounded. Left out: inverses and powers,
which are `unsupported:matrix`.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree

Rows = tuple[tuple[Tree, ...], ...]
MOST_CELLS: Final = 100
LARGEST_DETERMINANT: Final = 4


def rows_of(tree: Tree) -> Rows | None:
    """The rows of a matrix, or of brackets that write one: [[1, 2], [3, 4]]; [1, 2] is a row."""
    if tree[0] == "matrix":
        return tuple(tree[1])
    if tree[0] != "bracket" or tree[1:3] != ("[", "]"):
        return None
    if all(part[0] == "bracket" and part[1:3] == ("[", "]") for part in tree[3]):
        rows: Rows = tuple(part[3] for part in tree[3])
        return rows if len({len(row) for row in rows}) == 1 else None
    return (tuple(tree[3]),) if all(part[0] != "bracket" for part in tree[3]) else None


def determinant(rows: Rows) -> Tree:
    """The formula of a determinant, by its first row. Raises Unsettled above four rows."""
    if len(rows) != len(rows[0]) or len(rows) > LARGEST_DETERMINANT:
        raise Unsettled("unsupported:matrix")
    if len(rows) == 1:
        return rows[0][0]
    parts = []
    for column, cell in enumerate(rows[0]):
        minor = tuple(row[:column] + row[column + 1 :] for row in rows[1:])
        part: Tree = ("*", (cell, determinant(minor)))
        parts.append(("-", part) if column % 2 else part)
    return "+", tuple(parts)


def computed(tree: Tree) -> Tree:
    """A formula with matrices in it as one matrix. Raises Unsettled for what has no such value."""
    rows = _rows(tree)
    if rows is None:
        raise Unsettled("unsupported:matrix")
    if len(rows) * len(rows[0]) > MOST_CELLS:
        raise Unsettled("refused")
    return "matrix", rows


def _rows(tree: Tree) -> Rows | None:
    """The rows of a matrix, None for a number."""
    kind = tree[0]
    if kind == "matrix":
        return tuple(tree[1])
    if kind == "-":
        rows = _rows(tree[1])
        return rows and tuple(tuple(("-", cell) for cell in row) for row in rows)
    if kind == "+":
        return reduce(_added, map(_rows, tree[1]))
    if kind == "*":
        return _product(tree[1])
    if kind == "^" and (rows := _rows(tree[1])) is not None:
        if tree[2] != ("variable", "T"):
            raise Unsettled("unsupported:matrix")
        return tuple(zip(*rows, strict=True))
    return None


def _added(one: Rows | None, other: Rows | None) -> Rows | None:
    if one is None and other is None:
        return None
    if one is None or other is None or (len(one), len(one[0])) != (len(other), len(other[0])):
        raise Unsettled("unsupported:matrix")
    return tuple(
        tuple(("+", (a, b)) for a, b in zip(left, right, strict=True))
        for left, right in zip(one, other, strict=True)
    )


def _product(parts: tuple[Tree, ...]) -> Rows | None:
    factors: tuple[Tree, ...] = ()
    found: Rows | None = None
    for part in parts:
        rows = _rows(part)
        if rows is None:
            factors += (part,)
        else:
            found = rows if found is None else _multiplied(found, rows)
    if found is None or not factors:
        return found
    return tuple(tuple(("*", (*factors, cell)) for cell in row) for row in found)


def _multiplied(one: Rows, other: Rows) -> Rows:
    if len(one[0]) != len(other) or len(one) * len(other[0]) > MOST_CELLS:
        raise Unsettled("unsupported:matrix")
    columns = list(zip(*other, strict=True))
    return tuple(
        tuple(("+", tuple(("*", pair) for pair in zip(row, column, strict=True))) for column in columns)
        for row in one
    )
