r"""The number that a text without a mark concludes with.

Guarantees: linear scans. Of the numbers in the last sentence that has any, the last one counts that is no
aside (`in 30 days`, `of the 60`); what is set against the answer (`instead of 40`, `not 18`) and what stands
in calculator annotations never counts. A unit behind the number is part of it. No answer is taken from a
guess, a line that breaks off, or a text that goes on to something else. A number in words counts where a
concluding sentence after the last numeral has no other number.

Left out: which of two answers was asked for; `no apples`, which is no number.
"""

from __future__ import annotations

import re
from typing import Final

from factory.verifiers import surroundings, unit_table
from factory.verifiers.conclusion import conclusion
from factory.verifiers.number_names import NUMBER_WORDS
from factory.verifiers.readable import NUMERAL_IN_TEXT, Span, trimmed
from factory.verifiers.words import number_in_words

SENTENCE: Final = re.compile(r"(?<=[.!?])(?<!i\.e\.)(?<!e\.g\.)\s+|\n+")
LONGEST_CLOSING: Final = 300
"""Characters that may stand behind the number."""
LONGEST_SENTENCE: Final = 2000
MOST_IN_SENTENCE: Final = 16
LARGEST_IN_PASSING: Final = 12
"""What may stand in words behind the number and be no answer: `46 pieces of the two kinds`."""

