"""Whether two cleaned answers are the same answer: the layers, in their order.

Guarantees: equal text is equal; plain numbers are compared as exact fractions (`exact.py`); number words,
base-n numerals, choices, dates and times have readers of their own; all else goes to own structure and
algebra (`algebra.py`). Both argument orders get the same reason. What is not settled is raised, so a cache
never holds it. Left out: finding the answer in a completion (`extraction.py`), limits (`pool.py`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Final, TypeVar

from factory.recipe import MathOptions
from factory.verifiers import bases, choices, clock, exact, phrasing, statements, units, words
from factory.verifiers.spelling import Unsettled, is_words, key
from factory.verifiers.trees import DEGREE, Tree, walk

T = TypeVar("T")

_COMMA: Final = re.compile(r"[-+]?[0-9]+,[0-9]+")
_PHRASES: Final = {
    "all real numbers": r"\mathbb{R}",
    "all reals": r"\mathbb{R}",
    "the real numbers": r"\mathbb{R}",
    "no solution": r"\emptyset",
    "no solutions": r"\emptyset",
    "no real solutions": r"\emptyset",
    "no real solution": r"\emptyset",
    "empty set": r"\emptyset",
    "the empty set": r"\emptyset",
    "infinity": r"\infty",
    "positive infinity": r"\infty",
    "negative infinity": r"-\infty",
}
_LONGEST_PHRASE: Final = max(map(len, _PHRASES))

reference_quantity = functools.lru_cache(maxsize=10_000)(exact.quantity)  # one for many samples


@functools.lru_cache(maxsize=50_000)
def decided(answer: str, reference: str, options: MathOptions) -> str:
    """equal:... or different:... for two cleaned texts. Raises Unsettled."""
    one, other = key(answer), key(reference)
    if one == other:
        return "equal:text"
    phrases = phrasing.read(_bare(answer)), phrasing.read(_bare(reference))
    if phrases[0].rounded != phrases[1].rounded:
        return _rounded(*phrases, options)
    phrasing.agree(*phrases)
    answer, reference = (phrase.text for phrase in phrases)
    if (letters := choices.compare(*(_IN_TEXT.sub(r"\1", text) for text in (answer, reference)))) is not None:
        return letters
    first, second = _both(lambda: exact.quantity(answer), lambda: reference_quantity(reference))
    if (first is None) != (second is None):
        first, second = _beside(answer, reference, first, second)
    elif first is None and (both := _both_letter_units(answer, reference)):
        first, second = both
    if first and second and (verdict := exact.compare(first, second, options)):
        return verdict
    if first is None or second is None:
        answer, reference = words.words_to_digits(answer), words.words_to_digits(reference)
        first, second = _both(lambda: _spoken(answer, first), lambda: _spoken(reference, second))
        if first and second and (verdict := exact.compare(first, second, options)):
            return verdict
    for kind in (bases.compare, _moments):
        if (verdict := kind(answer, reference, first, second)) is not None:
            return verdict
    if (verdict := phrasing.by_one_word(answer, reference)) is not None:
        return verdict
    if is_words(one) and is_words(other) and not _same_letters(one, other):
        return "different:text"
    if _TELEPHONE.fullmatch(answer) or _TELEPHONE.fullmatch(reference):
        raise Unsettled("unparsed")
    if (first is None) != (second is None) and (verdict := _spaced(answer, reference)):
        return verdict
    if (first or second) and any(
        _COMMA.fullmatch(text) and read is None for text, read in ((answer, first), (reference, second))
    ):
        raise Unsettled("unsupported:comma")  # `1,5` may be two numbers, or 1.5
    return _by_structure(answer, reference, first, second, options)


def _rounded(one: phrasing.Phrase, other: phrasing.Phrase, options: MathOptions) -> str:
    r"""The word on `\approx 1.73205` and a value that is not said to be rounded, which must have no end."""
    verdict = decided(one.text, other.text, options)
    if verdict == "equal:rounded":
        return verdict
    exactly = other if one.rounded else one
    quantity = exact.quantity(exactly.text)
    if quantity is not None:
        without_end = quantity.value is not None and not exact.terminates(quantity.value)
    else:
        without_end = _is_endless(exactly.text)
    if verdict.startswith("equal") or not without_end:
        raise Unsettled("unsupported:approx")
    return verdict


def _is_endless(text: str) -> bool:
    from factory.verifiers import scalars  # as `algebra` below

    tree = statements.parse(units.split_unit(text)[0])
    return scalars.endless(tree[1][-1] if tree[0] == "=" else tree)


_TELEPHONE: Final = re.compile(r"[0-9]{3}-[0-9]{4}")


def _same_letters(one: str, other: str) -> bool:
    """Whether both may be products of the same letters."""
    return len(one) == len(other) <= 3 and sorted(one) == sorted(other)


_SPACED: Final = re.compile(r"([-+]?[0-9]{1,3}(?: [0-9]{3})+(?:\\.[0-9]+)?)")


def _spaced(answer: str, reference: str) -> str | None:
    """`1 000` is 1000 when the other side says so; alone it may be two numbers."""
    for one, other in ((answer, reference), (reference, answer)):
        if _SPACED.fullmatch(one) and one.replace(" ", "") == other.replace(",", ""):
            return "equal:spaced"
    return None


_IN_TEXT: Final = re.compile(r"\\text ?\{([^{}\\]*)\}")


def _bare(cleaned: str) -> str:
    r"""`\text{seven}` as seven, and a phrase as the sign it stands for."""
    wrapped = _IN_TEXT.fullmatch(cleaned)
    text = wrapped[1].strip() if wrapped else cleaned
    return _PHRASES.get(text.casefold(), text) if len(text) <= _LONGEST_PHRASE else text


def _both(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """Both sides read; of two refusals the same one is raised, whichever side it is on."""
    try:
        one = first()
    except Unsettled as error:
        try:
            second()
        except Unsettled as other:
            raise min(error, other, key=lambda refusal: refusal.reason) from None
        raise
    return one, second()


_LETTER_UNIT: Final = re.compile(r"[-+$]?[0-9][0-9.,]* ?(?P<unit>[mgshlL](?P<power>\^.{1,6})?)")


def _both_letter_units(answer: str, reference: str) -> tuple[exact.Quantity, exact.Quantity] | None:
    """`2000 L` and `2 m^3`: each letter is a unit beside the other."""
    one, other = _LETTER_UNIT.fullmatch(answer), _LETTER_UNIT.fullmatch(reference)
    if one is None or other is None or one["unit"] == other["unit"]:
        return None
    first, second = exact.quantity(answer, other["unit"]), exact.quantity(reference, one["unit"])
    return (first, second) if first and second else None


def _beside(
    answer: str, reference: str, one: exact.Quantity | None, other: exact.Quantity | None
) -> tuple[exact.Quantity | None, exact.Quantity | None]:
    """Both quantities, the one that was not read with a letter as its unit, if the other allows that."""
    read, text = (one, reference) if one else (other, answer)
    assert read is not None
    unit = read.unit
    if not unit and (letter := _LETTER_UNIT.fullmatch(text)):
        if not letter["power"]:
            raise Unsettled("unsupported:units")  # `5m` may be metres, or 5 times m
        unit = letter["unit"]
    again = exact.quantity(text, unit) if unit else None
    return (one, again) if one else (again, other)


_AMOUNTS: Final = re.compile(r"(\$?[0-9.,]+ ?[A-Za-z]+\.?)(?:,? and |, ?| )([0-9.]+ ?[A-Za-z¢]+\.?)")
LONGEST_AMOUNTS: Final = 60


def _spoken(text: str, quantity: exact.Quantity | None) -> exact.Quantity | None:
    """A quantity in number words."""
    if quantity is not None:
        return quantity
    if (value := words.number_in_words(text)) is not None:
        return exact.plain(value)
    return exact.quantity(text) or _sum_of_amounts(text)


def _sum_of_amounts(text: str) -> exact.Quantity | None:
    """`3 dollars and 50 cents`, `5 feet 10 inches`: a larger unit, then a smaller one."""
    match = _AMOUNTS.fullmatch(text) if len(text) <= LONGEST_AMOUNTS else None
    if match is None:
        return None
    one, other = exact.quantity(match[1]), exact.quantity(match[2])
    if one is None or other is None or one.value is None or other.value is None:
        return None
    if not (one.unit and other.unit) or one.unit == other.unit or units.dimension(one.unit) is None:
        return None
    rest = units.convert(other.value, other.unit, one.unit)
    if rest is None or not 0 <= rest < 1:
        return None
    return replace(one, digits=None, value=one.value + rest, step=None)


def _moments(
    answer: str, reference: str, one: exact.Quantity | None, other: exact.Quantity | None
) -> str | None:
    """The word on dates, times of day and durations."""
    if one and other:
        return None
    first, second = (clock.moment(_IN_TEXT.sub(r"\1", text)) for text in (answer, reference))
    if (
        first is None
        or second is None
        or (first[0] == second[0] == "time_or_ratio" and ":0" not in answer + reference)
    ):
        return None
    return "equal:clock" if clock.same_moment(first, second) else "different:clock"


def _by_structure(
    answer: str,
    reference: str,
    one: exact.Quantity | None,
    other: exact.Quantity | None,
    options: MathOptions,
) -> str:
    from factory.verifiers import algebra  # not needed for numbers, and not cheap to import

    rules = algebra.Comparison(options.order, options.rounding)
    names = _both(lambda: units.split_unit(answer)[1], lambda: units.split_unit(reference)[1])
    (left, unit), (right, other_unit) = _both(
        lambda: _tree(answer, one, names[1], options), lambda: _tree(reference, other, names[0], options)
    )
    if {unit, other_unit} in ({"°", "rad"}, {"°", ""}):
        if (unit and other_unit) or _holds_pi(left, right):
            left, right = (
                ("*", (tree, DEGREE)) if name == "°" else tree
                for tree, name in ((left, unit), (right, other_unit))
            )
    elif unit and other_unit and unit != other_unit:
        factor = units.convert(Fraction(1), unit, other_unit)
        if factor is None:
            return "different:units"
        left = ("*", (("number", factor, 0, None), left))
    if options.units == "required" and (not unit) != (not other_unit):
        return "different:units"
    return rules.compare(left, right)


def _holds_pi(*trees: Tree) -> bool:
    return any(part == ("constant", "pi") for tree in trees for part in walk(tree))


def _tree(text: str, quantity: exact.Quantity | None, beside: str, options: MathOptions) -> tuple[Tree, str]:
    """A side as a tree, and its unit."""
    if quantity and quantity.value is not None and not quantity.exclaimed:
        in_parts = options.percent != "sign" and quantity.unit == "%"
        value = quantity.value / 100 if in_parts else quantity.value
        step = None if in_parts else quantity.step
        return ("number", value, quantity.figures, step), "" if quantity.unit == "%" else quantity.unit
    rest, unit, scale = units.split_unit(text, beside)
    tree = _labelled(rest)
    times = Fraction(scale)
    if unit == "%":
        times, unit = times / (100 if options.percent != "sign" else 1), ""
    return (tree if times == 1 else ("*", (tree, ("number", times, 0, None)))), unit


_LABEL: Final = re.compile(
    r"(?!lambda|def|return|print|import|not)(?:\\text ?\{[^{}]*\}|[A-Za-z][A-Za-z ]{3,40}) ?[=:] ?(?=\S)"
)
_NO_LABEL: Final = re.compile(
    r"\b(?:no|not|never|cannot|except|but|if|unless|than|at (?:least|most)|minus|negative|twice|wrong|error"
    r"|(?:half|double|square|cube|root) of)\b",
    re.IGNORECASE,
)


def _labelled(text: str) -> Tree:
    """The tree of an answer, less words that only say what it is the value of (`Area = 5`)."""
    try:
        return statements.parse(text)
    except Unsettled as error:
        label = _LABEL.match(text) if error.reason == "unparsed" else None
        if label is None or _NO_LABEL.search(label[0]) or "=" in text[label.end() :]:
            raise
        return statements.parse(text[label.end() :])
