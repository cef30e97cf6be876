r"""The marks that writers put to an answer: a box, ####, "the answer is", "A:".

Guarantees: every scan is linear, and spans come in the order of the text, at most MOST_MARKS of a kind: the
last ones, which alone can matter. Left out: which mark counts (`extraction.py`).
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable
from typing import Final

from factory.verifiers import choices, surroundings
from factory.verifiers.conclusion import QUESTION
from factory.verifiers.readable import NUMERAL_IN_TEXT, Span, reads_as_answer, trimmed
from factory.verifiers.spelling import clean, key

_BOX: Final = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*")
_INSTRUCTED: Final = re.compile(r"\b(?:within|inside|in|using|with)(?: an?)?[ \t`$]*$", re.IGNORECASE)
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE: Final = re.compile(r"-?[0-9][0-9.,]*|[A-Za-z]")
_HASH: Final = re.compile(r"(?<!#)####(?!#)")
_ANSWER_IS: Final = re.compile(
    r"(?:\b(?:ans(?:wer)?|(?:correct|right|best) (?:choice|option))(?:\*\*|__)?[ \t]*+"
    r"(?:\b(?:is|must be|should be|will be|would be|can only be|has to be)\b[ \t]*+:?"
    r"|:|=|(?<=\bans)\.|(?=\\[(\[]|\$))|答案[ \t]?[是为：:][：:]?)(?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_A_LINE: Final = re.compile(r"^[ \t]*(?:\*\*)?A:(?:\*\*)?[ \t]*(?=[^\s])", re.MULTILINE)
_MARKS: Final = re.compile(
    rf"{_HASH.pattern}|{_BOX.pattern}|(?i:{_ANSWER_IS.pattern})|^[ \t]*(?:\*\*)?A:", re.MULTILINE
)
_SENTENCE_END: Final = re.compile(r"[.?](?=\s|$)|!(?=\s)|[。\n]")
_BECAUSE: Final = re.compile(
    r",?[ \t](?:because|since|so|which|as|where|when|for|not|that is|i\.e\.)[ \t]|:[ \t]", re.IGNORECASE
)
_ROOTS_ARE: Final = re.compile(
    r"\b(?:are|is)[ \t]+(\$[^$\n]+\$(?:(?:,|,?[ \t]*\b(?:and|or)\b)[ \t]*\$[^$\n]+\$){1,8})\.?$"
)
_BY_CASES: Final = re.compile(
    r"\b(?:when|where|for|if)\b[^\n]{1,60}\b(?:and|or|but)[ \t]+[-$0-9][^\s]{0,20}"
    r"[ \t]+(?:when|where|for|if)\b"
)
_LEADING: Final = re.compile(
    r"(?:(?:approximately|about|equal to|thus|hence|exactly|simply|therefore|then|just)[ \t]+)+",
    re.IGNORECASE,
)
_SURELY_MARKED: Final = re.compile(rf"{_HASH.pattern}|{_BOX.pattern}|\b[Aa]nswer is\b")
_BLANK_LINE: Final = re.compile(r"\S[ \t]*\n[ \t]*\n\s*$")
_DIGIT: Final = re.compile(r"[0-9]")
_DISPLAY: Final = {r"\[": r"\]", "$$": "$$", r"\(": r"\)", "$": "$"}
_OR_ANOTHER: Final = re.compile(r"\s*\b(?:or|and)\s+(?:\\[(\[]|[$0-9-])")
HEDGED: Final = re.compile(
    r"\b(?:at least|at most|more than|less than|fewer than|between|probably|perhaps|maybe|possibly|either"
    r"|or more|not sure|unknown)\b",
    re.IGNORECASE,
)
CODE: Final = re.compile(r"__|\blambda\b")
MOST_MARKS: Final = 16
_SIGNS: Final = {
    "boxed": ("\\boxed", "\\fbox"),
    "hash": ("####",),
    "answer_is": ("ans", "Ans", "ANS", "hoice", "HOICE", "ption", "PTION", "答案"),
    "a_line": ("A:",),
    "tag": ("</answer>",),
}


def before_next_question(text: str) -> str:
    """`text` up to a question of its own: after a mark, or after a blank line where nobody marks an answer.

    An unmarked text before a question whose answer is marked leads up to it; `Answer:` alone is no such mark.
    """
    question = QUESTION.search(text)
    if question is None:
        return text
    first = _MARKS.search(text)
    said = text[: question.start()]
    if _BLANK_LINE.search(said) and _DIGIT.search(said) and not _SURELY_MARKED.search(text):
        return said
    question = QUESTION.search(text, first.end()) if first else None
    return text[: question.start()] if question else text


def has_mark(rule: str, text: str) -> bool:
    """A cheap look whether a text may have a mark of this rule."""
    return any(sign in text for sign in _SIGNS[rule])


def _last_marks(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """As many as can matter: the last one, and those of its sentence."""
    return list(collections.deque(pattern.finditer(text), maxlen=MOST_MARKS))


def _boxed(text: str) -> list[Span]:
    """Innermost boxes; a last box that is never closed ends at -1."""
    boxes = _last_marks(_BOX, text)
    spans: list[Span] = []
    for index, box in enumerate(boxes):
        final = index + 1 == len(boxes)
        limit = len(text) if final else boxes[index + 1].start()
        if text[box.end() : box.end() + 1] != "{":
            if bare := _BARE.match(text, box.end()):
                spans.append(Span(box.start(), bare.start(), bare.end()))
            continue
        end = _closing(text, box.end(), limit)
        if end == box.end() + 1 and _INSTRUCTED.search(text, max(0, box.start() - 24), box.start()):
            continue  # the instruction, repeated
        if end is not None:
            spans.append(trimmed(text, box.start(), box.end() + 1, end))
        elif final:
            spans.append(Span(box.start(), box.end() + 1, -1))
    return spans


def _closing(text: str, opening: int, limit: int) -> int | None:
    """Where the brace at `opening` is closed, before `limit`."""
    depth = 0
    for brace in _BRACE.finditer(text, opening, limit):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if depth == 0:
            return brace.start()
    return None


def _hash(text: str) -> list[Span]:
    """Lines after ####; a heading, with words in it and text after it, is none."""
    marks = _last_marks(_HASH, text)
    spans: list[Span] = []
    bottom = len(text.rstrip())
    for index, mark in enumerate(marks):
        line = text.find("\n", mark.end())
        end = len(text) if line < 0 else line
        if index + 1 < len(marks):
            end = min(end, marks[index + 1].start())
        span = trimmed(text, mark.start(), mark.end(), end)
        if end >= bottom and span.start >= span.end:
            spans.append(Span(mark.start(), mark.end(), mark.end()))  # the text ends before its answer
        if span.start < span.end and (end >= bottom or reads_as_answer(text[span.start : span.end])):
            spans.append(span)
    return spans


