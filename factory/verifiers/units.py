"""Units after a number, spelled one way, so that they can be told equal or different.

Guarantees: only words at the end of a text are read, at most five of them; words that carry numbers,
operations or doubt (`half`, `squared`, `not`) are no units. Left out: conversion. A unit that is not in
the table is itself, less a plural s; a single letter is a unit only where TeX marks it as text.
"""

from __future__ import annotations

import re
from typing import Final

from factory.verifiers.spelling import Unsettled

UNITS: Final = {
    alias: unit
    for unit, aliases in {
        "$": "$ dollar dollars usd",
        "¢": "¢ cent cents",
        "€": "€ euro euros eur",
        "£": "£ gbp",
        "%": "% percent pct percentage",
        "°": "° degree degrees deg",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres cms",
        "m": "m meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres kms",
        "in": "in inch inches",
        "ft": "ft foot feet",
        "yd": "yd yard yards",
        "mi": "mi mile miles",
        "g": "g gram grams",
        "mg": "mg milligram milligrams",
        "kg": "kg kgs kilogram kilograms kilo kilos",
        "lb": "lb lbs pound pounds",
        "oz": "oz ounce ounces",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "l": "l liter liters litre litres",
        "s": "s sec secs second seconds",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "mph": "mph",
    }.items()
    for alias in aliases.split()
}
_SCALES: Final = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT: Final = frozenset(alias for alias in UNITS if len(alias) == 2) | {"of", "to", "at", "on"}
_NO_UNIT: Final = frozenset(
    re.findall(
        r"\w+",
        "and or not no if else is are was isn wrong incorrect minus plus times over divided by squared cubed"
        " factorial mod modulo base pi sqrt root log ln exp sin cos tan cot sec csc inf infinity frac dozen"
        " dozens half halves third thirds quarter quarters then because lambda for",
    )
)
_WRAPPED_TAIL: Final = re.compile(r" ?\\text ?\{ ?([^{}]{1,60}?) ?\}(\^ ?\{? ?[23] ?\}?)?$")
_PLAIN_TAIL: Final = re.compile(r"(?<=[0-9}).%!]) ([A-Za-z][A-Za-z /^{}23]{0,60})$")
_GLUED_TAIL: Final = re.compile(r"(?<=[0-9])(°[CF]?|[a-z]{2,3})(\^ ?\{? ?[23] ?\}?)?$")
_UNIT_WORD: Final = re.compile(r"([A-Za-z]{1,20})(?:\^ ?\{? ?([23]) ?\}?)?")


def split_unit(cleaned: str) -> tuple[str, str, int]:
    """The text before a closing unit, the unit in one spelling ("" for none), and 10**6 for `million` etc."""
    for pattern, single in ((_WRAPPED_TAIL, True), (_PLAIN_TAIL, False)):
        if (tail := pattern.search(cleaned, max(0, len(cleaned) - 90))) and tail.start() > 0:
            power = tail[2] or "" if pattern is _WRAPPED_TAIL else ""
            unit, factor = _unit(tail[1] + power, single_letters=single)
            return (
                (cleaned[: tail.start()].rstrip(), unit, factor) if unit or factor != 1 else (cleaned, "", 1)
            )
    if (tail := _GLUED_TAIL.search(cleaned, max(0, len(cleaned) - 12))) and tail[1].rstrip("CF") in UNITS:
        return cleaned[: tail.start()], _unit(tail[0], single_letters=False)[0], 1
    return cleaned, "", 1


def _unit(text: str, *, single_letters: bool) -> tuple[str, int]:
    """The spelling of a unit and the scale before it; ("", 1) for what is no unit."""
    if text.startswith("°"):
        return text, 1
    words = text.replace("/", " per ").split()
    factor = 1
    while words and words[0] in _SCALES:
        factor *= _SCALES[words.pop(0)]
    spelled: list[str] = []
    square = ""
    for word in words:
        match = _UNIT_WORD.fullmatch(word)
        if match is None or len(words) > 5 or match[1].lower() in _NO_UNIT:
            return "", 1
        if not single_letters and len(match[1]) < 3 and (len(match[1]) == 1 or match[1] not in _SHORT):
            return "", 1  # `2 ab` is a product
        if match[1].lower() in ("square", "sq", "cubic", "cu"):
            square = "^2" if match[1].lower().startswith("sq") else "^3"
            continue
        name = match[1].lower()
        name = UNITS.get(name) or (name[:-1] if len(name) > 3 and name.endswith("s") else name)
        spelled.append(name + (f"^{match[2]}" if match[2] else square))
        square = ""
    return " ".join(spelled), factor


def agree(one: str, other: str) -> None:
    """Raise unsupported:units when both sides have a unit and they differ."""
    if one and other and one != other:
        raise Unsettled("unsupported:units")