_CODE: Final = re.compile(r"__|\blambda\b")
_DIGIT: Final = re.compile(r"[0-9](?![0-9]{0,6}-[a-z]{3})")  # `the 3-mile trail` has no number
_ANNOTATION: Final = re.compile(r"<<[^<>\n]*>>")
_OWNER: Final = (
    r"(?:(?:only|just|the|his|her|their|its|my|our|these|those|all|original|initial|[a-z]+(?:s['’]|['’]s))"
    + r"[ \t]+)"
)
_MONTH: Final = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)[ \t]+"
)
_AGAINST: Final = re.compile(  # what the answer is not
    r"\b(?:not|instead of|rather than|than|as opposed to|unlike|ruled? out|compared (?:to|with)"
    r"|(?:down|up) from|versus)"
    rf"[ \t]+{_OWNER}{{0,3}}[$€£]?$",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(
    r"(?:\b(?:in|from|(?<!, )for|with|among|after|over|during|within|every|per|at|by|on|until|since)[ \t]+"
    rf"(?:[a-z]+ing[ \t]+)?{_OWNER}{{0,3}}(?:{_MONTH})?"
    rf"|\b{_MONTH}|\b(?:first|last|next|other|the|his|her|their|its)[ \t]+|\ball[ \t]+(?:the[ \t]+)?"
    r"|(?<!total )(?<!sum )(?<!average )(?<!mean )(?<!amount )(?<!cost )(?<!price )(?<!profit )(?<!area )"
    r"\bof[ \t]+"
    r")[$€£]?$",
    re.IGNORECASE,
)
_PART_OF: Final = re.compile(
    rf"\b(?:(?:of|in|from|for|with|among)[ \t]+{_OWNER}{{1,3}}|out of[ \t]+)$", re.IGNORECASE
)
_RESULT: Final = re.compile(r"(?:[=≈]|>>)[ \t]?$")
_OPERAND: Final = re.compile(r"[ \t]?[-+*/=×÷−–][ \t]?[$€£<]|[ \t]of[ \t][$€£]?[0-9]")
_GOES_ON: Final = re.compile(
    r"\b(?:so|then|thus|hence|therefore|leav(?:es|ing)|left|means?|meaning|which|and|but|giv(?:es|ing)"
    r"|mak(?:es|ing)|total)\b|[,;:=]",
    re.IGNORECASE,
)
_OFFSET: Final = re.compile(
    r"[ \t]*%?[ \t]*(?:(?:more|less|fewer|greater|higher|lower)[ \t]+than|over)[ \t]+[$\d]"
)
_COMPARED: Final = re.compile(r"[ \t]*%?[ \t]*(?:\w+[ \t]+)?(?:more|less|[a-z]{3,7}er)\b[^.!?\n]*\bthan\b")
_BESIDE: Final = re.compile(  # a part or a price of what was told before it
    r"(?<=[,(][ \t])[$€£]?[0-9][0-9.,]*[ \t](?:(?:per|each|apiece)\b)"
    r"|(?<=,[ \t])[0-9.]+%[ \t]of\b"
    r"|(?<=,[ \t])[0-9]+[ \t]of[ \t](?:whom|which)\b"
    r"|(?<=[ \t]and[ \t])[0-9]+[ \t]of[ \t](?:the|his|her|their|them|these|those|which)\b"
)
_BOUND: Final = re.compile(
    r"\b(?:has|have|had|is|are|be|needs?|costs?)[ \t]+(?:more|less|fewer|greater)[ \t]+than[ \t]+[$€£]?$",
    re.IGNORECASE,
)
_IN_OTHER_WORDS: Final = re.compile(
    r",?[ \t](?:i\.e\.|that is,|namely\b)|[ \t]\((?![^()]*\))"
    r"|[,;][ \t](?:having|who|whose|with (?:each|every|the)|since|because|as|when|where|while|whereas"
    r"|although|though|if|today|of which|including|which (?:is the|beats|exceeds))\b"
)
_CLOSED: Final = re.compile(
    r"[^.!?\n]*(?:[.!?](?!\S)[\"')*]*)?\s*(?:\\end\{[a-z]{2,12}\*?\}|\\\]|\$\$|```)?\s*"
    r"(?:(?:That|This is|Done|Good luck|Great|Q\.?E\.?D)[^\n]*)?\W*",
    re.IGNORECASE,
)
_SHARE: Final = re.compile(  # `the probability is 1 in 6`
    r"\b(?:probability|chances?|odds|fraction|proportion)\b[^.!?\n]{0,60}\b[0-9]+ (?:in|out of) [0-9]",
    re.IGNORECASE,
)
_ASKED: Final = re.compile(r"[^.!?\n]{0,300}\?")
_GUESSED: Final = re.compile(
    r"\b(?:between[ \t]+[$\d]|either|I(?:['’]d| would)? guess|(?:my|a|best) guess|maybe|perhaps|probably"
    r"|might|not sure|unsure"
    r"|extraneous|thrown out|(?:is|are|was) too (?:many|much|few|small|large|big|high|low)"
    r"|[0-9]+ (?:remainder|R) [0-9]+|discard(?:ed)?|reject(?:ed)?)\b",
    re.IGNORECASE,
)
_UNFINISHED: Final = re.compile(r"(?<!\*)[-*+/=×÷(,:]\s*$")
_UNIT: Final = re.compile(
    r"[ \t]([A-Za-z]{2,12})(?:[ \t](?:per|an?)[ \t]([a-z]{1,8})|/([a-z]{1,8}))?(?![\w/])"
)
_NO_UNITS: Final = {  # words of prose, or names with several sizes
    *("am", "as", "at", "bar", "cup", "cups", "degree", "degrees", "ha", "in", "mi", "pm", "point", "points"),
    *("pt", "second", "st", "ton", "tons", "us"),
}
_WORD_RUN: Final = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+)*")
_WORD: Final = re.compile(r"[A-Za-z]+")
_SAYS: Final = re.compile(
    r"\b(?:so|thus|hence|therefore|conclusion|altogether|total|left|leaves?|leaving|remain\w*|is|are|has"
    r"|have|had|gets?|needs?|takes?|makes?|costs?|will|must)\b",
    re.IGNORECASE,
)
_A_PART: Final = re.compile(r"\b(?:an?|one|another)[ -](?:half|third|quarter|fourth|fifth)\b", re.IGNORECASE)
_OR: Final = re.compile(r"[0-9][0-9.,]*[ \t](?:\w+[ \t])?or[ \t]+[$€£]?$")
_CHAIN: Final = re.compile(r"=[ \t]?[$€£]?([0-9][0-9.,]*)[ \t]?=[ \t]?$")
_NO_NUMBER: Final = frozenset(
    ("one", "first", "half", "quarter", "third", "fourth", "fifth", "point", "dozen")
)
_MAY_JOIN: Final = (NUMBER_WORDS, NUMBER_WORDS | {"and", "a"})
"""The words a number may begin with, and go on with."""
_NONE: Final = re.compile(r"\b(?:no|none|nothing|zero)\b", re.IGNORECASE)
_NONE_LEFT: Final = re.compile(
    r"\bno (?:\w+ ){1,3}(?:left|remain\w*)\b|\bnothing (?:is )?(?:left|remains)\b", re.IGNORECASE
)
_SINGLE_LETTER: Final = re.compile(r"[ \t][gmL](?=[.,;)]|$)")


