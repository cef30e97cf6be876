"""The verifier `math`: does a completion end in the answer of its problem?

Guarantees: `pass` and `fail` are said only when a rule decided; the reason names the layer. Equal text is
equal; plain numbers are compared as exact fractions (`exact.py`); all else goes to own structure and
algebra (`algebra.py`). No model text is evaluated. Both argument orders get the same verdict.

Left out: limits on time and memory, which need a process that can be killed (`pool.py`). Policies stand
in `spelling.py`, `extraction.py`, `exact.py` and `expression.py`; VERSION changes with any of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final, TypeVar

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import exact, expression, extraction, units
from factory.verifiers.base import Check, Item
from factory.verifiers.spelling import Unsettled, clean, is_words, key
from factory.verifiers.trees import Tree

NAME: Final = "math"
VERSION: Final = "1"

T = TypeVar("T")

_STATUS: Final = {"equal": Status.PASS, "different": Status.FAIL}
_NO_REFERENCE: Final = frozenset(("", "nan", "null"))
_CHOICE: Final = re.compile(r"[^,;]*\bor\b[^,;]*")
LONGEST: Final = 100_000
"""Characters of an answer or a reference; longer ones are refused unread."""
_LONGEST_CACHED: Final = 1000
_COMMA: Final = re.compile(r"[-+]?[0-9]+,[0-9]+")
_LETTER_UNIT: Final = re.compile(r"[-+$]?[0-9][0-9.,]* ?[mgshl](?:\^.*)?")


def check(item: Item, options: MathOptions) -> Check:
    """The verdict on one completion; every option is in `options`."""
    try:
        reference = _reference(item.reference)
    except Unsettled as error:
        return Check(Status.ERROR, error.reason)
    if _is_all(item.completion, reference):
        return Check(Status.PASS, "equal:text", item.completion.strip(), "identical")
    # The last number of a text says nothing about a reference that is no number.
    last_number = options.last_number and _is_number(reference)
    found = extraction.extract(item.completion, last_number=last_number)
    if found.answer is None:
        return Check(Status.NO_ANSWER, found.reason, None, found.rule)
    if len(found.answer) > LONGEST:
        return Check(Status.ERROR, "refused", None, found.rule)
    answer = clean(found.answer)
    if _CHOICE.fullmatch(answer) and not re.search(r"[,;]|\bor\b|\band\b|\\pm", reference):
        return Check(Status.NO_ANSWER, "several", None, found.rule)
    try:
        decide = _decided if len(answer) <= _LONGEST_CACHED else _decided.__wrapped__
        reason = decide(answer, reference, options.percent)
    except Unsettled as error:
        return Check(Status.ERROR, error.reason, found.answer, found.rule)
    return Check(_STATUS[reason.partition(":")[0]], reason, found.answer, found.rule)


@functools.lru_cache(maxsize=10_000)
def _reference(text: str | None) -> str:
    """The cleaned reference; of one that is a whole solution, the answer it marks."""
    if text and len(text) > LONGEST:
        raise Unsettled("refused")
    found = extraction.marked(text) if text else None
    if found is not None and found.answer is None:
        raise Unsettled("unsupported:reference")
    cleaned = clean((found.answer if found else text) or "")
    if cleaned.casefold() in _NO_REFERENCE:
        raise Unsettled("unsupported:reference")
    return cleaned


_reference_quantity = functools.lru_cache(maxsize=10_000)(exact.quantity)  # one for many samples


def _is_number(reference: str) -> bool:
    try:
        return _reference_quantity(reference) is not None
    except Unsettled:  # a number, but too large to compute with
        return True


def _is_all(completion: str, reference: str) -> bool:
    """Whether the completion is the reference; TeX's layout makes a text a few times longer at most."""
    return len(completion) <= 4 * len(reference) + 100 and key(clean(completion)) == key(reference)


@functools.lru_cache(maxsize=50_000)
def _decided(answer: str, reference: str, percent: str) -> str:
    """equal:... or different:... for two cleaned texts. What is not settled is raised, so never cached."""
    if key(answer) == key(reference):
        return "equal:text"
    one, other = _both(lambda: exact.quantity(answer), lambda: _reference_quantity(reference))
    if one and other and (verdict := exact.compare(one, other, percent)):
        return verdict
    if is_words(key(answer)) and is_words(key(reference)):
        return "different:text"
    if (one or other) and any(map(_LETTER_UNIT.fullmatch, (answer, reference))):
        raise Unsettled("unsupported:units")  # `5m` may be metres, or 5 times m
    if (one or other) and any(map(_COMMA.fullmatch, (answer, reference))):
        raise Unsettled("unsupported:comma")  # `1,5` may be two numbers, or 1.5
    from factory.verifiers import algebra  # not needed for numbers, and not cheap to import

    (left, unit), (right, other_unit) = _both(
        lambda: _tree(answer, one, percent), lambda: _tree(reference, other, percent)
    )
    units.agree(unit, other_unit)
    return algebra.compare(left, right)


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


def _tree(text: str, quantity: exact.Quantity | None, percent: str) -> tuple[Tree, str]:
    """A side as a tree, and its unit."""
    if quantity and quantity.value is not None and not quantity.exclaimed:
        in_parts = percent == "value" and quantity.unit == "%"
        value = quantity.value / 100 if in_parts else quantity.value
        step = None if in_parts else quantity.step
        return ("number", value, quantity.figures, step), "" if in_parts else quantity.unit
    rest, unit, scale = units.split_unit(text)
    if scale != 1:
        raise Unsettled("unsupported:units")
    return expression.parse(rest), unit
