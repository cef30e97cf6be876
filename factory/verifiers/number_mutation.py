r"""Wrong and right spellings of a reference that is one number: an integer, a decimal or a fraction.

Guarantees: what is yielded as wrong has another value, what is yielded as right the same, both decided by
exact fractions; what stands around the number (`x = `, a currency, a unit) stays, unless it is what
changed. Left out: mixed numbers and numbers in other bases, which are not read as numbers here.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

Change = tuple[str, bool, str]
"""A text, whether it equals the reference, and what was done."""

_NUMBER: Final = re.compile(
    r"(?P<before>(?:[A-Za-z] ?(?:=|<=?|>=?|\\leq?(?![a-z])|\\geq?(?![a-z])) ?)?)(?P<sign>-?)"
    r"(?P<money>(?:\\?\$|[€£])?)"
    r"(?:(?P<whole>[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)?(?P<part>\.[0-9]+)?"
    r"|\\[dt]?frac\{(?P<top>-?[0-9]+)\}\{(?P<low>[0-9]+)\}|(?P<top2>[0-9]+)/(?P<low2>[0-9]+))"
    r"(?P<after>(?: ?\\?%| ?°| ?\^\{?\\circ\}?| (?!(?i:[ap]m|and|or)(?![A-Za-z]))[A-Za-z]+"
    r"| ?\\(?:text|mathrm|mbox)\{ ?[A-Za-z]+ ?\})"
    r"(?:\^\{?[23]\}?)?)?"
)
_OTHER_UNITS: Final = {
    **dict.fromkeys(("mm", "cm", "m", "km", "inch", "inches", "feet", "ft", "meters", "miles"), "kg"),
    **dict.fromkeys(("g", "kg", "mg", "pounds", "grams", "kilograms", "liters"), "cm"),
    **dict.fromkeys(("seconds", "minutes", "hours", "days", "dollars", "cents", "mph"), "meters"),
}
_OTHER_MONEY: Final = {"$": "€", r"\$": "€", "€": "£", "£": "€"}
MOST_PLACES: Final = 9


class Number(NamedTuple):
    """A number as written: what stands around it, its value, and a fraction's parts (None for a decimal)."""

    before: str
    money: str
    after: str
    value: Fraction
    digits: str
    places: int
    parts: tuple[int, int] | None

    def with_(self, inner: str, *, money: str | None = None, after: str | None = None) -> str:
        """The same with another spelling of the number; a minus sign goes before the currency."""
        sign = inner[: len(inner) - len(inner.lstrip("-−"))]
        money, after = self.money if money is None else money, self.after if after is None else after
        return f"{self.before}{sign}{money}{inner[len(sign) :]}{after}"

    @property
    def bare(self) -> bool:
        """Whether other forms of the number can stand here without reading oddly."""
        return not self.money and not self.after


