r"""Layer 1: numbers compared as exact fractions, without any algebra.

Guarantees: `quantity` reads a text only when it certainly is one plain number (an integer, a decimal, a
simple or mixed fraction, a repeating decimal, in plain or in TeX spelling, with a sign, thousands in groups
of three, money, percent or a unit); nothing goes through a float; plain decimals of any length are compared
by digits.

Policies: two units agree by conversion alone, and one against none by `units`. `percent` "sign" takes 20%
for 20, "value" for 1/5, "either" for 1/5, and for 20 against a number above 1. A decimal agrees with a value
that has no end as a decimal when it is that value rounded or cut and shows 6 significant figures, or 4 if
it is the reference: the one asymmetry. Noise of binary floats (0.30000000000000004, at least 16 figures)
agrees with the short decimal it stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from factory.recipe import MathOptions
from factory.verifiers import units
from factory.verifiers.spelling import Unsettled

LONGEST_NUMBER: Final = 1000
"""Digits (and powers of ten) beyond which a number is compared by its digits or not at all."""
LEAST_FIGURES: Final = 6
"""Significant figures that an answer must show of a value without end as a decimal."""
LEAST_REFERENCE_FIGURES: Final = 4
"""The same for a reference: it is itself such a value, rounded by its author."""
_NOISE_FIGURES: Final = 16
_NOISE: Final = Fraction(1, 10**14)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A plain number as written.

    `digits` is its normal spelling if it is a plain decimal; `value` is None when it is too long to
    compute with; `figures` counts significant figures; `step` is one unit of the last decimal shown, None
    for integers and fractions; `exclaimed` is set when a `!` follows: a factorial.
    """

    digits: str | None
    value: Fraction | None
    figures: int
    step: Fraction | None
    unit: str
    exclaimed: bool


_WHOLE: Final = r"(?>[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])|[0-9]+)"
_SIGNED: Final = r"(?P<sign>[-+]?) ?(?P<money>[$€£¢¥₹₩₽₪฿₫₱]?) ?(?P<inner>[-+]?) ?"
_DECIMAL: Final = re.compile(
    _SIGNED + rf"(?P<whole>(?:{_WHOLE})?)(?P<point>\.(?P<part>[0-9]*))?"
    r"(?: ?[eE](?P<e>[-+]?[0-9]{1,9})| ?(?:\\times|\\cdot|\*|x) ?10 ?\^ ?\{? ?(?P<ten>[-+]?[0-9]{1,9}) ?\}?)?"
)
_SIGNS_BEHIND: Final = tuple("%$€£¢¥₹₩₽₪฿₫₱")
_TERM: Final = rf"[-+]?{_WHOLE}(?:\.[0-9]+)?"
_RATIO: Final = re.compile(
    _SIGNED + rf"(?:(?P<mixed>{_WHOLE})(?: | ?(?=\\frac)))?"
    rf"(?:\\frac ?(?:\{{ ?(?P<top>{_TERM}) ?\}}|(?P<top1>[0-9])) ?"
    rf"(?:\{{ ?(?P<low>{_TERM}) ?\}}|(?P<low1>[0-9]))"
    rf"|(?P<top2>{_TERM}) ?/ ?(?P<low2>{_TERM}))"
)


def quantity(cleaned: str, beside: str = "") -> Quantity | None:
    """The number a cleaned text is, or None when it is not certainly one plain number.

    Beside a unit of the other side, a letter behind the number is a unit too.
    """
    text, unit, factor = units.split_unit(units.currency_behind(cleaned), beside)
    text = _unwrapped(text)
    exclaimed = text.endswith("!")
    text = text.rstrip("! ") if exclaimed else text
    if text.endswith(_SIGNS_BEHIND):
        if unit:
            return None
        text, unit = text[:-1].rstrip(), units.UNITS[text[-1]]
    text = _unwrapped(text)
    found = _decimal(text) or _ratio(text) or _repeating(text) or _going_on(text)
    if found is None:
        return None
    money, digits, value, figures, step = found
    price = units.UNITS.get(money, money)
    rate = unit.startswith("/")  # `$5 per hour`
    if money and not rate and unit not in ("", price):
        return None
    unit = price + unit if rate else price or unit
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


_REPEATING: Final = re.compile(
    _SIGNED
    + r"(?P<whole>[0-9]{0,30})\.(?P<part>[0-9]{0,30})\\(?:overline|bar|dot) ?\{ ?(?P<period>[0-9]{1,30}) ?\}"
)


