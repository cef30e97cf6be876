"""Number words: what is read, what is refused, and the law that a number spelled out reads as itself."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers.number_names import SCALES, TENS, UNITS
from factory.verifiers.words import number_in_words, words_to_digits

READ = {
    "zero": "0",
    "twenty-one": "21",
    "Twenty One": "21",
    r"\text{Twenty-One}": "21",
    "one hundred and five": "105",
    "one hundred one": "101",
    "a thousand and one": "1001",
    "hundred": "100",
    "twenty five hundred": "2500",
    "five hundred thousand": "500000",
    "two hundred and fifty thousand and six": "250006",
    "minus seven": "-7",
    "negative two": "-2",
    "a half": "1/2",
    "half": "1/2",
    "one and a half": "3/2",
    "2 and a half": "5/2",
    "two thirds": "2/3",
    "two-thirds": "2/3",
    "three quarters": "3/4",
    "three fourths": "3/4",
    "two fifths": "2/5",
    "one twenty-fifth": "1/25",
    "forty-five hundredths": "9/20",
    "three ten-thousandths": "3/10000",
    "five halves": "5/2",
    "minus one and two thirds": "-5/3",
    "three over four": "3/4",
    "two point five": "5/2",
    "zero point zero five": "1/20",
    "point five": "1/2",
    "two point five million": "2500000",
    "3 million": "3000000",
    "1.5 billion": "1500000000",
    "two and a half million": "2500000",
    "half a million": "500000",
    "a dozen": "12",
    "half a dozen": "6",
    "two dozen": "24",
    "3 dozen": "36",
}

REFUSED = {
    "": "nothing",
    "5": "a numeral alone",
    "3/4": "a numeral alone",
    "no": "not a number",
    "none": "not a number",
    "a": "an article",
    "a couple": "not exact",
    "once": "an adverb",
    "one two": "two numbers",
    "ten ten": "two numbers",
    "five zero": "two numbers",
    "nineteen eighty four": "a year in pairs",
    "one thousand one thousand": "the same scale twice",
    "two thousand million": "scales that rise",
    "two thousand twenty five hundred": "hundreds beyond ten after a thousand",
    "one and two": "two numbers",
    "five or six": "two numbers",
    "one hundred and": "unfinished",
    "and one": "nothing before the and",
    "minus": "a sign alone",
    "first": "an ordinal",
    "second": "an ordinal, or a unit",
    "twenty-third": "an ordinal",
    "two third": "an ordinal after a number",
    "one thirds": "one of many",
    "quarter": "a coin, or a part",
    "one hundred third": "an ordinal, or a part",
    "twenty fifths": "20/5, or one part in 25",
    "two hundred thirds": "200/3, or two parts in 103",
    "five hundred thousandths": "500/1000, or 5/100000",
    "one hundred and two thirds": "100 2/3, or 102/3",
    "seven and five halves": "no mixed number",
    "two point twenty five": "places are read one by one",
    "two point": "no places",
    "one over zero": "no number",
    "three over": "unfinished",
    "dozen dozen": "a dozen counts something",
    "five apples": "more than a number",
    "twenty-one.": "punctuation is the cleaner's",
    "two  x": "a variable",
    "sieben": "another language",
    "3 4 million": "two numbers",
    "half half": "two numbers",
    "a five": "an article before a number",
}


@pytest.mark.parametrize("text", READ)
def test_number_words_are_read_exactly(text: str) -> None:
    assert number_in_words(text) == Fraction(READ[text])


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: f"{text}: {REFUSED[text]}")
def test_what_is_not_certainly_one_number_is_none(text: str) -> None:
    assert number_in_words(text) is None


def spelled(number: int, joined: str = " and ") -> str:
    """A whole number in English words."""
    names = {value: word for word, value in UNITS.items()} | {
        value: word for word, value in TENS.items() if word != "fourty"
    }
    if number < 0:
        return "minus " + spelled(-number, joined)
    if number in names:
        return names[number]
    if number < 100:
        return f"{names[number // 10 * 10]}-{names[number % 10]}"
    scale, word = max((value, word) for word, value in SCALES.items() if value <= number)
    rest = number % scale
    return f"{spelled(number // scale, joined)} {word}" + (
        f"{joined if rest < 100 else ' '}{spelled(rest, joined)}" if rest else ""
    )


WHOLE = st.one_of(
    st.integers(-(10**12), 10**12), st.integers(0, 9999), st.sampled_from([10**12, 10**9, 10**6])
)


@given(WHOLE, st.sampled_from([" and ", " "]), st.sampled_from([str, str.upper, str.title]))
def test_a_number_spelled_out_reads_as_itself(number: int, joined: str, case: object) -> None:
    assert callable(case)
    text = spelled(number, joined)
    assert number_in_words(case(text)) == number
    assert number_in_words(text.replace("-", " ")) == number
    assert words_to_digits(f"{text} apples") == f"{number} apples"


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_two_numbers_spelled_out_are_one_text_only_if_equal(one: int, other: int) -> None:
    assert (number_in_words(spelled(one)) == number_in_words(spelled(other))) == (one == other)


@given(st.integers(0, 999), st.text(alphabet="0123456789", min_size=1, max_size=6))
def test_decimals_spelled_out_read_as_themselves(whole: int, places: str) -> None:
    names = list(UNITS)
    text = f"{spelled(whole)} point {' '.join(names[int(place)] for place in places)}"
    assert number_in_words(text) == Fraction(f"{whole}.{places}")


CONVERTED = {
    "twenty-one apples": "21 apples",
    "five dollars": "5 dollars",
    "one hundred and five people": "105 people",
    "a dozen eggs": "12 eggs",
    "minus five degrees": "-5 degrees",
    "two and a half hours": "5/2 hours",
    "half an hour": "1/2 hour",
    "two thirds of a mile": "2/3 mile",
    "fifty%": "50%",
    "fifty percent": "50 percent",
    r"five \text{ dollars}": r"5 \text{ dollars}",
    "Three Million dollars": "3000000 dollars",
}

UNTOUCHED = (
    *("", "5 apples", "apples", "an hour", "a dollar", "twenty-one", "Seven", "one two apples"),
    *("five or six apples", "three apples and two pears", "two-dimensional", "one-way street"),
    *("half of them", "one third of the students", "first place", "second hand", "twenty-third street"),
    *("none of them", "five and apples", "two quarters five", "seven 8 apples", "five, six"),
)


@pytest.mark.parametrize("text", CONVERTED)
def test_number_words_before_a_unit_become_digits(text: str) -> None:
    assert words_to_digits(text) == CONVERTED[text]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert words_to_digits(text) == text


OTHERS = "a and half third thirds point over of dozen minus 5 1,000 2.5 twenty-fifths hundredths - second"
PIECES = st.sampled_from([*UNITS, *TENS, *SCALES, *OTHERS.split()])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map(" ".join)))
def test_any_text_is_a_number_or_none(text: str) -> None:
    number = number_in_words(text)
    assert number is None or isinstance(number, Fraction)
    assert isinstance(words_to_digits(text), str)
