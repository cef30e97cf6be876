"""English number words read exactly.

Guarantees: `number_in_words` reads a text only when all of it is one number in words (or a numeral with a
scale in words, `1.5 billion`); two numbers in a row, ordinals, years in pairs and words whose grouping
could be meant in two ways (`two hundred thirds`) are no number. Left out: words of other languages, `no`,
`none`, `once`, `a couple`, and numerals alone.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from factory.verifiers.number_names import BELOW_TEN_PARTS, NUMBER_WORDS, PARTS, PLURALS, SCALES, TENS, UNITS

_JOINING: Final = frozenset(("a", "an", "and", "minus", "negative", "plus", "positive", "over", "of"))
_SIGNS: Final = {"minus": -1, "negative": -1, "plus": 1, "positive": 1}
_LONGEST: Final = 200
_NUMERAL: Final = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18})(?:\.[0-9]{1,18})?")
_WRAPPED: Final = re.compile(r"\\text ?\{ ?([^{}]*?) ?\}")
_TOKEN: Final = re.compile(r"[0-9][0-9.,]*|[a-z]+")
_SHAPE: Final = re.compile(r"-?(?:[0-9][0-9.,]*|[a-z]+)(?:[ -](?:[0-9][0-9.,]*|[a-z]+))*")
_LEADING: Final = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+)*")
_REST: Final = re.compile(r" (?:[A-Za-z°]|\\text ?\{)|%| %")
_PARTITIVE: Final = re.compile(r"^ (?:of )?an? (?=[A-Za-z])")
_WORD: Final = re.compile(r"[A-Za-z]+")

Read = tuple[Fraction, int]
"""A number, and the position of the first token after it."""


def number_in_words(text: str) -> Fraction | None:
    """The number that the whole text spells in English words, or None when it is not certainly one."""
    if len(text) > _LONGEST:
        return None
    wrapped = _WRAPPED.fullmatch(text)
    text = " ".join((wrapped[1] if wrapped else text).lower().split())
    if _SHAPE.fullmatch(text) is None:
        return None
    sign = 1
    tokens = _TOKEN.findall(text)
    if text.startswith("-"):
        sign = -1
    elif tokens[0] in _SIGNS:
        sign = _SIGNS[tokens.pop(0)]
    if not _are_number_words(tokens):
        return None
    found = _number(tokens)
    return None if found is None else sign * found


def _are_number_words(tokens: list[str]) -> bool:
    """Whether every token may be part of a number, and at least one is a number word."""
    spelled = False
    for token in tokens:
        if token in NUMBER_WORDS or token in BELOW_TEN_PARTS:
            spelled = True
        elif token not in _JOINING and _NUMERAL.fullmatch(token) is None:
            return False
    return spelled


def _number(tokens: list[str]) -> Fraction | None:
    if tokens[-1] == "dozen":
        count = _dozens(tokens[:-1])
        return None if count is None else 12 * count
    if tokens[0] == "half" and len(tokens) > 2 and tokens[1] in ("a", "an"):
        scale = SCALES.get(tokens[2])
        return Fraction(scale, 2) if scale and len(tokens) == 3 else None
    if "over" in tokens:
        return _over(tokens)
    if "point" in tokens:
        return _decimal(tokens)
    if tokens[0] in PARTS:
        return Fraction(1, 2) if tokens == ["half"] else None
    read = _cardinal(tokens)
    return None if read is None else _with_parts(tokens, *read)


def _dozens(tokens: list[str]) -> Fraction | None:
    if not tokens or tokens in (["a"], ["one"]):
        return Fraction(1)
    if tokens in (["half", "a"], ["half"], ["a", "half"]):
        return Fraction(1, 2)
    if len(tokens) == 1 and _NUMERAL.fullmatch(tokens[0]):
        return Fraction(tokens[0].replace(",", ""))
    return None if "dozen" in tokens or tokens[0] in _JOINING else _number(tokens)


def _over(tokens: list[str]) -> Fraction | None:
    at = tokens.index("over")
    top, low = (_cardinal(part) for part in (tokens[:at], tokens[at + 1 :]))
    if top is None or low is None or top[1] != at or low[1] != len(tokens) - at - 1 or low[0] == 0:
        return None
    return top[0] / low[0]


def _decimal(tokens: list[str]) -> Fraction | None:
    """`two point five`, `point two five`, `two point five million`."""
    at = tokens.index("point")
    whole = _cardinal(tokens[:at]) if at else (Fraction(0), 0)
    scale, end = _scale(tokens, at + 1, backwards=True)
    places = [UNITS.get(token, 10) for token in tokens[at + 1 : end]]
    if whole is None or whole[1] != at or not places or max(places) > 9 or not _all_words(tokens):
        return None
    return (whole[0] + Fraction(int("".join(map(str, places))), 10 ** len(places))) * scale


def _all_words(tokens: list[str]) -> bool:
    return not any(token[0].isdigit() for token in tokens)


def _scale(tokens: list[str], start: int, *, backwards: bool = False) -> Read:
    """The product of the scales at `start`, or of those the tokens end with, and where they end or begin."""
    scale = Fraction(1)
    if backwards:
        end = len(tokens)
        while end > start and tokens[end - 1] in SCALES:
            end -= 1
            scale *= SCALES[tokens[end]]
        return scale, end
    while start < len(tokens) and tokens[start] in SCALES:
        scale *= SCALES[tokens[start]]
        start += 1
    return scale, start


def _cardinal(tokens: list[str]) -> Read | None:
    """The cardinal number the tokens begin with: words in falling scales, or a numeral with its scales."""
    if not tokens:
        return None
    if _NUMERAL.fullmatch(tokens[0]):
        factor, end = _scale(tokens, 1)
        return Fraction(tokens[0].replace(",", "")) * factor, end
    at = 1 if tokens[0] in ("a", "an") else 0
    if at and tokens[1:2] and tokens[1] not in SCALES:
        return (Fraction(1), 1) if tokens[1] in PARTS else None
    total, ceiling = 0, 10**18
    while True:
        start = at + 1 if total and tokens[at : at + 1] == ["and"] else at
        group, end = _below_thousand(tokens, start)
        scale = 1
        while end < len(tokens) and 100 < SCALES.get(tokens[end], 0) < ceiling and (group or end > start):
            scale, end = scale * SCALES[tokens[end]], end + 1
            if end < len(tokens) and tokens[end] in SCALES:
                return None
        if end == start or scale >= ceiling or (total and not group):
            return (Fraction(total), at) if at else None
        if group >= 1000 and (scale != 1 or total):
            return None  # `two thousand twenty five hundred`
        total, at, ceiling = total + group * scale, end, scale
        if scale == 1:
            return Fraction(total), at


def _below_thousand(tokens: list[str], at: int) -> tuple[int, int]:
    """A number below 1000, or below 10,000 in hundreds; (0, at) when there is none."""
    value, end = _below_hundred(tokens, at)
    if (
        end == at
        and tokens[at : at + 1]
        and tokens[at] in SCALES
        and (at == 0 or tokens[at - 1] in ("a", "an"))
    ):
        value = 1
        if tokens[at] != "hundred":
            return 1, at
    if tokens[end : end + 1] != ["hundred"] or not value:
        return value, end
    hundreds, at = value * 100, end + 1
    start = at + 1 if tokens[at : at + 1] == ["and"] else at
    rest, end = _below_hundred(tokens, start)
    return (hundreds + rest, end) if rest else (hundreds, at)


def _below_hundred(tokens: list[str], at: int) -> tuple[int, int]:
    word = tokens[at] if at < len(tokens) else ""
    if word in UNITS:
        return UNITS[word], at + 1
    if word not in TENS:
        return 0, at
    unit = UNITS.get(tokens[at + 1], 0) if at + 1 < len(tokens) else 0
    return (TENS[word] + unit, at + 2) if 0 < unit < 10 else (TENS[word], at + 1)


def _with_parts(tokens: list[str], whole: Fraction, at: int) -> Fraction | None:
    """`whole` and what may follow it: nothing, parts of it (`two thirds`), `and` parts with a scale."""
    if at == len(tokens):
        return None if tokens[-1] in ("a", "an") else whole
    if tokens[at] != "and":
        if "and" in tokens[:at]:
            return None  # `one hundred and two thirds`
        part = _part(tokens, at, whole, joint=tokens[at - 1] in TENS or tokens[at - 1] in SCALES)
        return None if part is None or part[1] != len(tokens) else part[0]
    if whole.denominator != 1:
        return None
    count = _cardinal(tokens[at + 1 :])
    if count is None:
        return None
    start = at + 1 + count[1]
    part = _part(tokens, start, count[0], joint=tokens[start - 1] in TENS or tokens[start - 1] in SCALES)
    if part is None or part[0] >= 1:
        return None
    scale, end = _scale(tokens, part[1])
    if end != len(tokens) or (scale != 1 and tokens[at - 1] in SCALES):
        return None
    return (whole + part[0]) * scale


def _part(tokens: list[str], at: int, count: Fraction, *, joint: bool) -> Read | None:
    """`count` of the parts named at `at`; a number that could be joined to their name is refused."""
    if at >= len(tokens) or joint or count.denominator != 1 or count == 0:
        return None
    size, end = 1, at
    if tokens[at] in TENS and tokens[at + 1 : at + 2]:
        name = _singular(tokens[at + 1], plural=count != 1)
        if name not in BELOW_TEN_PARTS:
            return None
        return count / (TENS[tokens[at]] + BELOW_TEN_PARTS[name]), at + 2
    if tokens[at] in ("ten", "hundred") and tokens[at + 1 : at + 2]:
        size, end = (10 if tokens[at] == "ten" else 100), at + 1
    name = _singular(tokens[end], plural=count != 1)
    if name not in PARTS or (size != 1 and name not in ("thousandth", "millionth", "billionth")):
        return None
    return count / (size * PARTS[name]), end + 1


def _singular(word: str, *, plural: bool) -> str:
    """The singular of the name of a part, "" where its number does not fit the count before it."""
    if (word in PLURALS) != plural:
        return ""
    return "half" if word == "halves" else word[:-1] if plural else word


def words_to_digits(text: str) -> str:
    """`text` with the number words it begins with, before a unit, as digits; else `text` itself.

    `twenty-one apples` becomes `21 apples`, `half an hour` `1/2 hour`. A text with a number further on,
    or with number words alone, stays as it is.
    """
    if not text or len(text) > _LONGEST:
        return text
    leading = _LEADING.match(text)
    if leading is None:
        return text
    spans = [match.span() for match in _WORD.finditer(leading[0])]
    count = 0
    for start, end in spans:
        word = text[start:end].lower()
        if word not in NUMBER_WORDS and word not in _JOINING:
            break
        count += 1
    while count and (text[spans[count - 1][0] : spans[count - 1][1]].lower() in _JOINING):
        count -= 1
    if count == 0:
        return text
    end = spans[count - 1][1]
    number, rest = number_in_words(text[:end]), text[end:]
    if number is None or not _REST.match(rest) or _carries_number(rest):
        return text
    rest = _PARTITIVE.sub(" ", rest, count=1) if number < 1 else rest
    return text if rest.startswith(" of ") else f"{number}{rest}"


def _carries_number(text: str) -> bool:
    words = {word.lower() for word in _WORD.findall(text)}
    return any(map(str.isdigit, text)) or not words.isdisjoint(NUMBER_WORDS | {"and", "or", "to", "over"})
