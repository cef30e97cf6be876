"""Units converted exactly, different, or undecided for a reason; laws of conversion."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.verifiers import unit_table, units
from factory.verifiers.spelling import Unsettled, clean
from factory.verifiers.unit_spelling import read, write
from factory.verifiers.units import convert, dimension, same_quantity, split_unit

CONVERTED = {
    ("km", "cm"): "100000",
    ("in", "cm"): "2.54",
    ("mi", "ft"): "5280",
    ("m^2", "cm^2"): "10000",
    ("ha", "m^2"): "10000",
    ("acre", "ft^2"): "43560",
    ("l", "cm^3"): "1000",
    ("ml", "cm^3"): "1",
    ("gal", "qt"): "4",
    ("cup", "floz"): "8",
    ("pt", "cup"): "2",
    ("tbsp", "tsp"): "3",
    ("oz", "floz"): "1",
    ("lb", "oz"): "16",
    ("lb", "kg"): "0.45359237",
    ("ton", "lb"): "2000",
    ("tonne", "kg"): "1000",
    ("h", "s"): "3600",
    ("week", "day"): "7",
    ("year", "month"): "12",
    ("m/s", "km/h"): "3.6",
    ("mph", "mi/h"): "1",
    ("mi/h", "ft/s"): "22/15",
    ("$", "¢"): "100",
    ("£", "pound"): "1",
    ("$/h", "¢/min"): "5/3",
    ("N*m", "J"): "1",
    ("kWh", "J"): "3600000",
    ("N/m^2", "Pa"): "1",
    ("kg*m/s^2", "N"): "1",
    ("Hz", "/min"): "60",
    ("byte", "bit"): "8",
    ("dozen", "egg"): "12",
    ("dozen*egg", "egg"): "12",
    ("apple/h", "apple/min"): "1/60",
    ("red apple", "apple"): "1",
    ("cup*flour", "cup"): "1",
    ("/h", "$/h"): "1",
}

OTHER_DIMENSION = (
    *(
        ("cm", "s"),
        ("m", "m^2"),
        ("m^2", "m^3"),
        ("kg", "l"),
        ("$", "€"),
        ("$", "£"),
        ("%", "cm"),
        ("%", "°"),
    ),
    *(("km/h", "km"), ("m/s", "m/s^2"), ("J", "W"), ("N", "kg"), ("bit", "s"), ("$", "h"), ("rad", "m")),
    *(("apple", "pear"), ("red apple", "green apple"), ("apple pie", "apple"), ("box of apple", "apple")),
    *(("apple", "cm"), ("cup*flour", "cup*sugar"), ("apple/h", "pear/h"), ("h", "apple"), ("Hz", "s")),
    *(("%", "student"), ("/h", "h"), ("/h", "$/mi")),
)


UNDECIDED = (
    *(
        ("°C", "°F"),
        ("°C", "K"),
        ("°", "°F"),
        ("°", "rad"),
        ("year", "day"),
        ("month", "week"),
        ("ton", "kg"),
    ),
    *(
        ("gal", "l"),
        ("cup", "ml"),
        ("GB", "MB"),
        ("MB", "byte"),
        ("Mb", "MB"),
        ("cal", "J"),
        ("unit^2", "cm^2"),
    ),
    *(("km/month", "km/day"), ("$/year", "$/week")),
)


@pytest.mark.parametrize(("unit", "other"), CONVERTED)
def test_conversion_is_exact_and_goes_both_ways(unit: str, other: str) -> None:
    factor = Fraction(CONVERTED[unit, other])
    assert convert(Fraction(7), unit, other) == 7 * factor
    assert convert(7 * factor, other, unit) == 7
    assert same_quantity(Fraction(7), unit, 7 * factor, other)
    assert not same_quantity(Fraction(7), unit, 7 * factor + Fraction(1, 10**9), other)


@pytest.mark.parametrize(("unit", "other"), OTHER_DIMENSION)
def test_other_dimensions_and_other_nouns_do_not_convert(unit: str, other: str) -> None:
    for one, two in ((unit, other), (other, unit)):
        assert convert(Fraction(5), one, two) is None
        assert not same_quantity(Fraction(5), one, Fraction(5), two)


@pytest.mark.parametrize(("unit", "other"), UNDECIDED)
def test_what_depends_on_what_a_name_means_is_undecided(unit: str, other: str) -> None:
    for one, two in ((unit, other), (other, unit)):
        with pytest.raises(Unsettled, match="unsupported:units"):
            convert(Fraction(5), one, two)


@pytest.mark.parametrize(
    ("one", "unit", "two", "other", "verdict"),
    [
        (5, "cm", 5, "", True),
        (5, "cm", 6, "", False),
        (5, "apple", 5, "apple", True),
        (5, "apple", 5, "pear", False),
        (5, "°C", 5, "°", True),
        (68, "°F", 20, "°", "unsupported:units"),
        (1, "tonne", 1000, "kg", True),
        (1, "ton", 1000, "kg", "unsupported:units"),
        (1, "ton", 999, "kg", False),
        (2, "GB", 2000, "MB", "unsupported:units"),
        (2, "GB", 2001, "MB", False),
        (5, "dozen", 60, "", True),
        (5, "dozen", 5, "", "unsupported:units"),
        (5, "dozen", 7, "", False),
        (5, "$", 5, "€", False),
        (5, "$", 500, "¢", True),
        (5, "€", 500, "¢", True),
        (90, "°", 90, "rad", "unsupported:units"),
    ],
)
def test_quantities_are_equal_different_or_undecided(
    one: int, unit: str, two: int, other: str, verdict: bool | str
) -> None:
    for first, second in (((one, unit), (two, other)), ((two, other), (one, unit))):
        try:
            found: bool | str = same_quantity(Fraction(first[0]), first[1], Fraction(second[0]), second[1])
        except Unsettled as error:
            found = error.reason
        assert found == verdict


def test_agree_lets_one_size_pass_and_raises_for_others() -> None:
    for one, other in (("cm", "cm"), ("cm", ""), ("mph", "mi/h"), ("ml", "cm^3"), ("apple", "red apple")):
        units.agree(one, other)
        units.agree(other, one)
    for one, other in (("cm", "m"), ("cm", "s"), ("apple", "pear"), ("dozen", ""), ("°C", "°F"), ("$", "€")):
        with pytest.raises(Unsettled, match="unsupported:units"):
            units.agree(one, other)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("cm", "length"),
        ("acre", "area"),
        ("gal", "volume"),
        ("m^3", "volume"),
        ("lb", "mass"),
        ("week", "time"),
        ("year", "time"),
        ("mi/h", "speed"),
        ("m/s^2", "acceleration"),
        ("kN", "force"),
        ("N*m", "energy"),
        ("MW", "power"),
        ("psi", "pressure"),
        ("Hz", "frequency"),
        ("¢", "money"),
        ("£", "money"),
        ("°", "angle"),
        ("rad", "angle"),
        ("°F", "temperature"),
        ("MB", "data"),
        ("%", "percent"),
        ("dozen", "count"),
        ("kg/m^3", "kg m^-3"),
        ("apple", None),
        ("apple/h", None),
        ("dozen*egg", None),
        ("unit", None),
        ("", None),
    ],
)
def test_dimensions_have_their_names(unit: str, name: str | None) -> None:
    assert dimension(unit) == name


NAMES = sorted(set(unit_table.ALIASES.values()) - {"°angle", "avoirdupois"})
PARTS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([1, 2, -1])),
    st.tuples(st.sampled_from(["apple", "pear", "red apple"]), st.sampled_from([1, -1])),
)
UNITS = st.lists(PARTS, min_size=1, max_size=3, unique_by=lambda part: part[0]).map(
    lambda parts: write(tuple(sorted(parts)))
)


def converted(value: Fraction, unit: str, other: str) -> Fraction | str | None:
    try:
        return convert(value, unit, other)
    except Unsettled as error:
        return error.reason


@given(UNITS)
def test_a_unit_as_written_reads_as_itself(unit: str) -> None:
    parts = read(unit)
    assert parts is not None
    assert write(parts) == unit
    assert convert(Fraction(3), unit, unit) == 3


@given(UNITS, UNITS, st.fractions(max_denominator=1000))
def test_conversion_is_symmetric(one: str, other: str, value: Fraction) -> None:
    there = converted(value, one, other)
    back = converted(there, other, one) if isinstance(there, Fraction) else converted(value, other, one)
    assert back == (value if isinstance(there, Fraction) else there)


KINDS = sorted({dimension(name) or "" for name in NAMES})


@pytest.mark.parametrize("kind", KINDS)
def test_conversion_is_transitive(kind: str) -> None:
    names = [name for name in NAMES if dimension(name) == kind]
    table = {(one, two): converted(Fraction(1), one, two) for one in names for two in names}
    for (first, second), there in table.items():
        for third in names:
            onwards, straight = table[second, third], table[first, third]
            if (
                isinstance(there, Fraction)
                and isinstance(onwards, Fraction)
                and isinstance(straight, Fraction)
            ):
                assert there * onwards == straight, (first, second, third)


PIECES = r"""
5 10 2.5 \pi } { \text{ cm m / * ^ ^2 ^{-1} ( ) $ % ° C per square of a an in the million apples dozen - .
miles hour left
"""
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES.split()), max_size=20).map(" ".join))


@given(TEXTS, TEXTS)
def test_any_text_is_split_and_any_units_are_compared(one: str, other: str) -> None:
    (text, unit, factor), (_, second, _) = split_unit(clean(one)), split_unit(clean(other))
    assert clean(one).startswith(text)
    assert factor >= 1
    for left, right in ((unit, second), (one[:50], other[:50])):
        there, back = converted(Fraction(5), left, right), converted(Fraction(5), right, left)
        assert isinstance(there, Fraction) == isinstance(back, Fraction)
        dimension(left)
    assert split_unit(clean(one), second)[1] in ("", unit) or not unit
