r"""Layer 1: numbers compared as exact fractions, without any algebra.

Guarantees: `quantity` reads a text only when it certainly is one plain number (an integer, a decimal, a
simple or mixed fraction, in plain or in TeX spelling, with a sign, thousands in groups of three, money,
percent or a unit); nothing goes through a float; plain decimals of any length are compared by digits.

Policies: a unit on one side alone is accepted; two different units are "unsupported:units" (nothing is
converted). `percent` "sign" takes 20% for 20, "value" for 1/5. A decimal agrees with a value that has no
end as a decimal when it shows at least 6 significant figures and is that value rounded or cut there,
whichever side it is on; shorter ones (0.33) do not. Noise of binary floats (0.30000000000000004, at
least 16 figures) agrees with the short decimal it stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from factory.verifiers import units
from factory.verifiers.spelling import Unsettled

LONGEST_NUMBER: Final = 1000
"""Digits (and powers of ten) beyond which a number is compared by its digits or not at all."""
LEAST_FIGURES: Final = 6
_NOISE_FIGURES: Final = 16
_NOISE: Final = Fraction(1, 10**14)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A plain number as written.

    `digits` is its normal spelling if it is a plain decimal; `value` is None when it is too long to
    compute with; `figures` counts significant figures; `step` is one unit of the last decimal shown, None
    for integers and fractions; `exclaimed` is set when a `!` follows, which may be a factorial.
    """

    digits: str | None
    value: Fraction | None
    figures: int
    step: Fraction | None
    unit: str
    exclaimed: bool


_WHOLE: Final = r"(?>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])|[0-9]+)"
_SIGNED: Final = r"(?P<sign>[-+]?) ?(?P<money>[$€£¢]?) ?(?P<inner>[-+]?) ?"
_DECIMAL: Final = re.compile(
    _SIGNED + rf"(?P<whole>(?:{_WHOLE})?)(?P<point>\.(?P<part>[0-9]*))?"
    r"(?: ?[eE](?P<e>[-+]?[0-9]{1,9})| ?(?:\\times|\\cdot|\*|x) ?10 ?\^ ?\{? ?(?P<ten>[-+]?[0-9]{1,9}) ?\}?)?"
)
_SIGNS_BEHIND: Final = ("%", "$", "€", "£", "¢")
_TERM: Final = rf"[-+]?{_WHOLE}(?:\.[0-9]+)?"
_RATIO: Final = re.compile(
    _SIGNED + rf"(?:(?P<mixed>{_WHOLE})(?: | ?(?=\\frac)))?"
    rf"(?:\\frac ?(?:\{{ ?(?P<top>{_TERM}) ?\}}|(?P<top1>[0-9])) ?"
    rf"(?:\{{ ?(?P<low>{_TERM}) ?\}}|(?P<low1>[0-9]))"
    rf"|(?P<top2>{_TERM}) ?/ ?(?P<low2>{_TERM}))"
)


def quantity(cleaned: str) -> Quantity | None:
    """The number a cleaned text is, or None when it is not certainly one plain number."""
    text, unit, factor = units.split_unit(cleaned)
    text = _unwrapped(text)
    exclaimed = text.endswith("!")
    text = text.rstrip("! ") if exclaimed else text
    if text.endswith(_SIGNS_BEHIND):
        if unit:
            return None
        text, unit = text[:-1].rstrip(), units.UNITS[text[-1]]
    text = _unwrapped(text)
    found = _decimal(text) or _ratio(text)
    if found is None:
        return None
    money, digits, value, figures, step = found
    if money and unit not in ("", units.UNITS.get(money, money)):
        return None
    unit = units.UNITS.get(money, money) or unit
    if factor != 1:
        digits, step = None, None
        value = value * factor if value is not None else None
    return Quantity(digits, value, figures, step, unit, exclaimed)


def _unwrapped(text: str) -> str:
    """`text` without one pair of brackets that holds all of it."""
    if text[:1] + text[-1:] in ("()", "{}") and text.count(text[0]) == 1 and "," not in text:
        return text[1:-1].strip()
    return text


