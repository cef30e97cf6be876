r"""The verifier `math`: does a completion end in the answer of its problem?

Guarantees: `pass` and `fail` are said only when a rule decided; the reason names the layer. Equal text is
equal; plain numbers are compared as exact fractions; all else goes to own structure and algebra
(`equivalence.py`). No model text is evaluated. `check` finds the answer in a completion; `check_answer` takes
a text for the answer itself.

Left out: limits on time and memory, which need a process that can be killed (`pool.py`). Policies stand
in `spelling.py`, `extraction.py`, `exact.py`, `algebra.py`, and as options; VERSION changes with any of them.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from factory.recipe import MathOptions
from factory.records import Status
from factory.verifiers import choices, equivalence, exact, extraction
from factory.verifiers.base import Check, Item
from factory.verifiers.extraction import Found
from factory.verifiers.last_resort import Wanted
from factory.verifiers.spelling import Unsettled, clean, key

NAME: Final = "math"
VERSION: Final = "2"

_STATUS: Final = {"equal": Status.PASS, "different": Status.FAIL}
_NO_REFERENCE: Final = frozenset(("", "nan", "null"))
_UNMARKED: Final = frozenset(("formula", "sentence"))
_EITHER: Final = re.compile(r"[^,;]*\bor\b[^,;]*")
_SEVERAL: Final = re.compile(r"[,;<>=∈]|\bor\b|\band\b|\\(?:pm|mp|cup|le|ge|ne|in|mathbb|lt|gt)(?![a-z])|±")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_EXCLAIMED: Final = re.compile(r"[-+$ ]*[1-9](?>[0-9,]*)(?<=[0-9,][0-9])(?:\.[0-9]+)?!+")
"""At the end of a sentence `42!` is 42, or its factorial, which no one expects; `3!` is 6."""
_IN_PROSE: Final = frozenset(("whole", "answer_is", "a_line", "last_number", "sentence"))
LONGEST: Final = 100_000
"""Characters of an answer or a reference; longer ones are refused unread."""
_LONGEST_CACHED: Final = 1000


def check(item: Item, options: MathOptions) -> Check:
    """The verdict on one completion; every option is in `options`."""
    return _check(item, options, extraction.extract, _IN_PROSE)


def check_answer(item: Item, options: MathOptions) -> Check:
    """The verdict on a text that is the whole answer, perhaps in a wrapper such as \\boxed or ####."""
    answer, reference = item.completion, item.reference
    if reference and _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(reference):
        same = answer == reference
        return Check(
            Status.PASS if same else Status.FAIL, "equal:text" if same else "different:exact", answer, "whole"
        )
    return _check(item, options, extraction.unwrap, _IN_PROSE - {"whole"})


def _check(item: Item, options: MathOptions, find: extraction.Finder, prose: frozenset[str]) -> Check:
    try:
        reference = _reference(item.reference)
    except Unsettled as error:
        return Check(Status.ERROR, error.reason)
    if item.completion == item.reference or _is_all(item.completion, reference):
        return Check(Status.PASS, "equal:text", item.completion.strip(), "identical")
    found = find(item.completion, _wanted(reference, options))
    if found.answer is None:
        return Check(Status.NO_ANSWER, found.reason, None, found.rule)
    if len(found.answer) > LONGEST:
        return Check(Status.ERROR, "refused", None, found.rule)
    in_prose = found.rule in prose and found.text is None and not _ends_formula(item.completion, found.answer)
    if in_prose and _exclaimed(found.answer, reference, options):
        return Check(Status.PASS, "equal:exclaimed", found.answer, found.rule)
    return _compared(found, reference, options)


def _ends_formula(completion: str, answer: str) -> bool:
    """Whether what follows an answer closes a formula."""
    return completion.rpartition(answer)[2].lstrip().startswith(("$", r"\)", r"\]"))


def _exclaimed(answer: str, reference: str, options: MathOptions) -> bool:
    """Whether `42!` at the end of a sentence is the number of the reference, 42."""
    if _EXCLAIMED.fullmatch(answer) is None:
        return False
    try:
        number, other = exact.quantity(clean(answer.rstrip("!"))), equivalence.reference_quantity(reference)
    except Unsettled:
        return False
    return bool(number and other and (exact.compare(number, other, options) or "").startswith("equal"))


def _compared(found: Found, reference: str, options: MathOptions) -> Check:
    answer = clean(found.text or found.answer or "")
    if (found.several or _EITHER.fullmatch(answer)) and not _SEVERAL.search(reference):
        return Check(Status.NO_ANSWER, "several", None, found.rule)
    try:
        reason = _decided(answer, reference, options)
    except Unsettled as error:
        return Check(Status.ERROR, error.reason, found.answer, found.rule)
    if reason == "different:type" and found.rule in _UNMARKED:
        return Check(Status.NO_ANSWER, "none", None, found.rule)  # another formula than the one asked for
    return Check(_STATUS[reason.partition(":")[0]], reason, found.answer, found.rule)


def _decided(answer: str, reference: str, options: MathOptions) -> str:
    """The word on two cleaned texts; where a choice with its letter says nothing, on its text."""
    decide = equivalence.decided if len(answer) <= _LONGEST_CACHED else equivalence.decided.__wrapped__
    try:
        return decide(answer, reference, options)
    except Unsettled:
        chosen = choices.text_of_choice(answer)
        if chosen is None:
            raise
        return decide(chosen, reference, options)


@functools.lru_cache(maxsize=10_000)
def _reference(text: str | None) -> str:
    """The cleaned reference; of one that is a whole solution, the answer it marks."""
    if text and len(text) > LONGEST:
        raise Unsettled("refused")
    found = extraction.marked(text) if text else None
    if found is not None and found.answer is None:
        raise Unsettled("unsupported:reference")
    cleaned = clean((found.text or found.answer if found else text) or "")
    if cleaned.casefold() in _NO_REFERENCE:
        raise Unsettled("unsupported:reference")
    return cleaned


@functools.lru_cache(maxsize=10_000)
def _wanted(reference: str, options: MathOptions) -> Wanted:
    """What the last resorts may look for: a number says nothing about a reference that is none."""
    if choices.letter(reference) is not None:
        return Wanted.CHOICE
    try:
        number = equivalence.reference_quantity(reference) is not None
    except Unsettled:  # a number, but too large to compute with
        number = True
    if number:
        return Wanted.NUMBER if options.last_number else Wanted.MARKED
    return Wanted.FORMULA


def _is_all(completion: str, reference: str) -> bool:
    """Whether the completion is the reference; TeX's layout makes a text a few times longer at most."""
    short = len(completion) <= 4 * len(reference) + 100
    return short and not extraction.STRUCK_OUT.search(completion) and key(clean(completion)) == key(reference)
