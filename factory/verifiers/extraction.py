r"""Layer 0: which part of a completion is its answer, and by which rule.

Guarantees: the answer is a slice of the completion; every scan is linear; the rules are tried in the
order of RULES and the first that finds its mark decides, its last occurrence counts. No answer is taken
where a negation stands before it, where nothing is shown (\phantom), or where the same mark gives two
different answers in one sentence.

A base model that runs on into a question of its own is cut there, once it has marked an answer with
####, "the answer is" or "A:". Left out: answers that no rule marks, and which of several parts was asked.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from factory.verifiers import exact, expression, units
from factory.verifiers.lexing import FUNCTIONS
from factory.verifiers.spelling import Unsettled, clean, key


class Found(NamedTuple):
    """An answer and the rule that found it; or, with `answer` None, why there is none."""

    answer: str | None
    rule: str | None
    reason: str


class Span(NamedTuple):
    """Where a mark begins, and where the answer that it marks begins and ends."""

    mark: int
    start: int
    end: int


_BOX: Final = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*")
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE: Final = re.compile(r"-?[0-9][0-9.,]*|[A-Za-z]")
_HASH: Final = re.compile(r"(?<!#)####(?!#)")
_ANSWER_IS: Final = re.compile(
    r"\banswer(?:\*\*|__)?[ \t]*+(?:\bis\b[ \t]*+:?|:|=)(?:\*\*|__)?\s*", re.IGNORECASE
)
_A_LINE: Final = re.compile(r"^[ \t]*(?:\*\*)?A:(?:\*\*)?[ \t]*(?=[^\s])", re.MULTILINE)
_MARKS: Final = re.compile(rf"{_HASH.pattern}|(?i:{_ANSWER_IS.pattern})|^[ \t]*(?:\*\*)?A:", re.MULTILINE)
_NEW_QUESTION: Final = re.compile(
    r"^[ \t]*(?:\*\*|#+[ \t]*)?(?:Question|Q|Problem)[ \t]?[0-9]{0,4}:", re.MULTILINE
)
_SENTENCE_END: Final = re.compile(r"[.?](?=\s|$)|!(?=\s)|\n")
_AGAIN: Final = re.compile(r"[.!?]\s(?!\s*(?:or|and)\b)|\n", re.IGNORECASE)
_BECAUSE: Final = re.compile(r",?[ \t](?:because|since|so|which|as|where|when|for)[ \t]", re.IGNORECASE)
_LEADING: Final = re.compile(
    r"(?:(?:approximately|about|equal to|exactly|simply|therefore|then|just)[ \t]+)+", re.IGNORECASE
)
_DISPLAY: Final = {r"\[": r"\]", "$$": "$$", r"\(": r"\)"}
_NEGATION: Final = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\\not|\\neq?|≠|!=)[ \t${}(\\*:\[]*(?:(?:be|equal(?: to)?|text)[ \t${}(\\*:]*)?$"
)
_NEGATIVE: Final = re.compile(r"[\s${(]*(?:not\b|\\not(?![A-Za-z])|\\neq?(?![A-Za-z])|≠|!=)", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"\\[hv]?phantom(?![A-Za-z])")
_CODE: Final = re.compile(r"__|\blambda\b")
_NUMERAL: Final = r"(?>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_LAST: Final = re.compile(
    # Not inside a word, a longer number or a sum: `x2`, `3:30`, `9+1`, `9 + 1` end in no answer.
    r"(?<![\w.,:/^\\])(?<![\w)][-+*/])(?<![\w)][ \t][-+*/][ \t])"
    r"(?:(?<![\w)][ \t])[-+−][ \t]?)?[$€£¢¥]?(?:[-−](?=[$0-9.]))?(?>"
    rf"\\[dt]?frac\{{-?[0-9]+\}}\{{-?[0-9]+\}}|(?>{_NUMERAL})(?:/[0-9]+|[eE][-+]?[0-9]+)?)"
    r"(?:[ \t]?\\?%|[€£¢]|(?:[cmk]?m|[mk]?g|ft|lbs?|hrs?|m?l|[hs])(?:[²³]|\^[23])?)?"
    r"(?![\w#_@^]|[.,:/][0-9]|[ \t]?[-+*/=^][ \t]?[\w(])"
)
_DIGIT: Final = re.compile(r"[0-9]")
_PROSE: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}")
_ENVIRONMENT: Final = re.compile(r"\\(?:begin|end|text|mathrm|operatorname) ?\{[A-Za-z ]*\}")
_NO_PROSE: Final = FUNCTIONS | {"sqrt", "log", "pi", "dx", "dy", "dt", "du", "dr", "mod"}
_LONG_NUMERAL: Final = re.compile(r"[-+$]?[0-9][0-9.,]*")
LONGEST_WHOLE: Final = 2000
"""Characters in which a line must show that it is prose."""
MOST_MARKS: Final = 16


def extract(text: str, *, last_number: bool = True) -> Found:
    """The answer of a completion; `last_number` allows the last number of a text that marks nothing."""
    if not text.strip():
        return Found(None, None, "empty")
    text = _before_next_question(text.partition("\0")[0])  # what follows a NUL is not shown
    for rule, spans in RULES.items():
        if found := _choose(text, spans(text), rule):
            return found
    return (last_number and _choose(text, _last_number(text), "last_number")) or Found(None, None, "none")


def marked(text: str) -> Found | None:
    """The answer that a reference which is a whole solution marks with a box or ####, or None."""
    for rule in ("boxed", "hash"):
        if found := _choose(text, RULES[rule](text), rule):
            return found
    return None


