"""Units that change across an equation sign, so that its two numbers need not be equal.

`30 minutes * 2 = 1 hour` is true, `30 * 2 = 1` is not: where both sides name units of one kind, and not
the same ones, a difference is no evidence. Left out: conversion, which the sign does not ask for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_KINDS: Final = (  # a line a kind, a group of words a unit
    "second seconds sec secs, minute minutes min mins, hour hours hr hrs, day days daily, week weeks weekly,"
    " month months monthly, year years yearly annually",
    "inch inches, foot feet ft, yard yards yd, mile miles, cm centimeter centimeters, m meter meters,"
    " km kilometer kilometers, mm millimeter millimeters",
    "$ dollar dollars, ¢ cent cents, € euro euros, £, penny pennies, nickel nickels,"
    " dime dimes, quarter quarters",
    "ounce ounces oz, pound pounds lb lbs, g gram grams, kg kilogram kilograms, ton tons",
    "ml milliliter milliliters, l liter liters, pint pints, quart quarts, gallon gallons, cup cups,"
    " teaspoon teaspoons, tablespoon tablespoons",
)
_UNIT: Final = {
    word: (kind, unit)
    for kind, units in enumerate(_KINDS)
    for unit, words in enumerate(units.split(","))
    for word in words.split()
}


def change(left: Iterable[str], right: Iterable[str], *, summed: bool) -> bool:
    """Whether the words of two sides name different units of one kind.

    A product may use up a unit (`3 hours/day * 7 days = 21 hours`); a sum of different ones is converted.
    """
    one, other = ({_UNIT[word] for word in words if word in _UNIT} for words in (left, right))
    kinds = {kind for kind, _ in one} & {kind for kind, _ in other}
    before = {unit for unit in one if unit[0] in kinds}
    after = {unit for unit in other if unit[0] in kinds}
    return before != after if summed else not after <= before
