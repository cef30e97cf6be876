r"""Layer 0: which part of a completion is its answer, and by which rule.

Guarantees: the answer is a slice of the completion; every scan is linear; of all that is marked as an answer
(a box, ####, "the answer is", "A:") the last counts, so that what was retracted loses. Boxes joined by commas
or `and` are one answer. No answer is taken where a negation stands before it, where nothing is shown
(\phantom), where the same mark gives two different answers in one sentence, or where what follows takes it
back. What marks nothing is read by the last resorts, `last_resort.py`.

A base model that runs on into a question of its own is cut there, once it has marked an answer with
####, "the answer is" or "A:". Left out: which of several parts was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from factory.verifiers import last_resort, surroundings
from factory.verifiers.conclusion import NO_SOLUTION
from factory.verifiers.last_resort import Wanted
from factory.verifiers.marks import HEDGED, RULES, before_next_question, has_mark
from factory.verifiers.readable import (
    LONGEST_WHOLE,
    NUMERAL_IN_TEXT,
    Span,
    reads_as_answer,
    trimmed,
    words_of_prose,
)
from factory.verifiers.spelling import clean, key
from factory.verifiers.surroundings import NEGATION


class Found(NamedTuple):
    """An answer and the rule that found it; or, with `answer` None, why there is none.

    `text` is what to compare where that is not the slice itself: the contents of several boxes.
    """

    answer: str | None
    rule: str | None
    reason: str
    text: str | None = None
    several: bool = False


Finder = Callable[[str, Wanted], Found]

_AGAIN: Final = re.compile(r"[.!?]\s(?!\s*(?:or|and)\b)|\n", re.IGNORECASE)
_NEGATIVE: Final = re.compile(
    r"[\s${(]*(?:(?:not|never|cannot|no longer|far from|anything but)\b"
    r"|\\not(?![A-Za-z])|\\neq?(?![A-Za-z])|≠|!=)",
    re.IGNORECASE,
)
_HIDDEN: Final = re.compile(r"\\[hv]?phantom(?![A-Za-z])")
LEAST_WORDS_OF_PROSE: Final = 2
_END_OF_TURN: Final = re.compile(r"\0|<\|(?:im_start|im_end|endoftext|eot_id|end_of_turn)\|>|</s>")
STRUCK_OUT: Final = re.compile(r"(?<![^\s(*])~~(?=[^\s~])[^~\n]{1,200}~~(?![^\s).,;:!?*])")
_LAYOUT: Final = re.compile(r"[\s$~&]+|\\q?quad(?![A-Za-z])|\\[()\[\],; ]")
_JOINT: Final = re.compile(  # of what is left without layout, where there is one blank at most
    r"\}? ?(?:[a-z]{1,12} )?(?:,|;|\\text ?\{[^{}]{0,30}\b(?:and|or)\b[^{}]{0,12}\}|\\text ?\{ ?, ?\})?"
    r" ?(?:and|or)? ?(?:[A-Za-z](?:_\{?[0-9A-Za-z]\}?)? ?= ?)?"
)
_JOINS: Final = re.compile(r",|;|\band\b|\bor\b|\\q?quad")
_NAME_BEFORE: Final = re.compile(r"(?<![A-Za-z\\])([A-Za-z](?:_\{?[0-9A-Za-z]\}?)?) ?= ?$")
_TAKEN_BACK: Final = re.compile(
    r"\b(?:wait|hold on|scratch that|oops|correction|sorry|on second thought|I made an? (?:mistake|error)"
    r"|(?:that|this)(?:['’]s| is| was)(?: not right| wrong| incorrect)|actually)\b",
    re.IGNORECASE,
)
_UNDECIDED: Final = re.compile(
    r"\b(?:not sure|unsure) (?:which|whether)\b|\bone of (?:these|the) two\b", re.IGNORECASE
)
_NO: Final = re.compile(r"\b(?:no|not|wrong|incorrect|never)\b|n['’]t\b", re.IGNORECASE)
_CONFIRMED: Final = re.compile(
    r"\b(?:yes|still|stands|indeed|correct|confirm(?:s|ed)|checks out|right answer|as before|matches)\b",
    re.IGNORECASE,
)


def extract(text: str, wanted: Wanted) -> Found:
    """The answer of a completion; where nothing is marked, the last resort for what is `wanted`."""
    if not text.strip():
        return Found(None, None, "empty")
    return _unbroken(text, _found(before_next_question(_shown(text)), wanted))


def unwrap(text: str, wanted: Wanted) -> Found:
    """The answer in a text that is all answer: inside its mark, else all of it, else its formula."""
    return _unbroken(text, _unwrapped(_shown(text), wanted))


def _unbroken(text: str, found: Found) -> Found:
    """`found`, unless something in the midst of it is struck out."""
    if found.answer is not None and found.answer not in text:
        return Found(None, found.rule, "struck_out")
    return found


def _found(text: str, wanted: Wanted) -> Found:
    if not text.strip():
        return Found(None, None, "empty")
    if found := _last_marked(text, RULES):
        return found
    return _choose(text, _whole(text), "whole") or _last_resort(text, wanted)


def _unwrapped(text: str, wanted: Wanted) -> Found:
    if not text.strip():
        return Found(None, None, "empty")
    if found := _last_marked(text, RULES):
        return found
    whole = _choose(text, [trimmed(text, 0, 0, len(text))], "whole") or Found(None, None, "empty")
    if whole.answer is None or len(whole.answer) > LONGEST_WHOLE or reads_as_answer(whole.answer):
        return whole
    if len(words_of_prose(whole.answer)) < LEAST_WORDS_OF_PROSE:
        return whole
    last = _last_resort(text, Wanted.SENTENCE if wanted is Wanted.NUMBER else wanted)
    return last if last.answer is not None else whole


def _shown(text: str) -> str:
    """What is said: after a thought, up to a NUL, which ends what is shown, or the mark of a next turn."""
    text = STRUCK_OUT.sub(" ", _END_OF_TURN.split(text, maxsplit=1)[0])
    _, closed, said = text.rpartition("</think>")
    return said if closed and said.strip() else text


def marked(text: str) -> Found | None:
    """The answer that a reference which is a whole solution marks, or None."""
    if (boxes := RULES["boxed"](text)) and (joined := _joined_boxes(text, boxes, adjacent=True)):
        return joined
    # A reference such as `A:B = 1` is a ratio; `A: 5` on a line of its own is a mark.
    rules = {rule: RULES[rule] for rule in RULES if rule != "a_line" or text.startswith("A: ")}
    best = _best_mark(text, rules)
    return best[1] if best else None


def _last_marked(text: str, rules: Mapping[str, Callable[[str], list[Span]]]) -> Found | None:
    """What the last mark marks, unless it is taken back."""
    best = _best_mark(text, rules)
    return _unless_taken_back(text, *best) if best else None


def _best_mark(text: str, rules: Mapping[str, Callable[[str], list[Span]]]) -> tuple[int, Found] | None:
    """The last mark of any rule; a sentence that only speaks of an answer does not count."""
    best: tuple[int, Found] | None = None
    for rule, find in rules.items():
        spans = find(text) if has_mark(rule, text) else []
        if not spans:
            continue
        found = (_joined_boxes(text, spans) if rule == "boxed" else None) or _choose(text, spans, rule)
        if found is None or (best and spans[-1].mark < best[0]):
            continue
        if best and found.answer is not None and rule == "answer_is" and not reads_as_answer(found.answer):
            continue
        best = (spans[-1].mark, found)
    return best


def _unless_taken_back(text: str, mark: int, found: Found) -> Found:
    """`found`, unless the text goes on with `wait, no`: then what it ends with, if that is told."""
    if found.answer is None:
        return found
    start = max(text.find(found.answer, mark), mark) + len(found.answer)
    if NO_SOLUTION.search(text, start):
        return Found(None, found.rule, "retracted")
    if _UNDECIDED.search(text, start):
        return Found(None, found.rule, "several")
    cue = _TAKEN_BACK.search(text, start)
    if cue is None or _CONFIRMED.search(text, cue.end()):
        return found
    later = _last_resort(text[cue.end() :], Wanted.NUMBER)
    same = later.answer is not None and key(clean(later.answer)) == key(clean(found.answer))
    if later.answer is None or (same and _NO.search(text, cue.end())):
        return Found(None, found.rule, "retracted")
    return found if same else later


def _joined_boxes(text: str, spans: list[Span], *, adjacent: bool = False) -> Found | None:
    """Boxes with nothing but commas, `and`, `or` between (or, if `adjacent`, with nothing) as one answer."""
    first = len(spans) - 1
    while first > 0 and spans[first].end >= 0:
        between = text[spans[first - 1].end : spans[first].mark]
        left = _LAYOUT.sub(" ", between) if len(between) <= 80 else "?"
        joined = _JOINS.search(between) and _JOINT.fullmatch(re.sub(" +", " ", left))
        if not joined and not (adjacent and not left.strip(" }")):
            break
        first -= 1
    run = spans[first:]
    if len(run) < 2 or run[-1].end < 0:
        return None
    before = text[max(0, run[0].mark - 24) : run[0].mark]
    if NEGATION.search(before) or surroundings.denied(text, run[0].mark, run[-1].end):
        return Found(None, "boxed", "negated")
    boxes = [surroundings.boxed_whole(text, *span) for span in run]
    if not adjacent and None in boxes:
        return Found(None, "boxed", "inside_formula")
    contents = [box[2] if box else text[span.start : span.end] for span, box in zip(run, boxes, strict=True)]
    if len({key(clean(one)) for one in contents}) == 1:
        return None
    names = [_NAME_BEFORE.search(text, max(0, span.mark - 24), span.mark) for span in run]
    parts = [f"{name[1]} = {one}" if name else one for name, one in zip(names, contents, strict=True)]
    return Found(text[run[0].mark : run[-1].end], "boxes", "", ", ".join(parts), several=True)


def _choose(text: str, spans: list[Span], rule: str) -> Found | None:
    """The last of the spans, unless it is nothing, denied, or contradicted in the same sentence."""
    if not spans:
        return None
    last = spans[-1]
    answer = text[last.start : last.end]
    if last.end < 0:
        return Found(None, rule, "unclosed")
    if not clean(answer[:LONGEST_WHOLE]):
        cut = len(spans) > 1 and not text[last.end :].strip()
        return (_choose(text, spans[:-1], rule) if cut else None) or Found(None, rule, "empty")
    before = text[max(0, last.mark - 24) : last.mark]
    if NEGATION.search(before) or _NEGATIVE.match(answer) or _HIDDEN.search(answer):
        return _said_before(text, spans, rule) or Found(None, rule, "negated")
    if surroundings.denied(text, last.mark, last.end):
        return Found(None, rule, "negated")
    following = last.mark
    for span in reversed(spans[:-1]):
        if following - span.end > 200 or _AGAIN.search(text, span.end, following):
            break
        if rule == "boxed" and not HEDGED.search(text, span.end, following):
            break  # `\boxed{6/8}, which is \boxed{3/4}`; what is joined by `or` is `_joined_boxes`
        if key(clean(text[span.start : span.end])) != key(clean(answer)):
            return Found(None, rule, "several")
        following = span.mark
    return _boxed(text, last) if rule == "boxed" else _in_full(answer, rule, surroundings.signed(answer))


def _boxed(text: str, span: Span) -> Found:
    """The contents of a box with the sign before it, unless the box is an operand of a formula."""
    whole = surroundings.boxed_whole(text, *span)
    if whole is None:
        return Found(None, "boxed", "inside_formula")
    if surroundings.OR_ANOTHER.match(text, span.end):
        return Found(None, "boxed", "several")
    start, end, said = whole
    return _in_full(text[start:end], "boxed", said)


def _in_full(answer: str, rule: str, said: str) -> Found:
    return Found(answer, rule, "", None if said == answer else said)


def _said_before(text: str, spans: list[Span], rule: str) -> Found | None:
    """What was said to be the answer before another was denied: `The answer is 19. It is not 20`."""
    if len(spans) < 2 or not _AGAIN.search(text, spans[-2].end, spans[-1].mark):
        return None
    denied, said = (NUMERAL_IN_TEXT.findall(text, span.start, span.end) for span in spans[-1:-3:-1])
    if set(denied) & set(said):
        return None
    return _choose(text, spans[:-1], rule)


def _whole(text: str) -> list[Span]:
    """The text itself, if it is one line and a number or a formula from end to end, readable or not."""
    span = trimmed(text, 0, 0, len(text))
    line = text[span.start : span.end]
    if "\n" in line or not line:
        return []
    formula = len(line) > 1 and not line.isalnum() and not words_of_prose(line)
    return [span] if formula or reads_as_answer(line) or _HIDDEN.match(line) or _NEGATIVE.match(line) else []


def _last_resort(text: str, wanted: Wanted) -> Found:
    for rule, spans in last_resort.spans(text, wanted):
        if found := _choose(text, spans, rule):
            return found
    return Found(None, None, "none")
