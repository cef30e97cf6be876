r"""Letters of multiple choice: B, (B), B), B. 12, Option B, \text{(B)}; several: A, C or AC.

Guarantees: a letter decides only when one side is nothing but a letter from A to J (or several) and the
other is one too, or is a letter with the text of its choice. Left out: which text belongs to which letter.
"""

from __future__ import annotations

import re
from typing import Final

from factory.verifiers.spelling import Unsettled

_WORD: Final = r"(?:(?:the |answer |correct |final )*(?:option|choice|answer|alternative)s?:? )?"
_ONE: Final = r"(?:\\text ?\{ ?)?\(?(?:\\text ?\{ ?)?([A-J])(?: ?\})?\)?(?: ?\})?"
_ALONE: Final = re.compile(rf"{_WORD}{_ONE}", re.IGNORECASE)
_FIRST: Final = re.compile(
    rf"{_WORD}(?:\\text ?\{{ ?)?"
    r"(?:\(([A-Ja-j])\)|([A-J])(?:[.):]| ?-(?= )(?! [A-Z](?![A-Za-z]))|(?= because\b|,? since\b)))"
    r" ?\}?\s*(?=\S).*",
    re.DOTALL,
)
_SEVERAL: Final = re.compile(
    r"\(?\b[A-J]\)?(?:(?: ?(?:,|;|and|or|&) ?(?:and )?| ?)\(?[A-J]\)?(?![A-Za-z'])){1,9}"
)
_CHOSEN: Final = re.compile(
    rf"{_WORD}(?:\\text ?\{{ ?)?(?:\([A-J]\)|[A-J][.):])(?: ?\}})? ?(?P<text>[^\s].*)", re.DOTALL
)
_HYPHENED: Final = re.compile(r"[A-J]-[0-9A-Za-z]")
"""`B-45` is a choice with its text, or a difference."""
_BLANKS: Final = re.compile(" {2,}")
_LETTER: Final = re.compile(r"[A-J]")
LONGEST: Final = 400


def letter(cleaned: str) -> str | None:
    """The letter a text is, and nothing else."""
    match = _ALONE.fullmatch(cleaned) if len(cleaned) <= 40 else None
    return match[1] if match else None


def letter_before_text(cleaned: str) -> str | None:
    """The letter a text begins with, as the mark of a choice."""
    several = _SEVERAL.match(cleaned)
    match = _FIRST.fullmatch(cleaned) if len(cleaned) <= LONGEST and several is None else None
    return (match[1] or match[2]).upper() if match else None


def text_of_choice(cleaned: str) -> str | None:
    """The text of the choice that an answer is, after its letter: 45 of (C) 45."""
    match = _CHOSEN.fullmatch(cleaned) if len(cleaned) <= LONGEST else None
    return match["text"] if match else None


def compare(answer: str, reference: str) -> str | None:
    """The word on two answers that are letters of choices, None when they are not."""
    answer, reference = (_BLANKS.sub(" ", text).strip() for text in (answer, reference))
    if not (reference[:1] in "(\\ABCDEFGHIJabcdefghijoO" and len(answer) <= LONGEST):
        return None
    one, other = letter(answer), letter(reference)
    if one and other:
        if one.isupper() != other.isupper() and answer in (one, other):
            return None if one.upper() != other.upper() else "equal:choice"
        return "equal:choice" if one.upper() == other.upper() else "different:choice"
    if one is None and other is None:
        if _SEVERAL.fullmatch(answer) and _SEVERAL.fullmatch(reference):
            same = sorted(_LETTER.findall(answer)) == sorted(_LETTER.findall(reference))
            return "equal:choice" if same else "different:choice"
        first, second = letter_before_text(answer), letter_before_text(reference)
        return _told(first, second) if first and second else None
    alone, text = (one, answer) if other is None else (other, answer)
    longer = reference if other is None else text
    first = letter_before_text(longer)
    if first is None and alone and _HYPHENED.match(longer):
        raise Unsettled("undecided")
    if first is None or alone is None or not alone.isupper():
        return None
    return _told(alone, first)


def _told(one: str, other: str) -> str:
    return "equal:choice" if one == other else "different:choice"
