"""The verifier `arithmetic`: are the equations that a solution writes true?

Guarantees: every equation sign of the text, and every calculator annotation <<a+b=c>>, has one mark: right,
wrong, or unchecked where what is written cannot be judged for certain. Values are exact fractions; nothing
is evaluated as a program; time is linear. A step whose arithmetic is right may still be the wrong step: on
GSM8K most wrong solutions have no wrong equation, so a `pass` says little and a `fail` much.

Left out: whether the numbers come from the problem, and whether the last result is the answer.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from factory.recipe import ArithmeticOptions
from factory.records import Status, canonical_json
from factory.verifiers import steps_operands, steps_reading, steps_tokens, steps_units
from factory.verifiers.base import Check, Item
from factory.verifiers.steps_reading import Equation, Side
from factory.verifiers.steps_values import (
    Atom,
    Number,
    Unread,
    Value,
    agreement,
    number,
    shown,
    text_of,
    value_of,
)

NAME: Final = "arithmetic"
VERSION: Final = "1"

MAX_MARKS: Final = 200
"""Marks that the detail of a verdict holds; the counts are of all."""

_ANNOTATION: Final = re.compile(r"<<([^<>\n]*)>>")
_AFTER: Final = re.compile(
    r"[ $€£]*(-?)[$€£]?((?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?!\w)"
)
_CONTINUES: Final = re.compile(r" *(?:[-+*/×÷^½¼¾:,.]?[0-9]|[-+*/×÷^½¼¾(]|[xX]\b)")
_SIGN: Final = re.compile(r"[=≈≅≃]|<<|\\approx")
_VERB: Final = re.compile(r"[0-9%)][A-Za-z ]*\b(?:is|equals|makes|gives) +[$€£.0-9]")
_OPERATION: Final = re.compile(r"[-+*/×·÷−–]|\b(?:of|times|plus|minus|[xX])\b")
_REMAINDER: Final = re.compile(r"\b(?:remainder|remaining|remain|left|leftovers?|R ?[0-9])\b")
_LESS: Final = re.compile(
    r"\b(?:less|fewer|lower|short|shorter|younger|below|under|behind|cheaper|slower|difference)\b"
)
_LOOKED_AT: Final = 40
"""Characters behind an equation in which the word for a remainder or for less is looked for."""


class Mark(NamedTuple):
    """What was found out about one equation; `start` and `end` are offsets in the text, `line` is from 1.

    `source` is annotation or text, `outcome` right, wrong or unchecked, `kind` the rule that decided:
    exact, float, rounded; wrong, after_annotation; percent, units, remainder, direction, approximate, words,
    algebra, incomplete, label, undefined, too_large, unparsed. `found`: the exact left value of a wrong one.
    """

    start: int
    end: int
    line: int
    source: str
    outcome: str
    kind: str
    written: str
    found: str | None


def check(item: Item, options: ArithmeticOptions) -> Check:
    """fail when an equation is wrong, pass when one was judged and none is wrong, else `on_missing`."""
    found = marks(item.completion, options.read)
    counts = Counter(mark.outcome for mark in found)
    detail = canonical_json(
        {outcome: counts[outcome] for outcome in ("right", "wrong", "unchecked")}
        | {"marks": [[m.start, m.end, m.source, m.outcome, m.kind] for m in found[:MAX_MARKS]]}
    )
    wrong = next((mark for mark in found if mark.outcome == "wrong"), None)
    if wrong is not None:
        return Check(Status.FAIL, f"wrong:{counts['wrong']}", wrong.written, wrong.source, detail)
    if counts["right"]:
        return Check(Status.PASS, f"right:{counts['right']}", detail=detail)
    return Check(Status(options.on_missing), "nothing_to_check", detail=detail)


def by_line(text: str) -> list[str]:
    """For each line right, wrong, unchecked, or none where it has no equation; one wrong makes it wrong."""
    outcomes: list[set[str]] = [set() for _ in text.split("\n")]
    for mark in marks(text):
        outcomes[mark.line - 1].add(mark.outcome)
    order = ("wrong", "right", "unchecked")
    return [next((name for name in order if name in found), "none") for found in outcomes]


def marks(text: str, read: str = "both") -> list[Mark]:
    """The marks of a text by their start; `read` is annotations, text, or both.

    A mark of the text encloses the annotations within its equation; marks of one source overlap only in
    the side that two equations of a chain share.
    """
    found: list[Mark] = []
    offset = 0
    for index, line in enumerate(text.split("\n"), start=1):
        if _SIGN.search(line) or (_VERB.search(line) and _OPERATION.search(line)):
            found += _of_line(line, offset, index, read)
        offset += len(line) + 1
    return found


class _Judgement(NamedTuple):
    """Where something was judged in a line, and what was found: the last fields of a Mark."""

    start: int
    end: int
    source: str
    outcome: str
    kind: str
    found: str | None = None


def _of_line(line: str, offset: int, index: int, read: str) -> list[Mark]:
    """The marks of one line, which begins at `offset` and has the number `index`."""
    found: list[_Judgement] = []
    annotated = "<<" in line
    if annotated and read != "text":
        for match in _ANNOTATION.finditer(line):
            found += _annotation(line, match)
    if read != "annotations":
        plain = _ANNOTATION.sub(lambda match: " " * len(match[0]), line) if annotated else line
        for equation in steps_reading.equations(steps_tokens.tokens(plain)):
            found += _equation(plain, equation)
    found.sort(key=lambda one: (one.start, -one.end))
    return [
        Mark(
            offset + one.start,
            offset + one.end,
            index,
            one.source,
            one.outcome,
            one.kind,
            line[one.start : one.end],
            one.found,
        )
        for one in found
    ]


def _annotation(line: str, match: re.Match[str]) -> Iterator[_Judgement]:
    """The mark of an annotation, and that of the number behind it when it is another one."""
    sides = steps_operands.annotation(steps_tokens.tokens(match[1]))
    if sides is None:
        yield _Judgement(match.start(), match.end(), "annotation", "unchecked", "unparsed")
        return
    outcome, kind, value = _weakest([_compared(a, b) for a, b in itertools.pairwise(sides)])
    yield _Judgement(match.start(), match.end(), "annotation", outcome, kind, value)
    after = _AFTER.match(line, match.end())
    if after is None or _CONTINUES.match(line, after.end()):
        return
    try:
        kind, inside = agreement(sides[-1], [number(after[2])] if not after[1] else ["-", number(after[2])])
    except Unread:
        return
    less = not after[1] and _says_less(line, after.end(), inside, number(after[2]).value)
    if kind == "wrong" and not less:
        start = after.start(1 if after[1] else 2)
        yield _Judgement(start, after.end(), "annotation", "wrong", "after_annotation", text_of(inside))


_OUTCOMES: Final = {"exact": "right", "float": "right", "rounded": "right", "wrong": "wrong"}


def _compared(left: list[Atom], right: list[Atom]) -> tuple[str, str, str | None]:
    """Outcome and kind of two sides, and the exact left value where they differ."""
    try:
        kind, value = agreement(left, right)
    except Unread as error:
        return "unchecked", error.kind, None
    outcome = _OUTCOMES.get(kind, "unchecked")
    return outcome, kind, text_of(value) if outcome == "wrong" else None


def _weakest(pairs: list[tuple[str, str, str | None]]) -> tuple[str, str, str | None]:
    """What is said of a chain as a whole: a wrong pair makes it wrong, one unchecked leaves it unchecked."""
    order = ("exact", "float", "rounded")
    outcomes = ("right", "unchecked", "wrong")
    return max(pairs, key=lambda pair: (outcomes.index(pair[0]), pair[1] in order and order.index(pair[1])))


def _equation(line: str, equation: Equation) -> Iterator[_Judgement]:
    """The mark of an equation of the text; none for a verb that states no bare number."""
    left, right, sign, chained = equation
    if sign.kind == "verb" and (shown(right.atoms) is None or right.taint):
        return
    start = left.start if left.start >= 0 else sign.start
    end = max(right.end, sign.end)
    reason = left.taint or right.taint
    if not reason and not (left.atoms and right.atoms):
        reason = "incomplete"
    if not reason and not chained and shown(left.atoms) is not None:
        reason = "label"  # `Week 4 = 48+48`
    if reason:
        yield _Judgement(start, end, "text", "unchecked", reason)
        return
    outcome, kind, value = _compared(left.atoms, right.atoms)
    if outcome == "wrong" and (excuse := _excuse(line, equation)):
        outcome, kind, value = "unchecked", excuse, None
    yield _Judgement(start, end, "text", outcome, kind, value)


def _is_part_of_a_thing(side: Side) -> bool:
    """Whether the side names a thing by a proper fraction and a noun, as in `1/2 a cup = 4`."""
    above, below = side.atoms[0], side.atoms[-1]
    proper = len(side.atoms) == 3 and side.atoms[1] == "/" and any(word.isalpha() for word in side.units)
    return proper and isinstance(above, Number) and isinstance(below, Number) and above.value < below.value


def _has_percent(atoms: list[Atom]) -> bool:
    return any(isinstance(atom, Number) and atom.percent for atom in atoms)


def _adds_percent(atoms: list[Atom]) -> bool:
    """Whether a percentage is added or taken away as in `$100 - 20%`, which calculators read as of 100."""
    return any(
        sign in ("+", "-") and isinstance(atom, Number) and atom.percent and behind not in ("*", "/")
        for sign, atom, behind in zip(atoms, atoms[1:], [*atoms[2:], ""], strict=False)
    )


def _excuse(line: str, equation: Equation) -> str:
    """Why two sides that differ may yet be meant as equal, or nothing."""
    left, right, sign, _ = equation
    end = right.end
    if left.doubt or right.doubt:
        return left.doubt or right.doubt
    if sign.kind == "approximates":
        return "approximate"
    summed = "+" in left.atoms or "-" in left.atoms
    if steps_units.change(left.units, right.units, summed=summed) or _is_part_of_a_thing(left):
        return "units"
    if summed and not _has_percent(right.atoms) and _adds_percent(left.atoms):
        return "percent"
    if "/" in left.atoms and _REMAINDER.search(line, end, end + _LOOKED_AT):
        return "remainder"
    if _says_less(line, end, value_of(left.atoms), value_of(right.atoms)):
        return "direction"
    return ""


def _says_less(line: str, end: int, value: Value, written: Value) -> bool:
    """Whether a number without its minus is one of less: `87 - 100 = 13 fewer`."""
    return value == -written and _LESS.search(line, end, end + _LOOKED_AT) is not None
