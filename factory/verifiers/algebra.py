"""Layers 2 and 3: equality of answers of any shape, part by part.

Guarantees: both orders of the arguments get the same verdict. An answer is brought into one shape first
(names taken off, plus-minus written out, matrices computed), then lists, tuples, sets, matrices, ratios,
regions of numbers and equations are compared each by its own rule, down to single values (`scalars.py`).

Policies: an ordered pair is not a set; a plain list agrees with either; a list of one is its member; a
tuple agrees with a list in its order; a row is not a column; a ratio is known up to a factor, and one of
two parts agrees with the fraction; x = 5 agrees with 5, not with y = 5; (1, 2) agrees with 1 < x < 2; a
chain of unequal numbers (`6 = 5`) is not right. Left out: units (`math_answer.py`).
"""

from __future__ import annotations

import itertools
from typing import Final

from factory.verifiers import equations, integer_sets, matrices, regions, scalars, vectors
from factory.verifiers.scalars import verdict
from factory.verifiers.shapes import Contradiction, label_of, shaped, unrounded
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import Tree, canonical, inverse, substituted, variables

REGIONS: Final = frozenset(("relation", "union", "meet", "less", "reals"))
_MANY: Final = frozenset(("bracket", "set", "list", "named"))
_MOST_PARTS: Final = 30


