"""Dates, months and weekdays in English.

Guarantees: a date that does not exist, or does not fall on the weekday beside it, is none; a numeric date
that can be read in two ways keeps both. Left out: years of two digits, which may be a quotient (`3/5/24`).
"""

from __future__ import annotations

import datetime
import re
from typing import Final, TypeAlias

Day: TypeAlias = tuple[int | None, ...]
"""Year, month and day, None for what is not said; or a number: of a month, or of a weekday from Monday, 0."""

_MONTH_NAMES: Final = """
january february march april may june july august september october november december
"""
_DAY_NAMES: Final = "monday tuesday wednesday thursday friday saturday sunday"
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_MONTHS_SHORT: Final = {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}
_ALL_MONTHS: Final = _MONTHS | _MONTHS_SHORT
_DAYS: Final = {name: number for number, name in enumerate(_DAY_NAMES.split())}
_ALL_DAYS: Final = _DAYS | {name[:3]: n for name, n in _DAYS.items()} | {"tues": 1, "thur": 3, "thurs": 3}
_AT: Final = re.compile(r"^(?:at|on|by) ")
_ORDINAL: Final = r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?"
_MONTH: Final = r"(?P<month>[a-z]{3,9})\.?"
_YEAR: Final = r"(?:,? (?:of )?(?P<y>[0-9]{4}))?"
_DATES: Final = (
    re.compile(rf"(?:the )?{_MONTH},? (?:the )?{_ORDINAL}{_YEAR}"),
    re.compile(rf"(?:the )?{_ORDINAL}(?: day)?(?: of)? {_MONTH}{_YEAR}"),
    re.compile(rf"{_MONTH},? (?:of )?(?P<y>[0-9]{{4}})"),
    re.compile(r"(?P<y>[0-9]{4})(?P<sep>[-/])(?P<mm>[0-9]{2})(?P=sep)(?P<d>[0-9]{2})"),
)
_NUMERIC: Final = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})")
_WEEKDAY_BEFORE: Final = re.compile(r"([a-z]{3,9})\.?,? (?=[a-z0-9])")


def date(text: str) -> tuple[str, tuple[Day, ...]] | None:
    """`weekday`, `month` or `date`, and what a text in lower case may mean by it; None for anything else."""
    if text in _ALL_DAYS:
        return "weekday", ((_ALL_DAYS[text],),)
    if text in _ALL_MONTHS:
        return "month", ((_ALL_MONTHS[text],),)
    before = _WEEKDAY_BEFORE.match(text)
    weekday = _ALL_DAYS.get(before[1]) if before else None
    if before and weekday is not None:
        text = _AT.sub("", text[before.end() :])
    readings = _written(text)
    if weekday is not None:
        readings = tuple(reading for reading in readings if _falls_on(reading, weekday))
    return ("date", readings) if readings else None


def _written(text: str) -> tuple[Day, ...]:
    """Every date a text may mean; of a numeric one month first, then day first."""
    if numeric := _NUMERIC.fullmatch(text):
        one, other, year = int(numeric[1]), int(numeric[3]), int(numeric[4])
        either = dict.fromkeys([(year, one, other), (year, other, one)])
        return tuple(reading for reading in either if _exists(*reading))
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        named = match.groupdict()
        number = named.get("mm")
        month = int(number) if number else _ALL_MONTHS.get(named.get("month") or "")
        written = named["y"]
        stated = int(written) if written else None
        day = int(named["d"]) if named.get("d") else None
        if month is not None and _exists(stated, month, day):
            return ((stated, month, day),)
    return ()


def _exists(year: int | None, month: int, day: int | None) -> bool:
    try:
        datetime.date(2000 if year is None else year, month, 1 if day is None else day)
    except ValueError:
        return False
    return True


def _falls_on(reading: Day, weekday: int) -> bool:
    year, month, day = reading
    if year is None or month is None or day is None:
        return day is not None
    return datetime.date(year, month, day).weekday() == weekday