def _answer_is(text: str) -> list[Span]:
    """What follows "answer is" and "answer:" in its sentence."""
    marks = _last_marks(_ANSWER_IS, text)
    spans: list[Span] = []
    for index, mark in enumerate(marks):
        following = marks[index + 1].start() if index + 1 < len(marks) else len(text)
        start, end = _sentence(text, mark.end(), following)
        if end == following < len(text) and not any(map(str.isdigit, text[start:end])):
            continue  # `Final answer: the final answer is 5`
        spans.append(_core(text, trimmed(text, mark.start(), start, end)))
    return spans


def _sentence(text: str, start: int, limit: int) -> tuple[int, int]:
    """The sentence that begins at `start`, or the displayed formula, up to `limit`."""
    for opening, closing in _DISPLAY.items():
        if text.startswith(opening, start):
            start_inside = start + len(opening)
            close = text.find(closing, start_inside, limit)
            if close >= 0 and not _OR_ANOTHER.match(text, close + len(closing)):
                return start_inside, close
    end = _SENTENCE_END.search(text, start, limit)
    return start, end.start() if end else limit


def _core(text: str, span: Span) -> Span:
    """The answer inside a sentence: all of it, else what stands before a reason, else its only number."""
    start, end = span.start, span.end
    if leading := _LEADING.match(text, start, end):
        start = leading.end()
    if reads_as_answer(text[start:end]) or choices.letter_before_text(text[start:end].strip()):
        return Span(span.mark, start, end)
    if (roots := _ROOTS_ARE.search(text, start, end)) and not HEDGED.search(text, start, end):
        return trimmed(text, span.mark, roots.start(1), end)
    if HEDGED.search(text, start, end) or CODE.search(text, start, end) or _BY_CASES.search(text, start, end):
        return Span(span.mark, start, end)
    if (reason := _BECAUSE.search(text, start, end)) and reads_as_answer(text[start : reason.start()]):
        return Span(span.mark, start, reason.start())
    numbers = [
        surroundings.widened(text, *match.span()) for match in NUMERAL_IN_TEXT.finditer(text, start, end)
    ]
    only = len({key(clean(text[first:last])) for first, last in numbers}) == 1
    denied = only and surroundings.NEGATION.search(text, start, numbers[-1][0])
    if only and not denied and not surroundings.changed(text, *numbers[-1], start, end):
        return trimmed(text, span.mark, *numbers[-1])
    return Span(span.mark, start, end)


def _tagged(text: str) -> list[Span]:
    """Between <answer> and </answer>."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    return [trimmed(text, start, start + len("<answer>"), end)] if start >= 0 else []


def _a_line(text: str) -> list[Span]:
    spans: list[Span] = []
    for mark in _last_marks(_A_LINE, text):
        end = text.find("\n", mark.end())
        spans.append(trimmed(text, mark.start(), mark.end(), len(text) if end < 0 else end))
    return spans


RULES: Final[dict[str, Callable[[str], list[Span]]]] = {
    "boxed": _boxed,
    "hash": _hash,
    "answer_is": _answer_is,
    "a_line": _a_line,
    "tag": _tagged,
}
"""The marks by the rule that is recorded with a verdict."""