def last_number(text: str) -> list[Span]:
    """The number that `text` concludes with, as one span, or none."""
    shown = None if _CODE.search(text) else conclusion(text)
    if shown is None:
        return []
    last_digit = max(map(shown.rfind, "0123456789"))
    if last_digit < 0 or SENTENCE.search(shown, last_digit + 1, len(shown.rstrip())):
        in_words, found = _in_words(shown)
        if in_words:
            return found
    sentence = _sentence_start(shown, last_digit)
    numerals = _numerals(shown, sentence)
    if not numerals:
        return []
    last = numerals[-1]
    if _DIGIT.search(shown, last.end()) or _UNFINISHED.search(shown, max(last.end() - 1, 0)):
        return []  # the last number of the text is one that cannot be read
    if len(shown) - last.end() > LONGEST_CLOSING or not _CLOSED.fullmatch(shown, last.end()):
        return []  # the text goes on to something else
    told = _told(shown, numerals[-MOST_IN_SENTENCE:])
    if told is None or _is_doubtful(shown, sentence, told, last):
        return []
    start, end = surroundings.widened(shown, *told.span())
    if surroundings.changed(shown, start, end):
        return []
    return [trimmed(shown, start, start, _with_unit(shown, end))]


def _is_doubtful(text: str, sentence: int, told: re.Match[str], last: re.Match[str]) -> bool:
    """Whether the sentence guesses, asks, says that nothing is left, or ends in another number, in words."""
    if _GUESSED.search(text, sentence, told.end() + 40) or _SHARE.search(text, sentence):
        return True
    if told[0] != "0" and _NONE_LEFT.search(text, sentence):
        return True
    if _ASKED.match(text, last.end()) and "=" not in text[sentence : last.start()]:
        return True
    chain = _CHAIN.search(text, sentence, told.start())
    if _OR.search(text, sentence, told.start()) or (chain and chain[1] != told[0].lstrip("$€£")):
        return True
    gap = SENTENCE.search(text, last.end())
    start = surroundings.widened(text, *last.span())[1]
    aside = any(one.search(text, sentence, told.start()) for one in (_ASIDE, _PART_OF))
    for span in _number_words(text, sentence if aside else start, gap.start() if gap else len(text)):
        value = number_in_words(text[span.start : span.end])
        if value is not None and (aside or value.denominator != 1 or value > LARGEST_IN_PASSING):
            return True
    return surroundings.part_of_more(text, *told.span())


def _sentence_start(text: str, end: int) -> int:
    """Where the sentence that holds the character before `end` begins."""
    start = max(0, end - LONGEST_SENTENCE)
    for gap in SENTENCE.finditer(text, start, max(end, 0)):
        start = gap.end()
    return start


def _numerals(text: str, start: int) -> list[re.Match[str]]:
    """The numbers from `start` on outside calculator annotations, in the order of the text."""
    annotations = [match.span() for match in _ANNOTATION.finditer(text, start)]
    found = []
    for match in NUMERAL_IN_TEXT.finditer(text, start):
        while annotations and annotations[0][1] <= match.start():
            annotations.pop(0)
        if not annotations or match.end() <= annotations[0][0]:
            found.append(match)
    return found


