"""Times, spans and dates: equal, different, or undecided for a reason; symmetric; nothing else is read."""

from __future__ import annotations

import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers.clock import Moment, moment, same_moment
from factory.verifiers.spelling import Unsettled, clean

SAME = (
    ("3:30 PM", "3:30pm"),
    ("3:30 PM", "15:30"),
    ("3:30 p.m.", r"3:30 \text{ PM}"),
    ("3.30 p.m.", "15:30"),
    ("13:30 PM", "1:30 PM"),
    ("3:30 in the afternoon", "15:30"),
    ("at 3 PM", "3:00 PM"),
    ("three p.m.", "3 PM"),
    ("half past three", "3:30"),
    ("quarter to five", "4:45"),
    ("a quarter past ten PM", "22:15"),
    ("ten minutes to six", "5:50"),
    ("3 o'clock", "3:00"),
    ("noon", "12 p.m."),
    ("midnight", "12 a.m."),
    ("24:00", "midnight"),
    ("1 h 30 min", "90 minutes"),
    ("1h30m", "90 minutes"),
    ("1:30:00", "90 minutes"),
    ("48:30:00", "48.5 hours"),
    ("2 hours and 15 minutes", "135 min"),
    ("1 hr 5 min", "65 minutes"),
    ("an hour and a half", "90 minutes"),
    ("half an hour", "30 minutes"),
    ("two thirds of an hour", "40 minutes"),
    (r"\frac{1}{2} hour", "1800 seconds"),
    ("1 1/2 hours", "1.5 hours"),
    ("2 days, 3 hours", "51 hours"),
    ("1 year 6 months", "18 months"),
    ("2 weeks", "14 days"),
    ("March 5, 2024", "5 March 2024"),
    ("2024-03-05", "Mar. 5, 2024"),
    ("Mar 5th", "the 5th of March"),
    ("13/05/2024", "May 13, 2024"),
    ("05/05/2024", "5 May 2024"),
    ("03/05/2024", "03/05/2024"),
    ("Monday, March 4, 2024", "March 4, 2024"),
    ("Monday", "Mon"),
    ("January", "Jan"),
)

DIFFERENT = (
    ("3:30 PM", "3:30 AM"),
    ("3:30 PM", "3:31 PM"),
    ("3:30", "4:30 PM"),
    ("3:30", "4:30"),
    ("15:30", "3:30 AM"),
    ("half past three", "half past four"),
    ("quarter to five", "quarter past five"),
    ("noon", "midnight"),
    ("noon", "12 a.m."),
    ("12:30 AM", "12:30 PM"),
    ("1:30:00", "91 minutes"),
    ("1:30", "2 hours"),
    ("1 h 30 min", "100 minutes"),
    ("90 minutes", "90 hours"),
    ("1 year", "2 years"),
    ("1 month", "13 months"),
    ("1 year", "1 month"),
    ("3 PM", "3 hours"),
    ("3 PM", "March 3"),
    ("March 5, 2024", "March 6, 2024"),
    ("March 5, 2024", "March 5, 2023"),
    ("March 5", "May 5, 2024"),
    ("2024-03-05", "2024-05-03"),
    ("13/05/2024", "13/06/2024"),
    ("03/05/2024", "March 6, 2024"),
    ("Monday", "Tuesday"),
    ("Jan", "June"),
)

UNDECIDED = {
    ("3:30", "3:30 PM"): "unsupported:time",
    ("12:00", "noon"): "unsupported:time",
    ("half past three", "3:30 AM"): "unsupported:time",
    ("3:30", "1:10"): "unsupported:time",
    ("1:30", "90 minutes"): "unsupported:time",
    ("1:30", "90 seconds"): "unsupported:time",
    ("five to three", "2:55"): "unsupported:time",
    ("1 year", "365 days"): "unsupported:time",
    ("1 month", "30 days"): "unsupported:time",
    ("03/05/2024", "March 5, 2024"): "unsupported:date",
    ("03/05/2024", "05/03/2024"): "unsupported:date",
    ("March 5", "March 5, 2024"): "unsupported:date",
    ("March 2024", "March 5, 2024"): "unsupported:date",
    ("March", "March 5"): "unsupported:date",
    ("Monday", "March 4, 2024"): "unsupported:date",
}

