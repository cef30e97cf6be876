"""Spans of time in words and units, as months and seconds.

Guarantees: exact; units fall (`1 h 30 min`), each at most once; a single letter is a unit only beside another
unit, for `5 h` may be a product. Left out: what a month has of seconds, which no one number says.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, TypeAlias

from factory.verifiers.words import number_in_words

Span: TypeAlias = tuple[Fraction, Fraction]
"""Months and seconds."""

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "day": 86400, "week": 604800}
_IN_MONTHS: Final = {"month": 1, "year": 12}
_SPELLINGS: Final = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("week", "weeks", "wk", "wks"),
    "month": ("month", "months"),
    "year": ("year", "years", "yr", "yrs"),
}
_SPAN_UNITS: Final = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_FALLING: Final = tuple(reversed(_SPELLINGS))

_SPAN_PART: Final = re.compile(
    r"(?P<count>[0-9]{1,9} [0-9]{1,3}/[0-9]{1,3}|[0-9]{1,9}/[0-9]{1,3}"
    r"|(?:[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,9})(?:\.[0-9]{1,9})?"
    r"|\\frac ?\{[0-9]{1,3}\} ?\{[0-9]{1,3}\}|an?|half an?|[a-z]+(?:[ -][a-z]+){0,5}?)"
    r" ?(?P<unit>(?:second|minute|hour|week|month|year)s?|days?|(?:sec|min|hr|wk|yr)s?|[hmsd])(?![a-z])\.?"
)
_AND_A_HALF: Final = re.compile(r"(?:(?:an?|one) )?(hour|minute|day|week|month|year) and a (half|quarter)")
_SPAN_LINK: Final = re.compile(r",? and |, ?| ?")


def span(text: str) -> Span | None:
    """Counts of falling units of time, one after another."""
    if idiom := _AND_A_HALF.fullmatch(text):
        return _total({_SPAN_UNITS[idiom[1]]: 1 + (Fraction(1, 2) if idiom[2] == "half" else Fraction(1, 4))})
    counts: dict[str, Fraction] = {}
    at, rank, letters = 0, -1, False
    while at < len(text):
        match = _SPAN_PART.match(text, at)
        if match is None:
            return None
        unit = _SPAN_UNITS[match["unit"]]
        count = _count(match["count"])
        if count is None or _FALLING.index(unit) <= rank or (match["unit"] == "m" and not counts):
            return None
        rank = _FALLING.index(unit)
        counts[unit] = count
        letters |= len(match["unit"]) == 1
        link = _SPAN_LINK.match(text, match.end())
        at = link.end() if link and match.end() < len(text) else match.end()
        if link and at == len(text) and link[0]:
            return None
    if not counts or (letters and len(counts) == 1):
        return None  # `5 h` may be a product
    return _total(counts)


def _total(counts: dict[str, Fraction]) -> Span:
    months = sum((_IN_MONTHS.get(unit, 0) * count for unit, count in counts.items()), Fraction(0))
    return months, sum((_SECONDS.get(unit, 0) * count for unit, count in counts.items()), Fraction(0))


def _count(text: str) -> Fraction | None:
    if text in ("a", "an"):
        return Fraction(1)
    if text in ("half a", "half an"):
        return Fraction(1, 2)
    if text[0].isalpha():
        return number_in_words(text.removesuffix(" of an").removesuffix(" of a"))
    parts = re.findall(r"[0-9.]+", text.replace(",", ""))
    if "/" in text or "\\" in text:
        top, low = int(parts[-2]), int(parts[-1])
        return (int(parts[0]) if len(parts) == 3 else 0) + Fraction(top, low) if low else None
    return Fraction(parts[0])