def _repeating(text: str) -> _Number | None:
    r"""`0.1\overline{6}`."""
    match = _REPEATING.fullmatch(text) if "\\" in text else None
    if match is None or (match["sign"] and match["inner"]):
        return None
    part, period = match["part"], match["period"]
    shift = 10 ** len(part)
    value = Fraction(int(f"0{match['whole']}{part}"), shift)
    value += Fraction(int(period), shift * (10 ** len(period) - 1))
    if "-" in (match["sign"], match["inner"]):
        value = -value
    return match["money"], None, value, 0, None


_GOING_ON: Final = re.compile(
    _SIGNED + r"(?P<whole>[0-9]{0,30})\.(?P<part>[0-9]{0,12}?)"
    r"(?:(?P<one>[0-9])(?P=one){2,20}|(?P<more>[0-9]{2,6})(?P=more){1,8}) ?\\ldots"
)


def _going_on(text: str) -> _Number | None:
    r"""`0.1666\ldots`: what is shown to repeat does."""
    match = _GOING_ON.fullmatch(text) if text.endswith("\\ldots") else None
    if match is None:
        return None
    sign, period = match["sign"] + match["inner"], match["one"] or match["more"]
    return _repeating(f"{sign}{match['whole']}.{match['part']}\\overline{{{period}}}")


# --- comparison --------------------------------------------------------------------------------------


def compare(answer: Quantity, reference: Quantity, options: MathOptions) -> str | None:
    """equal:... or different:..., or None when a factorial has to be tried first."""
    if (answer.unit == "%") != (reference.unit == "%"):
        return _percent(answer, reference, options)
    if answer.unit != reference.unit:
        if not (answer.unit and reference.unit):
            if options.units == "required":
                return "different:units"
            if "dozen" in (answer.unit, reference.unit) and answer.value and reference.value:
                same = units.same_quantity(answer.value, answer.unit, reference.value, reference.unit)
                return "equal:exact" if same else "different:exact"
        else:
            converted = _converted(answer, reference.unit)
            return "different:units" if converted is None else _plain(converted, reference, options)
    return _plain(answer, reference, options)


def _plain(answer: Quantity, reference: Quantity, options: MathOptions) -> str | None:
    """The word on two numbers of one unit."""
    if reference.exclaimed or answer.exclaimed:
        return None  # a factorial
    if answer.digits is not None and reference.digits is not None:
        if answer.digits == reference.digits:
            return "equal:exact"
        if answer.value is None or reference.value is None:
            return "different:exact"
    if answer.value is None or reference.value is None:
        raise Unsettled("refused")
    if answer.value == reference.value:
        return "equal:exact"
    if is_noise(answer, reference) or is_noise(reference, answer):
        return "equal:float"
    if options.rounding == "shown" and (
        _rounds(answer, reference.value, LEAST_FIGURES)
        or _rounds(reference, answer.value, LEAST_REFERENCE_FIGURES)
    ):
        return "equal:rounded"
    return "different:exact"


def _rounds(decimal: Quantity, exact: Fraction, least: int) -> bool:
    """Whether a decimal of enough figures shows a value without end."""
    assert decimal.value is not None
    return decimal.figures >= least and not terminates(exact) and shows(decimal.value, decimal.step, exact)


def _percent(answer: Quantity, reference: Quantity, options: MathOptions) -> str | None:
    """A percentage against a number without the sign: as a fraction, and as the number that has the sign."""
    part, number = (answer, reference) if answer.unit == "%" else (reference, answer)
    if number.unit:
        return "different:units"
    if part.value is None or number.value is None:
        raise Unsettled("refused")
    words = []
    if options.percent in ("either", "value"):
        step = part.step / 100 if part.step else None
        hundredth = replace(part, digits=None, value=part.value / 100, step=step, unit="")
        words.append((hundredth, number))
    if options.percent == "sign" or (options.percent == "either" and abs(number.value) > 1):
        words.append((replace(part, unit=""), number))
    found = [
        _plain(one, other, options) if part is answer else _plain(other, one, options) for one, other in words
    ]
    return next((word for word in found if word and word.startswith("equal")), found[0])


def _converted(one: Quantity, unit: str) -> Quantity | None:
    """The same amount in another unit, None when that measures something else."""
    factor = units.convert(Fraction(1), one.unit, unit)
    if factor is None:
        return None
    if one.value is None:
        raise Unsettled("refused")
    step = one.step * factor if one.step else None
    return replace(one, digits=None, value=one.value * factor, step=step, unit=unit)


def plain(value: Fraction) -> Quantity:
    """A number without a unit, as one that was read."""
    return Quantity(None, value, 0, None, "", False)


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
