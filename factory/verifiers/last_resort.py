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

from factory.verifiers import choices
from factory.verifiers.last_number import SENTENCE, last_number
from factory.verifiers.readable import Span, reads_as_answer, trimmed, words_of_prose


class Wanted(enum.Enum):
    """What may be taken: nothing, the last number, a letter, a formula, what the last sentence says."""

    MARKED = "marked"
    NUMBER = "number"
    CHOICE = "choice"
    FORMULA = "formula"
    SENTENCE = "sentence"


_LETTER: Final = re.compile(  # any other letter may be a point, a set, a vitamin
    r"(?<!\w)\((?P<held>[A-J])\)"
    r"|\b(?i:option|choice|answer|alternative|choose|pick|select)s?(?: is)?[ \t:*]{1,4}"
    r"(?P<named>[A-J])(?![\w'’])"
    r"|\b(?i:must be|thus,?|therefore,?|hence,?|so,?) (?P<left>[A-J])(?=[.!*)$ \t]*$)"
    r"|\*\*(?P<bold>[A-J])[.)]?\*\*|^[^\w\n]{0,6}(?P<alone>[A-J])[^\w\n]{0,6}$"
    r"|(?:故选|答案[是为：:]|选)[ \t]?(?P<chosen>[A-J])(?![\w'’])"
    r"|(?<![\w'’])(?P<told>[A-J])(?= (?:is|must be) (?:the )?(?:correct|right|best|answer)\b)",
    re.MULTILINE,
)
_RULED_OUT: Final = re.compile(r"\b(?:not|except|but|than|out|eliminates?|wrong)\b[^.]{0,12}$", re.IGNORECASE)
_FORMULA: Final = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|(?<!\\)\$(?P<b>[^$]+?)(?<!\\)\$|\\\((?P<c>.+?)\\\)|\\\[(?P<d>.+?)\\\]"
    r"|\\begin\{(?:align|gather|equation|multline|eqnarray)\*?\}(?P<rows>.+?)\\end\{[a-z]+\*?\}",
    re.DOTALL,
)
_JOINED: Final = re.compile(r",?[ \t]*\b(?:and|or(?: else)?)[ \t]*")
_LISTED: Final = re.compile(r",[ \t]*")
_FOR_INSTANCE: Final = re.compile(r"\b(?:for instance|for example|such as)\b|\be\.g\.", re.IGNORECASE)
_CONCLUDING: Final = re.compile(r"(?:so|hence|thus|therefore|then|finally)\b,?[ \t]+", re.IGNORECASE)
_JOINING_WORDS: Final = frozenset(("or", "and"))
_IS: Final = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|equal to|gives|get|gets|makes|becomes|at|of|on|by)\b:?|=|:)\s+",
    re.IGNORECASE,
)
_OF_ANOTHER: Final = re.compile(  # `the day before is Tuesday`, `the opposite of Bob`
    r"\b(?:before|after|opposite|reverse|except|than|at (?:least|most)|not|never|no solution)[ \t]*$",
    re.IGNORECASE,
)
LONGEST_CLAUSE: Final = 200
LONGEST_TEXT: Final = 4000
"""Characters at the end of a text in which a formula or a sentence is looked for."""


def spans(text: str, wanted: Wanted) -> Iterator[tuple[str, list[Span]]]:
    """(rule, spans) of each resort for what is wanted, in their order."""
    if wanted is Wanted.NUMBER:
        yield "last_number", last_number(text)
    if wanted is Wanted.CHOICE:
        yield "letter", _lone_letter(text)
    if wanted is Wanted.FORMULA:
        yield "sentence", _concluded(text)
        yield "formula", _last_formula(text)
    if wanted in (Wanted.FORMULA, Wanted.CHOICE, Wanted.SENTENCE):
        yield "sentence", _last_sentence(text)


def _lone_letter(text: str) -> list[Span]:
    """The letter of a choice, where only one stands in the text."""
    if text[:1] in "(ABCDEFGHIJ" and choices.letter_before_text(text.partition("\n")[0].strip()):
        start = text.index(next(letter for letter in text if letter in "ABCDEFGHIJ"))
        return [Span(start, start, start + 1)]
    found = list(_LETTER.finditer(text, max(0, len(text) - LONGEST_TEXT)))
    for one, other in itertools.pairwise(found[::-1]):
        if SENTENCE.search(text, other.end(), one.start()):  # only the last sentence that has any
            found = found[found.index(one) :]
            break
    if len({match[match.lastgroup or 0] for match in found}) != 1:
        return []
    start, end = found[-1].span(found[-1].lastgroup or 0)
    if _RULED_OUT.search(text, max(0, start - 24), start):
        return []
    return [Span(start, start, end)]


def _concluded(text: str) -> list[Span]:
    """The equations in plain text that the last sentence draws: `Hence x = 3 or x = -2.`"""
    bottom = len(text.rstrip().rstrip(".!*"))
    start = _last_sentence_start(text, bottom)
    cue = _CONCLUDING.match(text, start, bottom)
    if cue is None or bottom - cue.end() > LONGEST_CLAUSE:
        return []
    clause = text[cue.end() : bottom]
    prose = {word.lower() for word in words_of_prose(clause)} - _JOINING_WORDS
    return [] if prose or "=" not in clause or "$" in clause else [trimmed(text, start, cue.end(), bottom)]


def _last_formula(text: str) -> list[Span]:
    """The last formula, with those it is joined to by `and`; of several rows, what the last one equals."""
    found = list(_FORMULA.finditer(text, max(0, len(text) - LONGEST_TEXT)))
    if not found:
        return []
    last = found[-1]
    if _FOR_INSTANCE.search(text, _last_sentence_start(text, last.start()), last.start()):
        return []
    start, end = last.span(last.lastgroup or 0)
    if last.lastgroup == "rows":
        return [_last_row(text, last.start(), start, end)]
    first = len(found) - 1
    joint = _JOINED
    while first and joint.fullmatch(text, found[first - 1].end(), found[first].start()):
        first, joint = first - 1, _LISTED
    if first < len(found) - 1:
        return [trimmed(text, found[first].start(), found[first].start(), last.end())]
    return [trimmed(text, last.start(), start, end)]


def _last_row(text: str, mark: int, start: int, end: int) -> Span:
    """What the last of the rows between `start` and `end` equals, without its number."""
    end = start + len(text[start:end].rstrip("\\ \t\n"))
    row = text.rfind("\\\\", start, end)
    start = row + 2 if row >= 0 else start
    tag = text.find("\\tag{", start, end)
    end = start + len(text[start : tag if tag >= 0 else end].rstrip(" \t\n.,"))
    return trimmed(text, mark, max(start, text.rfind("=", start, end) + 1), end)


def _last_sentence_start(text: str, bottom: int) -> int:
    start = max(0, bottom - LONGEST_TEXT)
    for gap in SENTENCE.finditer(text, start, bottom):
        start = gap.end()
    return start


def _last_sentence(text: str) -> list[Span]:
    """What the last sentence says at its end that something is."""
    bottom = len(text.rstrip().rstrip(".!*"))
    start = _last_sentence_start(text, bottom)
    for verb in reversed(list(_IS.finditer(text, start, bottom))):
        span = trimmed(text, verb.start(), verb.end(), bottom)
        if span.end - span.start > LONGEST_CLAUSE or _OF_ANOTHER.search(text, start, verb.start()):
            return []
        clause = text[span.start : span.end]
        if clause and (reads_as_answer(clause) or (clause.isalpha() and clause.istitle())):
            return [span]
    return []