NONE = (
    *("", "3", "3.30", "1/2", "3/5", "3/5/24", "16:9", "1:2:3", "3:60", "3:5", "1:2", "(3:30)", "5-3"),
    *(
        "25 pm",
        "13 am",
        "25 o'clock",
        "half to three",
        "a quarter of six",
        "five of six",
        "half past thirteen",
    ),
    *("5 h", "5 m", "5 s", "90 min 1 h", "1 h 1 h", "5 apples", "an hour and", "2 hours or 3 hours", "hours"),
    *("February 30", "Feb 29, 2023", "2024-13-01", "32 March", "Tuesday, March 4, 2024", "March 5 and 6"),
    *("32/32/2024", "Moon", "Marchy", "x = 3:30", "the answer", "mon 5 tue", "maybe 5", "12:30:00:00"),
)


def read(text: str) -> Moment:
    found = moment(clean(text))
    assert found is not None, text
    return found


def compared(one: Moment, other: Moment) -> bool | str:
    try:
        return same_moment(one, other)
    except Unsettled as error:
        return error.reason


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_moment_are_the_same(one: str, other: str) -> None:
    assert compared(read(one), read(other)) is True
    assert compared(read(other), read(one)) is True


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_moments_are_different(one: str, other: str) -> None:
    assert compared(read(one), read(other)) is False
    assert compared(read(other), read(one)) is False


@pytest.mark.parametrize(("one", "other"), UNDECIDED)
def test_what_depends_on_the_reading_is_undecided(one: str, other: str) -> None:
    assert compared(read(one), read(other)) == UNDECIDED[one, other]
    assert compared(read(other), read(one)) == UNDECIDED[one, other]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment(clean(text)) is None


def test_kinds_tell_the_joiner_what_else_a_text_may_be() -> None:
    kinds = {text: read(text)[0] for text in ("3:30", "15:30", "1:30:00", "3 PM", "90 minutes", "May", "Sun")}
    assert kinds == {
        "3:30": "time_or_ratio",
        "15:30": "time_or_ratio",
        "1:30:00": "time_or_duration",
        "3 PM": "time",
        "90 minutes": "duration",
        "May": "month",
        "Sun": "weekday",
    }


@given(st.integers(0, 1439), st.integers(0, 1439))
def test_a_time_in_24_hours_agrees_with_its_12_hour_form_alone(one: int, other: int) -> None:
    hour, minute = divmod(other, 60)
    twelve = f"{hour % 12 or 12}:{minute:02} {'am' if hour < 12 else 'pm'}"
    verdict = compared(read(f"{one // 60}:{one % 60:02}"), read(twelve))
    certain = one // 60 == 0 or one // 60 > 12
    assert verdict is (one == other) if certain or one % 720 != other % 720 else verdict == "unsupported:time"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_spans_are_equal_by_their_seconds(one: int, other: int) -> None:
    for seconds in (one, other):
        written = f"{seconds // 3600} hours, {seconds // 60 % 60} min and {seconds % 60} sec"
        assert (
            read(written)
            == read(f"{seconds} seconds")
            == ("duration", (("span", ((0, Fraction(seconds)),)),))
        )
    assert compared(read(f"{one} seconds"), read(f"{other} sec")) is (one == other)


MONTHS = "January February March April May June July August September October November December"
DATES = st.dates(datetime.date(1000, 1, 1), datetime.date(9999, 12, 31))


@given(DATES, DATES)
def test_dates_are_equal_by_value_or_undecided(one: datetime.date, other: datetime.date) -> None:
    written = f"{MONTHS.split()[other.month - 1]} {other.day}, {other.year}"
    assert compared(read(one.isoformat()), read(written)) is (one == other)
    numeric = compared(read(f"{other.month:02}/{other.day:02}/{other.year}"), read(written))
    clear = other.day > 12 or other.day == other.month
    assert numeric is True if clear else numeric == "unsupported:date"


PIECES = """
3 30 12 0 : / - . , am pm p.m. noon half past to of quarter o'clock hour h m min 1.5 March Mon 5th 2024 and
a an the half two day year
"""
LISTS = st.lists(st.sampled_from(PIECES.split()), max_size=14)
TEXTS = st.one_of(st.text(max_size=100), LISTS.map(" ".join), LISTS.map("".join))


@given(TEXTS, TEXTS)
def test_any_text_is_read_or_not_and_comparison_is_symmetric(one: str, other: str) -> None:
    first, second = moment(clean(one)), moment(clean(other))
    if first is not None:
        hash(first)
        assert compared(first, first) is True
        for text in ("3:30", "90 minutes", "March 5", "Monday", "1:30:00"):
            assert compared(first, read(text)) == compared(read(text), first)
    if first and second:
        assert compared(first, second) == compared(second, first)