def _told(text: str, numerals: list[re.Match[str]]) -> re.Match[str] | None:
    """The number that a sentence tells: its last one that is no aside, else the last aside."""
    sure, aside, result = None, None, None
    for match in numerals:
        before = text[max(0, match.start() - 60) : match.start()]
        if _RESULT.search(before):
            sure = result = match
            continue
        if _BOUND.search(before):
            return None
        if _OPERAND.match(text, match.end()) or _AGAINST.search(before):
            continue
        first = sure is None and aside is None
        if not first and _PART_OF.search(before):
            continue
        beside = _OFFSET.match(text, match.end()) if first else _is_beside(text, numerals[0], result, match)
        if beside or _ASIDE.search(before):
            aside = match
        else:
            sure = match
    return sure or aside


def _is_beside(text: str, first: re.Match[str], result: re.Match[str] | None, match: re.Match[str]) -> bool:
    """Whether a number that is not the first of its sentence only goes with another one."""
    if result is not None and not _GOES_ON.search(text, result.end(), match.start()):
        return True
    if _COMPARED.match(text, match.end()) or _BESIDE.match(text, match.start()):
        return True
    if text.count("—", first.end(), match.start()) % 2 and "—" in text[match.end() : match.end() + 100]:
        return True
    return _IN_OTHER_WORDS.search(text, first.end(), match.start()) is not None


def _with_unit(text: str, end: int) -> int:
    """Where the unit behind a number ends: its words, where the table of units has them."""
    if letter := _SINGLE_LETTER.match(text, end):
        return letter.end()
    unit = _UNIT.match(text, end)
    if unit is None or unit[1] in _NO_UNITS or unit[1] not in unit_table.ALIASES:
        return end
    below = unit[2] or unit[3]
    if below is None:
        return unit.end()
    return unit.end() if below in unit_table.ALIASES else end


def _in_words(text: str) -> tuple[bool, list[Span]]:
    """Whether the last sentence speaks of numbers in words, and its one number, if it concludes with it."""
    bottom = len(text.rstrip())
    start = _sentence_start(text, bottom)
    if bottom - start > LONGEST_CLOSING:
        return False, []
    found = _number_words(text, start, bottom)
    if not found:
        return _A_PART.search(text, start, bottom) is not None, []
    if not _SAYS.search(text, start, bottom):
        return bool(found), []
    asides = (_ASIDE, _PART_OF)
    told = [span for span in found if not any(one.search(text, start, span.start) for one in asides)] or found
    if len(told) != 1 or _GUESSED.search(text, start, bottom) or _NONE.search(text, start, told[0].start):
        return bool(found), []
    span = told[0]
    if surroundings.changed(text, span.start, span.end) or surroundings.denied(text, span.start, span.end):
        return True, []
    return True, [Span(span.mark, span.start, _with_unit(text, span.end))]


def _number_words(text: str, start: int, end: int) -> list[Span]:
    """The numbers in words between `start` and `end`."""
    runs = _WORD_RUN.finditer(text, start, end)
    return [span for run in runs for span in _in_run(text, *run.span())]


def _in_run(text: str, start: int, end: int) -> list[Span]:
    """The numbers among words with nothing but blanks and hyphens between them."""
    words = [match.span() for match in _WORD.finditer(text, start, end)]
    found = []
    at = 0
    while at < len(words):
        stop = at
        while stop < len(words) and text[slice(*words[stop])].lower() in _MAY_JOIN[at < stop]:
            stop += 1
        while stop > at and text[slice(*words[stop - 1])].lower() in ("and", "a"):
            stop -= 1
        said = text[words[at][0] : words[stop - 1][1]] if stop > at else ""
        if said and said.lower() not in _NO_NUMBER and number_in_words(said) is not None:
            found.append(Span(words[at][0], words[at][0], words[stop - 1][1]))
        at = max(stop, at + 1)
    return found