class Comparison:
    """The rules under one policy: `order` written or ignored, `rounding` shown or exact."""

    def __init__(self, order: str = "written", rounding: str = "shown") -> None:
        self.order, self.rounding = order, rounding

    def compare(self, one: Tree, other: Tree) -> str:
        """equal:... or different:... for two answers. Raises Unsettled."""
        if one == other:
            return "equal:algebra"
        if _other_names(one, other):
            return "different:name"
        one, other = integer_sets.stated(one), integer_sets.stated(other)
        if (told := integer_sets.compare(one, other, self.compare)) is not None:
            return told
        try:
            told = self.shapes(_alone(shaped(one)), _alone(shaped(other)))
        except Contradiction:  # `71 + 83 = 164` is no value, and it is not right; nor is a set that holds it
            return "different:contradiction"
        if told.startswith("different") and (exact := (unrounded(one), unrounded(other))) != (one, other):
            return self.compare(*exact)
        return told

    def same(self, one: Tree, other: Tree) -> bool:
        """Whether two parts of answers are equal."""
        return one == other or self.shapes(shaped(one), shaped(other)).startswith("equal")

    def shapes(self, one: Tree, other: Tree) -> str:
        """The same for answers that are in shape."""
        one, other = vectors.aligned(one, other)
        if one == other:
            return "equal:algebra"
        kinds = {one[0], other[0]}
        for special, rule in (
            ("=", self._equations),
            ("mod", self._residues),
            ("matrix", self._matrices),
            ("ratio", self._ratios),
        ):
            if special in kinds:
                return rule(one, other)
        if kinds & REGIONS:
            return self._regions(one, other)
        if not kinds & _MANY:
            return scalars.compare(one, other, self.rounding)
        if not kinds <= _MANY:
            return "different:type"
        return self._collections(one, other)

    # --- lists, sets, tuples ---

    def _collections(self, one: Tree, other: Tree) -> str:
        kinds = {one[0], other[0]}
        if kinds == {"named"}:
            return verdict(self._by_name(one, other))
        if kinds <= {"list", "set"}:
            return verdict(self._any_order(_distinct(self, one), _distinct(self, other)))
        if kinds == {"bracket", "set"}:
            if self.order == "written":
                return "different:type"
            return verdict(self._any_order(one[-1], other[-1]))
        if "named" in kinds:
            return self._named_in_order(*((one, other) if one[0] == "named" else (other, one)))
        fences = {tree[1:3] for tree in (one, other) if tree[0] == "bracket"}
        if len(fences) > 1 or (len(kinds) > 1 and fences - {("(", ")")}):
            return "different:algebra"
        if self.order == "ignored" and fences == {("(", ")")}:
            return verdict(self._any_order(one[-1], other[-1]))
        return verdict(self._in_order(one[-1], other[-1]))

    def _by_name(self, one: Tree, other: Tree) -> bool:
        ours, theirs = (dict(zip(*tree[1:], strict=True)) for tree in (one, other))
        return ours.keys() == theirs.keys() and all(self.same(ours[name], theirs[name]) for name in ours)

    def _named_in_order(self, named: Tree, other: Tree) -> str:
        """x = 1, y = 2 against (1, 2), or 1, 2: in the order of the names, or of a list in that written."""
        if other[0] == "set" or (other[0] == "bracket" and other[1:3] != ("(", ")")):
            return "different:type"
        values = dict(zip(*named[1:], strict=True))
        in_order = tuple(values[name] for name in sorted(values, key=repr))
        if self._in_order(in_order, other[-1]) or (
            other[0] == "list" and self._in_order(named[2], other[-1])
        ):
            return "equal:algebra"
        if self._any_order(named[2], other[-1]):
            if other[0] == "list" and len({str(name[1])[:1] for name in named[1]}) == 1:
                return "equal:algebra"  # x_1 and x_2 are the roots, in any order
            raise Unsettled("undecided")  # in which order was it asked?
        return "different:algebra"

    def _in_order(self, one: tuple[Tree, ...], other: tuple[Tree, ...]) -> bool:
        return len(one) == len(other) and all(map(self.same, one, other))

    def _any_order(self, one: tuple[Tree, ...], other: tuple[Tree, ...]) -> bool:
        if len(one) > _MOST_PARTS or len(other) > _MOST_PARTS:
            raise Unsettled("refused")
        if len(one) != len(other):
            return False
        left = list(other)
        for part in one:
            match = next((index for index, rest in enumerate(left) if self.same(part, rest)), None)
            if match is None:
                return False
            del left[match]
        return True

    # --- other shapes ---

    def _regions(self, one: Tree, other: Tree) -> str:
        if not all(_may_be_region(tree) for tree in (one, other)):
            return "different:type"
        subjects = {subject for tree in (one, other) if (subject := regions.subject(tree))}
        if len(subjects) > 1:
            return "different:name"
        try:
            return verdict(regions.same(regions.region(one), regions.region(other), self.same))
        except Unsettled as error:
            if error.reason != "undecided":
                raise
        if one[0] == other[0] == "relation":
            return verdict(equations.same_relation(one, other))
        if one[0] == other[0] and one[0] in ("union", "meet") and self._any_order(one[1], other[1]):
            return "equal:algebra"
        raise Unsettled("undecided")

    def _matrices(self, one: Tree, other: Tree) -> str:
        first, second = matrices.rows_of(one), matrices.rows_of(other)
        if first is None or second is None:
            if {one[0], other[0]} == {"matrix", "bracket"}:
                raise Unsettled("undecided")  # is (1, 2) a row or a column?
            return "different:type"
        if len(first) != len(second) or len(first[0]) != len(second[0]):
            return "different:shape"
        cells = zip(itertools.chain(*first), itertools.chain(*second), strict=True)
        return verdict(all(self.same(a, b) for a, b in cells))

    def _ratios(self, one: Tree, other: Tree) -> str:
        first, second = (tree[1] if tree[0] == "ratio" else None for tree in (one, other))
        if first is None or second is None:
            parts, value = (first, other) if first is not None else (second, one)
            if parts is None or len(parts) != 2 or value[0] in _MANY | REGIONS:
                return "different:type"
            return scalars.compare(("*", (parts[0], inverse(parts[1]))), value, self.rounding)
        if len(first) != len(second):
            return "different:algebra"
        crossed = (
            scalars.equal(("*", (first[0], b)), ("*", (second[0], a)))
            for a, b in zip(first[1:], second[1:], strict=True)
        )
        return verdict(all(crossed))

    def _residues(self, one: Tree, other: Tree) -> str:
        if one[0] != other[0]:
            raise Unsettled("undecided")
        if not scalars.equal(one[2], other[2]):
            return "different:algebra"
        if ("none",) not in (one[3], other[3]) and canonical(one[3]) != canonical(other[3]):
            if one[3][0] == other[3][0] == "variable":
                return "different:name"
            raise Unsettled("undecided")  # of 2x or of x
        times = ("*", (("+", (one[1], ("-", other[1]))), inverse(one[2])))
        return verdict(scalars.is_whole(times))

    def _equations(self, one: Tree, other: Tree) -> str:
        if one[0] == other[0]:
            return self._two_equations(one[1], other[1])
        sides, rest = (one[1], other) if one[0] == "=" else (other[1], one)
        if label_of(sides[0]) is None or rest[0] in REGIONS:
            if rest[0] in _MANY | REGIONS:
                return "different:type"
            root = equations.root(sides) if not variables(rest) else None
            if root is None:
                raise Unsettled("undecided")
            return scalars.compare(root, rest, self.rounding)
        return self.shapes(shaped(sides[-1]), rest)

    def _two_equations(self, one: tuple[Tree, ...], other: tuple[Tree, ...]) -> str:
        if len(one) == len(other) == 2:
            names = [label_of(one[0]), label_of(other[0])]
            if None not in names:
                return self._named_values(one, _with_argument_of(one[0], other))
            return verdict(equations.same_equation(one, other))
        raise Unsettled("undecided")

    def _named_values(self, one: tuple[Tree, ...], other: tuple[Tree, ...]) -> str:
        if canonical(one[0]) == canonical(other[0]):
            return self.compare(one[1], other[1])
        kinds = {one[0][0], other[0][0]}
        if kinds == {"variable", "apply"} and self.same(one[1], other[1]):
            return "equal:algebra"  # y = x^2 and f(x) = x^2
        return verdict(equations.same_equation(one, other))


