"""Units split off a text or left with it, in one spelling; nouns and the names of the table."""

from __future__ import annotations

import pytest

from factory.verifiers import exact, unit_table
from factory.verifiers.nouns import same_noun, singular
from factory.verifiers.spelling import clean
from factory.verifiers.units import split_unit

SPLIT = {
    "5 cm": ("5", "cm", 1),
    "5cm": ("5", "cm", 1),
    "12 ft.": ("12", "ft", 1),
    "5 in": ("5", "in", 1),
    "5 inches tall": ("5", "in", 1),
    r"5 \text{ cm}^2": ("5", "cm^2", 1),
    r"5\text{ m}": ("5", "m", 1),
    "5 sq. ft.": ("5", "ft^2", 1),
    "5 square meters": ("5", "m^2", 1),
    "5 meters squared": ("5", "m^2", 1),
    "5 cubic centimetres": ("5", "cm^3", 1),
    "5 m/s": ("5", "m/s", 1),
    "60km/h": ("60", "km/h", 1),
    "60 miles per hour": ("60", "mi/h", 1),
    "60 miles an hour": ("60", "mi/h", 1),
    "5 km h^{-1}": ("5", "km/h", 1),
    r"5 \text{ m}/\text{s}^2": ("5", "m/s^2", 1),
    r"60 \frac{\text{miles}}{\text{hour}}": ("60", "mi/h", 1),
    r"5 \text{N}\cdot\text{m}": ("5", "N*m", 1),
    r"5 \text{kg m}^2/\text{s}^2": ("5", "kg*m^2/s^2", 1),
    "5 J/(kg K)": ("5", "J/K/kg", 1),
    "5 foot-pounds": ("5", "ft*pound", 1),
    r"10\pi \text{ cm}^2": (r"10\pi", "cm^2", 1),
    r"10 \pi square units": (r"10 \pi", "unit^2", 1),
    "45°": ("45", "°", 1),
    r"20^\circ\text{C}": ("20", "°C", 1),
    "20 degrees Fahrenheit": ("20", "°F", 1),
    "$5 per hour": ("$5", "/h", 1),
    "$5/hour": ("$5", "/h", 1),
    "$5 a day": ("$5", "/day", 1),
    "5 dollars": ("5", "$", 1),
    "50% of the students": ("50%", "", 1),
    "50 percent of students": ("50", "%", 1),
    "3 million dollars": ("3", "$", 10**6),
    "5 million": ("5", "", 10**6),
    "5 apples": ("5", "apple", 1),
    "5 red apples in total": ("5", "red apple", 1),
    "5 boxes of apples": ("5", "box of apple", 1),
    "5 cups of flour": ("5", "cup*flour", 1),
    "5 dozen eggs": ("5", "dozen*egg", 1),
    "5 T-shirts": ("5", "tshirt", 1),
    "5 people per square mile": ("5", "person/mi^2", 1),
    "3 hours left": ("3", "h", 1),
    "5 in total": ("5", "", 1),
    "5 each": ("5", "", 1),
    "10 fl. oz.": ("10", "floz", 1),
    "5 kWh": ("5", "kWh", 1),
}

WHOLE = (
    *("5", "x", "cm", "5 m", "5m", "2 ab", "2ab", "2mn", "5abc", "5 x", "10/ab", "10 / abc", "5 N*m", "2pt"),
    *("5 squared", "2 cubed", "5 half", "5 at least", "5 at most", "5 or more", "5 times", "5 pm", "3 am"),
    *("5 mod", "5 factorial", "5 and x", "5 minus", "5 below zero", "5 in a row", "5 J/kg K", "7 to power"),
    *(r"\sin 30°", r"5 \text{ or }", r"5 \text{ if }", "5 five year olds", "5 cm^9"),
    *(
        "5 apples and pears",
        "5 third",
        "5 thirds",
        "5 wrong",
        "5 cm cm^2^2",
        "5 k^2",
        "5 apples^2",
        r"\text{cm}",
    ),
)


@pytest.mark.parametrize("text", SPLIT)
def test_a_closing_unit_is_split_off_in_one_spelling(text: str) -> None:
    assert split_unit(clean(text)) == SPLIT[text]


@pytest.mark.parametrize("text", WHOLE)
def test_what_is_no_unit_stays_with_the_text(text: str) -> None:
    cleaned = clean(text)
    assert split_unit(cleaned) == (cleaned, "", 1)


@pytest.mark.parametrize(
    ("text", "beside", "unit"),
    [
        ("5m", "cm", "m"),
        ("5 m", "km", "m"),
        ("5 g", "kg", "g"),
        ("2pt", "cup", "pt"),
        ("5 N*m", "J", "N*m"),
        ("5m", "", ""),
        ("5m", "kg", ""),
        ("5 g", "cm", ""),
        ("5 m", "apple", ""),
        ("5x", "cm", ""),
        ("5 ab", "cm", ""),
    ],
)
def test_letters_are_a_unit_beside_a_unit_of_their_dimension(text: str, beside: str, unit: str) -> None:
    assert split_unit(text, beside)[1] == unit


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("apples", "Apple", True),
        ("red apples", "apples", True),
        ("boxes", "box", True),
        ("children", "child", True),
        ("people", "person", True),
        ("cookies", "cookie", True),
        ("cities", "city", True),
        ("boxes of apples", "boxes", True),
        ("apples", "pears", False),
        ("red apples", "green apples", False),
        ("apple pies", "apples", False),
        ("boxes of apples", "apples", False),
        ("planes", "plans", False),
        ("cubes", "cubs", False),
        ("kids", "children", False),
        ("glass", "glas", False),
    ],
)
def test_nouns_are_the_same_but_for_number_and_what_is_before_them(one: str, other: str, same: bool) -> None:
    assert same_noun(one, other) is same_noun(other, one) is same


@pytest.mark.parametrize("word", ["glass", "bus", "axis", "series", "gas", "lens"])
def test_a_singular_in_s_stays(word: str) -> None:
    assert singular(word) == word


def test_case_tells_prefixes_apart_where_it_matters() -> None:
    assert [unit_table.lookup(word) for word in ("mW", "MW", "MB", "Mb", "KG", "CM", "Hours")] == [
        *("mW", "MW", "MB", "Mb", "kg", "cm", "h")
    ]
    assert [unit_table.lookup(word) for word in ("M", "S", "Mm", "Mg", "", "x", "apple")] == [None] * 7


def test_money_before_a_number_and_a_rate_after_it_are_one_unit() -> None:
    found = [exact.quantity(clean(text)) for text in ("$5 per hour", "5 dollars per hour", "$5", "$5/day")]
    assert [quantity and quantity.unit for quantity in found] == ["$/h", "$/h", "$", "$/day"]
    assert exact.quantity("$5 apples") is None
