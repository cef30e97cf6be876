r"""Sets of integers: ranges (3 \le n \le 7, n \in Z) and classes (x = 7k + 3, k \in Z; x \equiv 3 \pmod 7).

Guarantees: ranges are the same when they hold the same integers, classes when their unions do, in whatever
representatives, moduli and parameters; a class may be of reals (`x = \pi/4 + k\pi`). Ends and moduli are
compared exactly. Left out: parameters that are not all integers, several parameters, systems of congruences,
and whether integers were meant where only one side says so: `undecided`, or `unsupported:set`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final, NamedTuple

from factory.verifiers import regions, scalars
from factory.verifiers.evaluation import Evaluator, Undefined, Value, exact_fraction
from factory.verifiers.shapes import both_signs, label_of
from factory.verifiers.spelling import Unsettled
from factory.verifiers.trees import ONE, Tree, inverse, number, variables, walk

SAID: Final = frozenset(("in", "integers"))
"""Kinds that say of something that it is an integer."""
KINDS: Final = frozenset(("whole", "classes"))
_PARAMETERS: Final = frozenset("jklmnqrstz")
_USUAL: Final = frozenset("kmn")
MOST_MEMBERS: Final = 30
MOST_CLASSES: Final = 60
LARGEST_DENOMINATOR: Final = 60
_NEAR: Final = Fraction(1, 10**20)


class Class(NamedTuple):
    """The numbers offset + k * modulus for all integers k."""

    offset: Tree
    modulus: Tree


def stated(tree: Tree) -> Tree:
    """An answer that says which numbers are integers as ("whole", region) or ("classes", name, classes)."""
    if not any(part[0] in SAID for part in walk(tree)):
        return tree
    if tree[0] == "integers" or (tree[0] == "in" and tree[1][0] == "variable"):
        return "whole", (regions.REALS,)
    parts = tree[1] if tree[0] == "list" else ()
    said = [part[1] for part in parts if part[0] == "in"]
    rest = tuple(part for part in parts if part[0] != "in")
    if (
        len(said) != 1
        or said[0][0] != "variable"
        or not rest
        or any(p[0] in SAID for p in walk(("list", rest)))
    ):
        raise Unsettled("unsupported:set")
    if all(part[0] == "relation" for part in rest):
        if variables(*rest) != [said[0][1]]:
            raise Unsettled("unsupported:set")
        return "whole", regions.region(rest[0] if len(rest) == 1 else ("list", rest))
    found = _classes(rest, said[0][1])
    if found is None:
        raise Unsettled("unsupported:set")
    return found


def compare(one: Tree, other: Tree, shapes: Callable[[Tree, Tree], str]) -> str | None:
    """The word on two answers, at least one of them in KINDS or a congruence; None for two of other kinds."""
    if {one[0], other[0]} & KINDS and (one[0] == "whole" or other[0] == "whole"):
        return _ranges(one, other, shapes)
    if not ({one[0], other[0]} & KINDS or _congruent(one) or _congruent(other) or _renamed(one, other)):
        return None
    first, second = _as_classes(one), _as_classes(other)
    if first is None or second is None:
        rest = other if second is None else one
        if "classes" in (one[0], other[0]) and rest[0] in ("number", "set", "bracket", "matrix"):
            return "different:type"
        if "classes" in (one[0], other[0]):
            raise Unsettled("undecided")
        return None
    names = {tree[1] for tree in (first, second) if tree[1] is not None}
    if len(names) > 1:
        return "different:name"
    same = _same_union(first[2], second[2])
    if same and (_is_formula(one) or _is_formula(other)) and not _same_formulas(first[2], second[2]):
        raise Unsettled("undecided")  # 4k + 3 may have been asked for in terms of k
    return scalars.verdict(same)


# --- ranges ------------------------------------------------------------------------------------------


def _ranges(one: Tree, other: Tree, shapes: Callable[[Tree, Tree], str]) -> str:
    if one[0] == other[0]:
        return scalars.verdict(_closed(one[1]) == _closed(other[1]))
    whole, rest = (one, other) if one[0] == "whole" else (other, one)
    ranges = _closed(whole[1])
    finite = all(low is not None and high is not None for low, high in ranges)
    if rest[0] == "classes":
        if finite:
            return "different:type"
        if ranges != [(None, None)]:
            raise Unsettled("undecided")
        return scalars.verdict(_same_union(rest[2], (Class(number("0"), ONE),)))
    if rest[0] in (("set", "list", "number", "reals") if not finite else ("reals",)):
        return "different:type"
    if rest[0] not in ("set", "list", "number"):
        raise Unsettled("undecided")
    members = tuple(number(str(n)) if n >= 0 else ("-", number(str(-n))) for n in _members(ranges))
    found = ("set", members)
    return shapes(found, rest) if one is whole else shapes(rest, found)


def _closed(region: regions.Region) -> list[tuple[int | None, int | None]]:
    """The integers of a region as ranges with both ends in them, those that touch put together."""
    ranges: list[tuple[int | None, int | None]] = []
    for piece in region:
        low = None if piece.low is None else _end(piece.low, piece.low_in, up=True)
        high = None if piece.high is None else _end(piece.high, piece.high_in, up=False)
        if low is not None and high is not None and low > high:
            continue
        if ranges and low is not None and (before := ranges[-1][1]) is not None and low <= before + 1:
            low = ranges.pop()[0]
        ranges.append((low, high))
    return ranges


def _end(end: Tree, inside: bool, *, up: bool) -> int:
    """The first integer of a piece from an end of it."""
    try:
        value = exact_fraction(Evaluator(scalars.DIGITS[1], {})(end))
    except Undefined:
        raise Unsettled("undecided") from None
    if value is None:
        raise Unsettled("undecided")
    if value.denominator == 1 and not inside:
        return int(value) + (1 if up else -1)
    return math.ceil(value) if up else math.floor(value)


def _members(ranges: list[tuple[int | None, int | None]]) -> list[int]:
    found: list[int] = []
    for low, high in ranges:
        assert low is not None
        assert high is not None
        if high - low >= MOST_MEMBERS:
            raise Unsettled("refused")
        found += range(low, high + 1)
    return found


# --- classes -----------------------------------------------------------------------------------------


def _congruent(tree: Tree) -> bool:
    """Whether an answer is a congruence, or several of one modulus."""
    parts = tree[1] if tree[0] == "list" else (tree,)
    return all(part[0] == "mod" for part in parts) and len({part[2] for part in parts}) == 1


def _renamed(one: Tree, other: Tree) -> bool:
    r"""Whether both are solutions with periods of \pi (`x = k\pi`), and only one says k where one says n."""
    letters = [set(variables(tree)) & _USUAL for tree in (one, other)]
    periodic = all(tree[0] in ("=", "list") and ("constant", "pi") in walk(tree) for tree in (one, other))
    if not (periodic and letters[0] != letters[1] and all(letters)):
        return False
    if any(name.isupper() for name in variables(one, other)):
        raise Unsettled("undecided")  # an area or an angle
    return True


def _is_formula(tree: Tree) -> bool:
    """Whether a class was only written as a formula in a letter."""
    return tree[0] not in (*KINDS, "=", "list", "mod")


def _same_formulas(one: tuple[Class, ...], other: tuple[Class, ...]) -> bool:
    return len(one) == len(other) and all(
        scalars.equal(a, b) for pair in zip(one, other, strict=True) for a, b in zip(*pair, strict=True)
    )


def _as_classes(tree: Tree) -> Tree | None:
    """An answer as ("classes", name or None, classes); None of what is certainly none, or may be another."""
    if tree[0] == "classes":
        return tree
    parts = tree[1] if tree[0] == "list" else (tree,)
    if _congruent(tree):
        subjects = {part[3] for part in parts if part[3] != ("none",)}
        if len(subjects) > 1 or any(subject[0] != "variable" for subject in subjects):
            return None
        if any(variables(part[1], part[2]) for part in parts):
            return None
        name = subjects.pop()[1] if subjects else None
        return "classes", name, tuple(Class(sign, part[2]) for part in parts for sign in both_signs(part[1]))
    letters = set(variables(*(part[1][-1] if part[0] == "=" else part for part in parts)))
    if len(letters) != 1 or not letters <= _PARAMETERS:
        return None
    return _classes(parts, letters.pop())


def _classes(parts: tuple[Tree, ...], parameter: str) -> Tree | None:
    """Values of one name, or of none, that are linear in a parameter."""
    names: set[str | None] = set()
    found: list[Class] = []
    for part in parts:
        values = part
        if part[0] == "=":
            if len(part[1]) != 2 or part[1][0][0] != "variable" or label_of(part[1][0]) is None:
                return None
            names.add(part[1][0][1])
            values = part[1][1]
        for value in both_signs(values):
            line = regions.line(value, parameter) if variables(value) == [parameter] else None
            if line is None:
                return None
            found.append(Class(line[1], line[0]))
    if len(names) > 1 or parameter in names:
        return None
    return "classes", names.pop() if names else None, tuple(found)


def _same_union(one: tuple[Class, ...], other: tuple[Class, ...]) -> bool:
    """Whether two unions of classes hold the same numbers: all are split to one common modulus."""
    unit = one[0].modulus
    ratios = [_ratio(part.modulus, unit) for part in (*one, *other)]
    if any(ratio == 0 for ratio in ratios):
        raise Unsettled("undecided")
    if len(one) == len(other) == 1 and ratios[1] not in (1, -1):
        return False
    if None in ratios:
        raise Unsettled("undecided")
    sizes = [abs(ratio) for ratio in ratios if ratio is not None]
    common = Fraction(math.lcm(*(s.numerator for s in sizes)), math.gcd(*(s.denominator for s in sizes)))
    modulus: Tree = ("*", (_numeral(common), unit))
    first = _split(one, sizes[: len(one)], common)
    second = _split(other, sizes[len(one) :], common)
    return _within(first, second, modulus) and _within(second, first, modulus)


def _split(classes: tuple[Class, ...], sizes: list[Fraction], common: Fraction) -> list[Tree]:
    """The offsets of the same numbers under a multiple of every modulus."""
    if sum(common / size for size in sizes) > MOST_CLASSES:
        raise Unsettled("refused")
    return [
        ("+", (part.offset, ("*", (number(str(step)), part.modulus))))
        for part, size in zip(classes, sizes, strict=True)
        for step in range(int(common / size))
    ]


def _within(offsets: list[Tree], others: list[Tree], modulus: Tree) -> bool:
    """Whether each offset is one of the others but for a multiple; only pairs that are near are compared."""
    ours, theirs = ([_quotient(part, modulus) for part in parts] for parts in (offsets, others))
    return all(
        any(
            _are_near(x, y) and _is_multiple(("+", (a, ("-", b))), modulus)
            for b, y in zip(others, theirs, strict=True)
        )
        for a, x in zip(offsets, ours, strict=True)
    )


def _are_near(one: Value, other: Value) -> bool:
    """Whether two numbers may be an integer apart."""
    left, right = exact_fraction(one), exact_fraction(other)
    if left is None or right is None:
        return True
    gap = left - right
    return abs(gap - round(gap)) <= _NEAR * max(Fraction(1), abs(left))


def _is_multiple(difference: Tree, modulus: Tree) -> bool:
    ratio = _ratio(difference, modulus)
    return ratio is not None and ratio.denominator == 1


def _ratio(one: Tree, other: Tree) -> Fraction | None:
    """one / other where that is a simple fraction, None where it is none."""
    value = _quotient(one, other)
    if isinstance(value, Fraction):
        return value
    near = exact_fraction(value)
    if near is None:
        return None
    simple = near.limit_denominator(LARGEST_DENOMINATOR)
    return simple if scalars.equal(one, ("*", (_numeral(simple), other))) else None


def _quotient(one: Tree, other: Tree) -> Value:
    try:
        return Evaluator(scalars.DIGITS[0], {})(("*", (one, inverse(other))))
    except Undefined:
        raise Unsettled("undecided") from None


def _numeral(value: Fraction) -> Tree:
    return "number", value, 0, None
