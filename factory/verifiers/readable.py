"""What reads as an answer, and where numbers stand in prose.

Guarantees: linear scans; a text counts as an answer when a reader of the verifier knows it, or when it is a
formula of a kind that is not supported. Left out: what it is worth (`equivalence.py`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from factory.verifiers import choices, clock, exact, statements, units, words
from factory.verifiers.lexing import FUNCTIONS
from factory.verifiers.spelling import Unsettled, clean


class Span(NamedTuple):
    """Where a mark begins, and where the answer that it marks begins and ends."""

    mark: int
    start: int
    end: int


_NUMERAL: Final = r"(?>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
NUMERAL_IN_TEXT: Final = re.compile(
    # Not inside a word, a longer number or a sum: `x2`, `3:30`, `9+1`, `9 + 1` end in no answer.
    r"(?<![\w.,:/^\\√±∓×÷·])(?<![\w)][-+*/−–—])(?<![\w)][ \t][-+*/−–—×÷·][ \t])"
    r"(?:(?<![\w)][ \t])[-+−][ \t]?)?[$€£¢¥]?(?:[-−](?=[$0-9.]))?(?>"
    r"[0-9]{1,3}[ \t][0-9]{1,3}/[0-9]{1,3}(?![0-9])|"
    rf"\\[dt]?frac\{{-?[0-9]+\}}\{{-?[0-9]+\}}|(?>{_NUMERAL})(?:/[0-9]+|[eE][-+]?[0-9]+)?)"
    r"(?:[ \t]?\\?%|[€£¢]|(?:[cmk]?m|[mk]?g|ft|lbs?|hrs?|m?l|[hs])(?:[²³]|\^[23])?)?"
    r"(?![\w#_@^]|!+[ \t]?(?:\$|\\[)\]])|[.,:/][0-9]|[ \t]?[-+*/=^×÷·−][ \t]?[\w(])"
)
_PROSE: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}")
_ENVIRONMENT: Final = re.compile(r"\\(?:begin|end|text|mathrm|operatorname) ?\{[A-Za-z ]*\}")
_NO_PROSE: Final = FUNCTIONS | {"sqrt", "log", "pi", "dx", "dy", "dt", "du", "dr", "mod"}
_LONG_NUMERAL: Final = re.compile(r"[-+$]?[0-9][0-9.,]*")
LONGEST_WHOLE: Final = 2000
"""Characters in which a line must show that it is prose."""


def trimmed(text: str, mark: int, start: int, end: int) -> Span:
    """The span without the blanks and the emphasis around it."""
    while start < end and text[start] in " \t\r\n*":
        start += 1
    while end > start and text[end - 1] in " \t\r\n*":
        end -= 1
    return Span(mark, start, end)


def words_of_prose(text: str) -> list[str]:
    """The words of a text that belong to no formula."""
    found = _PROSE.findall(_ENVIRONMENT.sub("", text[: LONGEST_WHOLE + 1]))
    return [word for word in found if word not in _NO_PROSE]


def reads_as_answer(text: str) -> bool:
    """Whether a text is a number, a formula or a word for one, and not prose; unsupported formulas count."""
    if len(text) > LONGEST_WHOLE:
        return _LONG_NUMERAL.fullmatch(text) is not None
    cleaned = clean(text)
    try:
        if exact.quantity(cleaned) is not None or choices.letter(cleaned) or words.number_in_words(cleaned):
            return True
        if clock.moment(cleaned) is not None:
            return True
        rest = units.split_unit(cleaned)[0]
        statements.parse(rest)
    except Unsettled as error:
        return error.reason != "unparsed" and not words_of_prose(text)
    return len(rest) == 1 or not rest.isalpha()