def _before_next_question(text: str) -> str:
    first = _MARKS.search(text)
    question = _NEW_QUESTION.search(text, first.end()) if first else None
    return text[: question.start()] if question else text


def _choose(text: str, spans: list[Span], rule: str) -> Found | None:
    """The last of the spans, unless it is nothing, denied, or contradicted in the same sentence."""
    if not spans:
        return None
    last = spans[-1]
    answer = text[last.start : last.end]
    if last.end < 0:
        return Found(None, rule, "unclosed")
    if not clean(answer[:LONGEST_WHOLE]):
        return Found(None, rule, "empty")
    before = text[max(0, last.mark - 24) : last.mark]
    if _NEGATION.search(before) or _NEGATIVE.match(answer) or _HIDDEN.search(answer):
        return Found(None, rule, "negated")
    following = last.mark
    for span in reversed(spans[:-1]):
        if following - span.end > 200 or _AGAIN.search(text, span.end, following):
            break
        if key(clean(text[span.start : span.end])) != key(clean(answer)):
            return Found(None, rule, "several")
        following = span.mark
    return Found(answer, rule, "")


def _last_marks(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """As many as can matter: the last one, and those of its sentence."""
    return list(collections.deque(pattern.finditer(text), maxlen=MOST_MARKS))


def _trimmed(text: str, mark: int, start: int, end: int) -> Span:
    """The span without the blanks and the emphasis around it."""
    while start < end and text[start] in " \t\r\n*":
        start += 1
    while end > start and text[end - 1] in " \t\r\n*":
        end -= 1
    return Span(mark, start, end)


# --- the rules ---------------------------------------------------------------------------------------


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
        if end is not None:
            spans.append(_trimmed(text, box.start(), box.end() + 1, end))
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
        span = _trimmed(text, mark.start(), mark.end(), end)
        if span.start < span.end and (end >= bottom or _reads_as_answer(text[span.start : span.end])):
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
        spans.append(_core(text, _trimmed(text, mark.start(), start, end)))
    return spans


def _sentence(text: str, start: int, limit: int) -> tuple[int, int]:
    """The sentence that begins at `start`, or the displayed formula, up to `limit`."""
    closing = _DISPLAY.get(text[start : start + 2])
    if closing is not None and (close := text.find(closing, start + 2, limit)) >= 0:
        return start + 2, close
    end = _SENTENCE_END.search(text, start, limit)
    return start, end.start() if end else limit


def _core(text: str, span: Span) -> Span:
    """The answer inside a sentence: all of it, else what stands before a reason, else its only number."""
    start, end = span.start, span.end
    if leading := _LEADING.match(text, start, end):
        start = leading.end()
    if _reads_as_answer(text[start:end]):
        return Span(span.mark, start, end)
    if (reason := _BECAUSE.search(text, start, end)) and _reads_as_answer(text[start : reason.start()]):
        return Span(span.mark, start, reason.start())
    numbers = [match.span() for match in _LAST.finditer(text, start, end)]
    only = len({key(clean(text[first:last])) for first, last in numbers}) == 1
    if only and not _NEGATION.search(text, start, numbers[-1][0]):
        return _trimmed(text, span.mark, *numbers[-1])
    return Span(span.mark, start, end)


def _a_line(text: str) -> list[Span]:
    spans: list[Span] = []
    for mark in _last_marks(_A_LINE, text):
        end = text.find("\n", mark.end())
        spans.append(_trimmed(text, mark.start(), mark.end(), len(text) if end < 0 else end))
    return spans


def _whole(text: str) -> list[Span]:
    """The text itself, if it is one line and a number or a formula from end to end, readable or not."""
    span = _trimmed(text, 0, 0, len(text))
    line = text[span.start : span.end]
    if "\n" in line or not line:
        return []
    words = _PROSE.findall(_ENVIRONMENT.sub("", line[: LONGEST_WHOLE + 1]))
    formula = len(line) > 1 and not line.isalnum() and _NO_PROSE.issuperset(words)
    return [span] if formula or _reads_as_answer(line) or _HIDDEN.match(line) or _NEGATIVE.match(line) else []


def _reads_as_answer(text: str) -> bool:
    """Whether a text is a number or a formula and not prose; formulas that are not supported count."""
    if len(text) > LONGEST_WHOLE:
        return _LONG_NUMERAL.fullmatch(text) is not None
    cleaned = clean(text)
    try:
        if exact.quantity(cleaned) is not None:
            return True
        rest = units.split_unit(cleaned)[0]
        expression.parse(rest)
    except Unsettled as error:
        return error.reason == "unsupported:relation"
    return len(rest) == 1 or not rest.isalpha()


def _last_number(text: str) -> list[Span]:
    if _CODE.search(text):
        return []
    last: re.Match[str] | None = None
    for match in _LAST.finditer(text):
        last = match
    if last is None or _DIGIT.search(text, last.end()):
        return []  # the last number of the text is one that cannot be read
    return [_trimmed(text, last.start(), *last.span())]


RULES: Final[dict[str, Callable[[str], list[Span]]]] = {
    "boxed": _boxed,
    "hash": _hash,
    "answer_is": _answer_is,
    "a_line": _a_line,
    "whole": _whole,
}
"""Every rule but the last resort, in the order in which they are tried."""