def _other_names(one: Tree, other: Tree) -> bool:
    """Whether both give a number to a name, and not to the same: x = 5 and y = 5, AB = 5 and BC = 5."""
    names = []
    for tree in (one, other):
        if tree[0] != "=" or len(tree[1]) != 2 or variables(tree[1][1]) or label_of(tree[1][0]) is None:
            return False
        names.append(tree[1][0])
    first, second = names
    if first[0] == second[0] == "variable":
        return bool(first[1].casefold() != second[1].casefold())
    if first[0] == second[0] == "apply" and first[1] == second[1]:
        arguments = [name[2][0] for name in names if len(name[2]) == 1]
        if len(arguments) == 2 and all(part[0] == "variable" for part in arguments):
            return False  # W(n) = 1 and W(x) = 1: the letter is free to choose
    if first[0] == second[0] == "bracket":
        return False
    return canonical(first) != canonical(second)


def _with_argument_of(name: Tree, equation: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """f(t) = 2t as f(x) = 2x: the letter in brackets is free to choose."""
    other = equation[0]
    if name[0] == other[0] == "apply" and name[1] == other[1] and len(name[2]) == len(other[2]) == 1:
        ours, theirs = name[2][0], other[2][0]
        if ours[0] == theirs[0] == "variable" and ours[1] not in variables(equation[1]):
            return tuple(substituted(side, theirs, ours) for side in equation)
    return equation


def _alone(tree: Tree) -> Tree:
    """The member of a list of one."""
    if tree[0] == "bracket" and len(tree[3]) == 1:
        inside: Tree = tree[3][0]
        return inside
    if tree[0] in ("list", "set") and tree[1] and tree[1][0][0] not in ("set", "bracket"):
        member: Tree = tree[1][0]
        if len(tree[1]) == 1 or (tree[0] == "set" and all(part == member for part in tree[1])):
            return member
    return tree


def _distinct(rules: Comparison, tree: Tree) -> tuple[Tree, ...]:
    """The parts of a set once each, and of a list of tuples; numbers in a list may be meant twice."""
    parts: tuple[Tree, ...] = tree[1]
    if tree[0] == "list" and not all(part[0] in _MANY for part in parts):
        return parts
    if len(parts) > _MOST_PARTS:
        raise Unsettled("refused")
    kept: list[Tree] = []
    for part in parts:
        if not any(rules.same(part, one) for one in kept):
            kept.append(part)
    return tuple(kept)


def _may_be_region(tree: Tree) -> bool:
    if tree[0] in REGIONS or tree[0] == "set":
        return True
    if tree[0] == "list":
        return all(_may_be_region(part) for part in tree[1])
    return bool(tree[0] == "bracket" and len(tree[3]) == 2)
