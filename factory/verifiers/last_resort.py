r"""What stands for an answer in a text that marks none.

Guarantees: linear scans; each resort is tried for one kind of reference alone, so that the last number of a
text is no answer to a question for a formula. A number: the last one. A letter: the one choice that stands
alone. A formula: the last one between dollars or TeX's brackets, else what the last sentence says that
something is. Left out: texts whose last number or formula cannot be read; they have no answer.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterator
from typing import Final

from factory.verifiers import choices, surroundings
from factory.verifiers.readable import NUMERAL_IN_TEXT, Span, reads_as_answer, trimmed


class Wanted(enum.Enum):
    """What may be taken: nothing, the last number, a letter, a formula, what the last sentence says."""

    MARKED = "marked"
    NUMBER = "number"
    CHOICE = "choice"
    FORMULA = "formula"
    SENTENCE = "sentence"


_CODE: Final = re.compile(r"__|\blambda\b")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(  # any other letter may be a point, a set, a vitamin
    r"(?<!\w)\((?P<held>[A-J])\)"
    r"|\b(?i:option|choice|answer|alternative|choose|pick|select)s?(?: is)?[ \t:*]{1,4}"
    r"(?P<named>[A-J])(?![\w'’])"
    r"|\b(?i:must be|thus,?|therefore,?|hence,?|so,?) (?P<left>[A-J])(?=[.!*)$ \t]*$)"
    r"|\*\*(?P<bold>[A-J])[.)]?\*\*|^[^\w\n]{0,6}(?P<alone>[A-J])[^\w\n]{0,6}$"
    r"|(?<![\w'’])(?P<told>[A-J])(?= (?:is|must be) (?:the )?(?:correct|right|best|answer)\b)",
    re.MULTILINE,
)
_RULED_OUT: Final = re.compile(r"\b(?:not|except|but|than|out|eliminates?|wrong)\b[^.]{0,12}$", re.IGNORECASE)
_FORMULA: Final = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|(?<!\\)\$(?P<b>[^$]+?)(?<!\\)\$|\\\((?P<c>.+?)\\\)|\\\[(?P<d>.+?)\\\]", re.DOTALL
)
_IS: Final = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|equal to|gives|get|gets|makes|becomes|at|of|on|by)\b:?|=|:)\s+",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_REFERS_BACK: Final = re.compile(
    r"(?:\b(?:of|in|from|for|with|among) (?:the|these|those|his|her|their|its|all|all the)|\ball(?: the)?"
    r"|\bout of) $",
    re.IGNORECASE,
)
_CLOSED: Final = re.compile(
    r"[^.!?\n]*(?:[.!?](?!\S)[\"')*]*)?\s*"
    r"(?:(?:I hope|Hope|Thank|Let me know|That|This is|Done|Good luck|Great|Q\.?E\.?D)[^\n]*)?\W*",
    re.IGNORECASE,
)
_ASKED: Final = re.compile(r"[^.!?\n]{0,300}\?")
_GUESSED: Final = re.compile(
    r"\b(?:between|either|guess|maybe|perhaps|probably|might|not sure|unsure)\b", re.IGNORECASE
)
_UNFINISHED: Final = re.compile(r"(?<!\*)[-*+/=×÷(,:]\s*$")
NO_SOLUTION: Final = re.compile(
    r"\bno (?:such|real solution|solution|integer solution)|\bnot enough information|\bdo(?:es)? not exist\b"
    r"|\b(?:cannot|can not|can['’]t) be (?:determined|solved|found|answered|known)",
    re.IGNORECASE,
)
LONGEST_CLAUSE: Final = 200
LONGEST_CLOSING: Final = 300
LONGEST_TEXT: Final = 4000
"""Characters at the end of a text in which a formula or a sentence is looked for."""


def spans(text: str, wanted: Wanted) -> Iterator[tuple[str, list[Span]]]:
    """(rule, spans) of each resort for what is wanted, in their order."""
    if wanted is Wanted.NUMBER:
        yield "last_number", _last_number(text)
    if wanted is Wanted.CHOICE:
        yield "letter", _lone_letter(text)
    if wanted is Wanted.FORMULA:
        yield "formula", _last_formula(text)
    if wanted in (Wanted.FORMULA, Wanted.CHOICE, Wanted.SENTENCE):
        yield "sentence", _last_sentence(text)


def _last_number(text: str) -> list[Span]:
    """The last number that is no mere measure of what went before (`of the 60`, `all 60`)."""
    if _CODE.search(text) or NO_SOLUTION.search(text):
        return []
    last: re.Match[str] | None = None
    told: re.Match[str] | None = None
    for match in NUMERAL_IN_TEXT.finditer(text):
        if last is None or _SENTENCE.search(text, last.end(), match.start()):
            told = None
        last = match
        if told is None or not _REFERS_BACK.search(text, max(0, match.start() - 24), match.start()):
            told = match
    if last is None or told is None or _DIGIT.search(text, last.end()):
        return []  # the last number of the text is one that cannot be read
    if _UNFINISHED.search(text, max(last.end() - 1, 0)):
        return []
    if len(text) - last.end() > LONGEST_CLOSING or not _CLOSED.fullmatch(text, last.end()):
        return []  # the text goes on to something else
    sentence = max((gap.end() for gap in _SENTENCE.finditer(text, 0, last.start())), default=0)
    if _GUESSED.search(text, sentence):
        return []
    if (
        _ASKED.match(text, last.end()) and "=" not in text[sentence : last.start()]
    ) or surroundings.part_of_more(text, *told.span()):
        return []
    start, end = surroundings.widened(text, *told.span())
    return [] if surroundings.changed(text, start, end) else [trimmed(text, start, start, end)]


def _lone_letter(text: str) -> list[Span]:
    """The letter of a choice, where only one stands in the text."""
    if text[:1] in "(ABCDEFGHIJ" and choices.letter_before_text(text.partition("\n")[0].strip()):
        start = text.index(next(letter for letter in text if letter in "ABCDEFGHIJ"))
        return [Span(start, start, start + 1)]
    found = list(_LETTER.finditer(text, max(0, len(text) - LONGEST_TEXT)))
    for one, other in itertools.pairwise(found[::-1]):
        if _SENTENCE.search(text, other.end(), one.start()):  # only the last sentence that has any
            found = found[found.index(one) :]
            break
    if len({match[match.lastgroup or 0] for match in found}) != 1:
        return []
    start, end = found[-1].span(found[-1].lastgroup or 0)
    if _RULED_OUT.search(text, max(0, start - 24), start):
        return []
    return [Span(start, start, end)]


def _last_formula(text: str) -> list[Span]:
    last: re.Match[str] | None = None
    for match in _FORMULA.finditer(text, max(0, len(text) - LONGEST_TEXT)):
        last = match
    if last is None or last.lastgroup is None:
        return []
    return [trimmed(text, last.start(), *last.span(last.lastgroup))]


def _last_sentence(text: str) -> list[Span]:
    """What the last sentence says at its end that something is."""
    bottom = len(text.rstrip().rstrip(".!*"))
    start = max(0, bottom - LONGEST_TEXT)
    for gap in _SENTENCE.finditer(text, start, bottom):
        start = gap.end()
    for verb in reversed(list(_IS.finditer(text, start, bottom))):
        span = trimmed(text, verb.start(), verb.end(), bottom)
        if span.end - span.start > LONGEST_CLAUSE:
            return []
        clause = text[span.start : span.end]
        if clause and (reads_as_answer(clause) or (clause.isalpha() and clause.istitle())):
            return [span]
    return []