_Number = tuple[str, str | None, Fraction | None, int, Fraction | None]


def _decimal(text: str) -> _Number | None:
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match["whole"] or match["part"]) or (match["sign"] and match["inner"]):
        return None
    whole, part = match["whole"].replace(",", "").lstrip("0"), (match["part"] or "")
    minus = "-" in (match["sign"], match["inner"])
    figures = len((whole + part).lstrip("0"))
    power = int(match["e"] or match["ten"] or 0)
    ending = part.rstrip("0")
    digits = ("-" if minus and (whole or ending) else "") + (whole or "0") + (f".{ending}" if ending else "")
    if match["e"] or match["ten"]:
        digits = ""
    value: Fraction | None = None
    if len(whole) + len(part) + abs(power) <= LONGEST_NUMBER:
        top, shift = int(f"{'-' if minus else ''}0{whole}{part}"), power - len(part)
        value = Fraction(top * 10**shift) if shift >= 0 else Fraction(top, 10**-shift)
    elif not digits:
        raise Unsettled("refused")
    step = Fraction(10) ** (power - len(part)) if part and value is not None else None
    return match["money"], digits or None, value, figures, step


def _ratio(text: str) -> _Number | None:
    match = _RATIO.fullmatch(text)
    if match is None or (match["sign"] and match["inner"]):
        return None
    if len(text) > LONGEST_NUMBER:
        raise Unsettled("refused")
    top = Fraction((match["top"] or match["top1"] or match["top2"]).replace(",", ""))
    low = Fraction((match["low"] or match["low1"] or match["low2"]).replace(",", ""))
    if low == 0:
        return None
    value = top / low
    if match["mixed"]:
        if not (value >= 0 and top.denominator == low.denominator == 1):
            return None
        value += int(match["mixed"].replace(",", ""))
    if "-" in (match["sign"], match["inner"]):
        value = -value
    return match["money"], None, value, 0, None


# --- comparison --------------------------------------------------------------------------------------


def compare(one: Quantity, other: Quantity, percent: str) -> str | None:
    """equal:... or different:..., or None when a factorial has to be tried first; symmetric."""
    units.agree(one.unit, other.unit)
    as_value = percent == "value" and (one.unit == "%") != (other.unit == "%")
    if one.digits is not None and other.digits is not None and not as_value:
        if one.digits == other.digits:
            return "equal:exact"
        if one.value is None or other.value is None:
            return "different:exact"
    if one.value is None or other.value is None:
        raise Unsettled("refused")
    first = one.value / 100 if as_value and one.unit == "%" else one.value
    second = other.value / 100 if as_value and other.unit == "%" else other.value
    if first == second:
        return "equal:exact"
    if not as_value:
        for decimal, exact in ((one, other), (other, one)):
            if decimal.value is None or exact.value is None:
                continue
            if is_noise(decimal, exact):
                return "equal:float"
            if terminates(exact.value) or decimal.figures < LEAST_FIGURES:
                continue
            if shows(decimal.value, decimal.step, exact.value):
                return "equal:rounded"
    return None if one.exclaimed or other.exclaimed else "different:exact"


def is_noise(long: Quantity, short: Quantity) -> bool:
    """Whether `long` is the printed binary float nearest to the short decimal, or a few steps beside it."""
    if long.step is None or long.figures < _NOISE_FIGURES or not 0 < short.figures < _NOISE_FIGURES:
        return False
    assert long.value is not None
    assert short.value is not None
    return abs(long.value - short.value) <= _NOISE * abs(short.value)


def terminates(value: Fraction) -> bool:
    """Whether a fraction has an end as a decimal."""
    rest = value.denominator
    rest >>= (rest & -rest).bit_length() - 1
    while rest % 5 == 0:
        rest //= 5
    return rest == 1


def shows(decimal: Fraction, step: Fraction | None, exact: Fraction) -> bool:
    """Whether a decimal is `exact` rounded, or cut, at its last place `step` (None: it is no decimal)."""
    if step is None:
        return False
    places = exact / step
    return decimal / step in (round(places), int(places))