def read(text: str) -> Number | None:
    """The number that `text` is, or None when it is not certainly one."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, after = match["sign"], match["after"] or ""
    if top := match["top"] or match["top2"]:
        low = int(match["low"] or match["low2"])
        if not low or (sign and top.startswith("-")):
            return None
        parts = (int(sign + top), low)
        return Number(match["before"], match["money"], after, Fraction(*parts), "", 0, parts)
    whole, part = (match["whole"] or "").replace(",", ""), (match["part"] or "")
    if not whole and not part:
        return None
    value = Fraction(f"{sign}{whole or '0'}{part}")
    digits, places = sign + (match["whole"] or "") + part, max(0, len(part) - 1)
    return Number(match["before"], match["money"], after, value, digits, places, None)


def decimal(value: Fraction) -> str | None:
    """The shortest decimal of `value`, or None when it has no end or more than MOST_PLACES places."""
    for places in range(MOST_PLACES + 1):
        if (value * 10**places).denominator == 1:
            return _decimal(value, places)
    return None


def _decimal(value: Fraction, places: int) -> str:
    """`value` with this many places, which must be enough."""
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    point = len(digits) - places
    return ("-" if value < 0 else "") + digits[:point] + (f".{digits[point:]}" if places else "")


def changes(number: Number, rng: random.Random) -> Iterator[Change]:
    """Every wrong and right spelling; `rng` picks the digits that are changed."""
    wrong, right = (
        (_wrong_decimals(number, rng), _right_decimals(number))
        if number.parts is None
        else (_wrong_fractions(number, *number.parts), _right_fractions(number, *number.parts))
    )
    for inner, value, mutation in wrong:
        if value != number.value:
            yield number.with_(inner), False, mutation
    if number.value:
        yield from _other_unit(number)
    for inner, mutation in right:
        yield number.with_(inner), True, mutation
    if "%" in number.after:
        for sign in ("%", r"\%", " %"):
            if sign != number.after:
                yield number.with_(_plain(number), after=sign), True, "percent_sign"


def _plain(number: Number) -> str:
    if number.parts is None:
        return number.digits
    return rf"\frac{{{number.parts[0]}}}{{{number.parts[1]}}}"


def _other_unit(number: Number) -> Iterator[Change]:
    unit = re.search(r"[A-Za-z]+(?=[ }]*$)", number.after)
    if unit and unit[0] in _OTHER_UNITS:
        other = number.after[: unit.start()] + _OTHER_UNITS[unit[0]] + number.after[unit.end() :]
        yield number.with_(_plain(number), after=other), False, "other_unit"
    if number.money:
        yield number.with_(_plain(number), money=_OTHER_MONEY[number.money]), False, "other_unit"


# --- integers and decimals ---------------------------------------------------------------------------


def _wrong_decimals(number: Number, rng: random.Random) -> Iterator[tuple[str, Fraction, str]]:
    value, places = number.value, number.places
    step = Fraction(1, 10**places)
    for other, mutation in (
        (value + 1, "off_by_one"),
        (value - 1, "off_by_one"),
        (value + step, "off_by_one_in_last_digit"),
        (value - step, "off_by_one_in_last_digit"),
        (-value, "sign"),
    ):
        yield _decimal(other, places), other, mutation
    yield _decimal(value * 10, places), value * 10, "times_ten"
    yield _decimal(value / 10, places + 1), value / 10, "tenth"
    sign, digits = ("-" if value < 0 else ""), number.digits.lstrip("-").replace(",", "")
    for mutation, change in _DIGIT_CHANGES.items():
        texts = (change(digits, at) for at in range(len(digits)) if digits[at].isdigit())
        found = [text for text in texts if text.strip(".") and Fraction(sign + text) != value]
        if found:
            text = sign + rng.choice(found)
            yield _decimal(Fraction(text), len(text.partition(".")[2])), Fraction(text), mutation


def _swapped(digits: str, at: int) -> str:
    """The digit at `at` and the next one exchanged, over a point between them."""
    other = at + 1 + (digits[at + 1 : at + 2] == ".")
    if other >= len(digits):
        return digits
    return digits[:at] + digits[other] + digits[at + 1 : other] + digits[at] + digits[other + 1 :]


_DIGIT_CHANGES: Final[dict[str, Callable[[str, int], str]]] = {
    "swapped_digits": _swapped,
    "dropped_digit": lambda digits, at: digits[:at] + digits[at + 1 :],
    "doubled_digit": lambda digits, at: digits[: at + 1] + digits[at:],
}


def _right_decimals(number: Number) -> Iterator[tuple[str, str]]:
    digits, value = number.digits, number.value
    sign, unsigned = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, point, part = unsigned.partition(".")
    if "," in whole:
        yield digits.replace(",", ""), "commas_dropped"
    elif len(whole) > 3 and not whole.startswith("0"):
        grouped = f"{int(whole):,}"
        yield sign + grouped + point + part, "thousands_commas"
        yield sign + grouped.replace(",", "{,}") + point + part, "thousands_commas_tex"
    yield digits + ("0" if point else ".0"), "trailing_zeros"
    if part.endswith("0"):
        yield sign + whole + (f".{kept}" if (kept := part.rstrip("0")) else ""), "trailing_zeros_dropped"
    if whole == "0" and part.strip("0"):
        yield f"{sign}.{part}", "leading_zero_dropped"
    if sign:
        yield "−" + unsigned, "unicode_minus"
    if not number.bare:
        return
    top, low = value.numerator, value.denominator
    if point and low > 1:
        yield _tex_fraction(top, low), "as_fraction"
        yield f"{top}/{low}", "as_fraction_slash"
    elif low == 1:
        yield _tex_fraction(2 * top, 2), "as_expanded_fraction"
    if value and len(whole) > 3:
        yield _scientific(value), "scientific"


def _scientific(value: Fraction) -> str:
    power = len(str(abs(int(value)))) - 1
    mantissa = value / 10**power
    places = next(count for count in itertools.count() if (mantissa * 10**count).denominator == 1)
    return rf"{_decimal(mantissa, places)} \times 10^{{{power}}}"


# --- fractions ---------------------------------------------------------------------------------------


def _tex_fraction(top: int, low: int) -> str:
    return ("-" if top < 0 else "") + rf"\frac{{{abs(top)}}}{{{low}}}"


def _wrong_fractions(number: Number, top: int, low: int) -> Iterator[tuple[str, Fraction, str]]:
    sign = -1 if top < 0 else 1
    for other_top, other_low, mutation in (
        (sign * low, abs(top), "swapped_fraction"),
        (top + 1, low, "numerator_off_by_one"),
        (top - 1, low, "numerator_off_by_one"),
        (top, low + 1, "denominator_off_by_one"),
        (top, low - 1, "denominator_off_by_one"),
        (-top, low, "sign"),
        (10 * top, low, "times_ten"),
    ):
        if other_low > 0:
            yield _tex_fraction(other_top, other_low), Fraction(other_top, other_low), mutation
    yield str(top), Fraction(top), "denominator_dropped"
    yield str(top * low), Fraction(top * low), "product_for_quotient"


def _right_fractions(number: Number, top: int, low: int) -> Iterator[tuple[str, str]]:
    tex = _tex_fraction(top, low)
    yield tex, "tex_fraction"
    yield tex.replace(r"\frac", r"\dfrac"), "dfrac"
    yield f"{top}/{low}", "slash_fraction"
    yield f"{top} / {low}", "spaced_fraction"
    for factor in (2, 3):
        yield _tex_fraction(factor * top, factor * low), "expanded_fraction"
    if (common := math.gcd(top, low)) > 1:
        yield _tex_fraction(top // common, low // common), "reduced_fraction"
    if written := decimal(number.value):
        yield written, "as_decimal"
