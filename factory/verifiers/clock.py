"""Times of day, spans of time and dates, and whether two texts name the same one.

Guarantees: `moment` reads a text only when all of it is one of them; it computes with whole numbers and
fractions, never floats. A spelling that can be read in two ways (`3:30` by day or night or as a ratio,
`03/05/2024`, `5 March` of any year) keeps all its readings, and `same_moment` raises Unsettled where the
verdict depends on the reading. Left out: time zones, `the next day`, years of two digits, other languages.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, TypeAlias

from factory.verifiers.dates import date
from factory.verifiers.spans import span
from factory.verifiers.spelling import Unsettled
from factory.verifiers.words import number_in_words

Reading: TypeAlias = tuple[Fraction | int | None, ...]
Readings: TypeAlias = tuple[tuple[str, tuple[Reading, ...]], ...]
Moment: TypeAlias = tuple[str, Readings]
"""Its kind, and for each sort of thing it may be (time, span, ratio, date ...) every reading, in order.

Kinds: `time`, `duration`, `date`, `month`, `weekday`, and `time_or_ratio` (3:30), `time_or_duration`
(1:30:00). Readings: seconds since midnight; months and seconds of a span; the value of a ratio; year, month
and day with None for what is not said; the number of a month or of a weekday from Monday, 0.
"""

_LONGEST: Final = 80
_HINT: Final = re.compile(
    r"[0-9] ?[:/-] ?[0-9]|[0-9.] ?[ap]\.? ?m\b|[0-9] ?[hmsd]|noon|midn|midday|clock|past|quarter|half"
    r"|\b(?:hour|hr|min|sec|day|week|wk|month|year|yr)|(?:sun|mon|tue|wed|thu|fri|sat)"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)| (?:to|of|after|till|in the) |\b(?:am|pm|[ap]\.m)"
)
_WRAPPED: Final = re.compile(r"\\text ?\{([^{}]*)\}")
_HALF: Final = r"(?: ?(?:(?P<half>[ap])\.? ?m\.?|in the (?P<part>morning|afternoon|evening)))?"
_PARTS_OF_HOUR: Final = {"half": 30, "quarter": 15, "a quarter": 15}
_CLOCK: Final = re.compile(
    r"(?P<h>[0-9]{1,2})(?:(?P<sign>[:.])(?P<m>[0-5][0-9])(?::(?P<s>[0-5][0-9]))?)?"
    r"(?P<oclock> ?o['’]? ?clock)?" + _HALF
)
_SPOKEN: Final = re.compile(
    r"(?:(?P<count>half|(?:a )?quarter|[a-z-]{2,12}|[0-9]{1,2})(?: (?P<minutes>minutes?))?"
    r" (?P<way>past|after|to|of|before|till) )?(?P<hour>[a-z]{3,6}|[0-9]{1,2})(?P<oclock> ?o['’]? ?clock)?"
    + _HALF
)
_NAMED_TIMES: Final = {
    "noon": 12, "midday": 12, "12 noon": 12, "12:00 noon": 12, "twelve noon": 12,
    "midnight": 0, "12 midnight": 0, "12:00 midnight": 0, "twelve midnight": 0,
}  # fmt: skip
_AT: Final = re.compile(r"^(?:at|on|by) ")
_DAY: Final = 86400
_CALENDAR: Final = frozenset(("date", "month", "weekday"))
_COLONS: Final = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])")


def moment(text: str) -> Moment | None:
    """The time of day, span or date that the whole of a cleaned text is; None for anything else."""
    if len(text) > _LONGEST:
        return None
    text = " ".join(_WRAPPED.sub(r" \1 ", text).lower().split()).rstrip(".,")
    if _HINT.search(text) is None:
        return None
    text = _AT.sub("", text)
    if (time := _time(text)) is not None:
        return time
    if (day := date(text)) is not None:
        return day[0], ((day[0], day[1]),)
    length = span(text)
    return None if length is None else ("duration", (("span", (length,)),))


# --- times of day ------------------------------------------------------------------------------------


def _time(text: str) -> Moment | None:
    if text in _NAMED_TIMES:
        return "time", (("time", ((_NAMED_TIMES[text] * 3600,),)),)
    match = _CLOCK.fullmatch(text)
    if match is None:
        return _long_span(text) or _spoken(text)
    half = _half(match)
    if (match["sign"] == "." and not half) or not (match["m"] or match["oclock"] or half):
        return None
    hour, minute, second = int(match["h"]), int(match["m"] or 0), int(match["s"] or 0)
    readings = _of_day(hour, minute * 60 + second, half)
    times: Readings = (("time", readings),) if readings else ()
    if half or match["oclock"]:
        return ("time", times) if times else None
    if match["s"]:
        return "time_or_duration", (*times, _spans(hour * 3600 + minute * 60 + second))
    ratios: Readings = (("ratio", ((Fraction(hour, minute),),)),) if minute else ()
    return "time_or_ratio", (*times, _spans(hour * 3600 + minute * 60, hour * 60 + minute), *ratios)


def _spans(*seconds: int) -> tuple[str, tuple[Reading, ...]]:
    return "span", tuple((Fraction(0), Fraction(count)) for count in seconds)


def _long_span(text: str) -> Moment | None:
    """A span in hours, minutes and seconds that is longer than any clock shows: 48:30:00."""
    match = _COLONS.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups())
    return "duration", (_spans(hours * 3600 + minutes * 60 + seconds),)


def _half(match: re.Match[str]) -> str:
    """`a` before noon, `p` after it, "" where nothing is said."""
    return match["half"] or {"morning": "a", "afternoon": "p", "evening": "p"}.get(match["part"] or "", "")


def _of_day(hour: int, seconds: int, half: str) -> tuple[tuple[int], ...]:
    """The seconds since midnight that a clock may mean; none where there is no such time."""
    if hour > 24 or (hour == 24 and seconds) or (half == "a" and hour > 12):
        return ()
    if hour == 0 or hour > 12:
        return ((hour % 24 * 3600 + seconds,),)
    hours = {"a": (hour % 12,), "p": (hour % 12 + 12,)}.get(half, (hour % 12, hour % 12 + 12))
    return tuple((possible * 3600 + seconds,) for possible in hours)


def _spoken(text: str) -> Moment | None:
    """`half past three`, `ten to six p.m.`, `three o'clock`, `three pm`; `five to three` may be a ratio."""
    match = _SPOKEN.fullmatch(text)
    if match is None or not (match["way"] or match["oclock"] or _half(match)):
        return None
    hour, half = _small(match["hour"]), _half(match)
    if match["hour"] in _NAMED_TIMES and not half:
        hour, half = 12, ("a" if match["hour"] == "midnight" else "p")
    count = match["count"] or ""
    minutes = (_PARTS_OF_HOUR.get(count) or _small(count)) if match["way"] else 0
    if hour is None or minutes is None or not 1 <= hour <= 12 or not 0 <= minutes < 60:
        return None
    back = match["way"] in ("to", "of", "before", "till")
    named = count in _PARTS_OF_HOUR
    said = bool(match["minutes"] or match["oclock"] or half or (named and match["way"] != "of"))
    if back and (count == "half" or (not said and match["way"] != "to")):
        return None  # `a quarter of six` may be a number
    shift = -minutes * 60 if back else minutes * 60
    times = tuple(sorted((at + shift) % _DAY for (at,) in _of_day(hour, 0, half)))
    readings: Readings = (("time", tuple((at,) for at in times)),)
    if said or not back:
        return "time", readings
    return "time_or_ratio", (*readings, ("ratio", ((Fraction(minutes, hour),),)))


def _small(text: str) -> int | None:
    number = Fraction(text) if text.isdigit() else number_in_words(text)
    return int(number) if number is not None and number.denominator == 1 else None


# --- comparison --------------------------------------------------------------------------------------


def same_moment(one: Moment, other: Moment) -> bool:
    """Whether two moments are the same; symmetric. Raises Unsettled where that depends on a reading."""
    first, second = dict(one[1]), dict(other[1])
    shared = [sort for sort in first if sort in second]
    if not shared and {one[0], other[0]} <= _CALENDAR:
        raise Unsettled("unsupported:date")
    verdicts = {_same(sort, first[sort], second[sort]) for sort in shared}
    if verdicts <= {False}:
        return False
    if False not in verdicts and True in verdicts:
        return True
    raise Unsettled("unsupported:date" if "date" in shared else "unsupported:time")


def _same(sort: str, one: tuple[Reading, ...], other: tuple[Reading, ...]) -> bool | None:
    """Whether the readings are the same ones; None where some are."""
    if one == other:
        return True
    compare = {"span": _same_span, "date": _same_date}.get(sort, _same_value)
    outcomes = {compare(left, right) for left in one for right in other}
    if outcomes == {False}:
        return False
    return True if outcomes == {True} else None


def _same_value(one: Reading, other: Reading) -> bool | None:
    return one == other


def _same_span(one: Reading, other: Reading) -> bool | None:
    """Spans by months and seconds; None where months of some length could make up for seconds."""
    months, seconds = ((left or 0) - (right or 0) for left, right in zip(one, other, strict=True))
    return None if months * seconds < 0 else months == seconds == 0


def _same_date(one: Reading, other: Reading) -> bool | None:
    """Dates by what both say; None where only one says a part and the rest is the same."""
    pairs = list(zip(one, other, strict=True))
    if any(left != right for left, right in pairs if left is not None and right is not None):
        return False
    return True if one == other else None
