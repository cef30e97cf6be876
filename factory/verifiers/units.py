"""Units after a number: split off, spelled one way, and converted exactly.

Guarantees: only words at the end of a text are read, at most six of them; words that carry numbers,
operations or doubt (`half`, `at least`, `mod`) are no units. What is no unit of the table is a noun, and
counts things. A unit is written as a product, `kg*m^2/s^2`, and sizes are exact (`unit_table.py`). A single
letter is a unit where TeX marks it as text, beside another unit (`km/h`), or where the other side has a
unit of its dimension. A name with several meanings takes the one that fits the other side; where several
fit and disagree, or a scale has an offset (temperatures), the comparison is unsettled.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from fractions import Fraction
from typing import Final

from factory.verifiers import unit_table
from factory.verifiers.nouns import same_noun
from factory.verifiers.number_names import SCALES
from factory.verifiers.spelling import Unsettled
from factory.verifiers.unit_spelling import Unit, read, words_of, write

UNITS: Final = unit_table.ALIASES
_DOLLARS: Final = ("AUD", "CAD", "NZD", "SGD", "HKD")
_CURRENCIES: Final = (
    *_DOLLARS, "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "ZAR", "KRW", "RUB", "ILS",
    "THB", "VND", "IDR", "PHP",
)  # fmt: skip
_DIMENSIONS: Final = {
    "m": "length", "m^2": "area", "m^3": "volume", "kg": "mass", "s": "time", "month": "time",
    "m s^-1": "speed", "m s^-2": "acceleration", "kg m s^-2": "force", "kg m^2 s^-2": "energy",
    "kg m^2 s^-3": "power", "kg m^-1 s^-2": "pressure", "s^-1": "frequency", "°angle": "angle",
    "rad": "angle", "°C": "temperature", "°F": "temperature", "K": "temperature", "bit": "data",
    "bit s^-1": "data rate", "%": "percent", "$": "money", "€": "money", "£": "money", "¥": "money",
    "₹": "money", "yuan": "money", "peso": "money", "A": "current", "mol": "amount", "": "count",
    **dict.fromkeys(_CURRENCIES, "money"),
}  # fmt: skip
_KINDS: Final = {"month": "s", "°F": "°C", "K": "°C", "rad": "°angle", **dict.fromkeys(_DOLLARS, "$")}
_POWER: Final = r"(?:\^ ?(?:\{ ?-?[1-4] ?\}|\(-?[1-4]\)|-?[1-4]))"
_LINK: Final = r"(?:/|\*|\\cdot)"
_TEXT: Final = r"\\text ?\{(?:[^{}]|\{[^{}]{0,4}\}){1,60}\}"
_WRAPPED_TAIL: Final = re.compile(rf" ?((?:(?:/ ?)?{_TEXT}{_POWER}? ?(?:{_LINK} ?)?){{1,6}})$")
_FRACTION_TAIL: Final = re.compile(rf" ?\\frac ?\{{ ?({_TEXT}) ?\}} ?\{{ ?({_TEXT}{_POWER}?) ?\}}$")
_PLAIN_TAIL: Final = re.compile(
    rf"(?:(?<=[0-9}}).%!])|(?<=\\pi)) ((?:[A-Za-zμΩ/](?:[A-Za-zμΩ /*().'-]|\\cdot|{_POWER}){{0,60}}))$"
)
_GLUED_TAIL: Final = re.compile(
    r"(?<=[0-9])(/ ?[A-Za-z]{2,12}"
    rf"|[A-Za-zμΩ]{{1,4}}{_POWER}?(?: ?{_LINK} ?[A-Za-z]{{1,6}}{_POWER}?){{0,3}})$"
)
_DEGREE_TAIL: Final = re.compile(r"(?<=[0-9)}.]) ?° ?(?:\\text ?\{ ?([A-Za-z]{1,10}) ?\}|([A-Za-z]{1,10}))?$")
_FUNCTION: Final = re.compile(r"(?:sin|cos|tan|cot|sec|csc)")
_SHORT: Final = frozenset({"of", "an", "a", "sq", "cu"})
_PRODUCTS: Final = frozenset({"ha", "pt", "cl", "dl", "kl", "gm", "nm", "mi", "st", "wk", "us", "ly", "Rs"})
_WINDOW: Final = 200
_CODE: Final = re.compile(
    r"(?P<sign>[-+]?) ?(?:\\text ?\{ ?)?(?P<code>[A-Z]{3}|U\.?S\.?|R[sS]\.?|C|A)(?: ?\})? ?(?P<dollar>\$?) ?"
    r"(?=[-+]?(?:[0-9]|\.[0-9]))"
)
_CODES: Final = {
    "Rs": "INR",
    "RS": "INR",
    "Rs.": "INR",
    "US$": "USD",
    "U.S.$": "USD",
    "C$": "CAD",
    "A$": "AUD",
}


def currency_behind(cleaned: str) -> str:
    """`USD 1,250.00`, `US$5`, `Rs. 20` with the currency behind the number; any other text as it is."""
    match = _CODE.match(cleaned)
    if match is None:
        return cleaned
    code = _CODES.get(match["code"] + match["dollar"], match["code"])
    unit = unit_table.lookup(code)
    if _DIMENSIONS.get(unit or "") != "money" or (match["dollar"] and unit not in ("$", *_DOLLARS)):
        return cleaned
    return f"{match['sign']}{cleaned[match.end() :]} {code}"


def split_unit(cleaned: str, beside: str = "") -> tuple[str, str, int]:
    """The text before a closing unit, the unit in one spelling ("" for none), and 10**6 for `million` etc.

    `beside` is the unit of the other side, beside which letters that may be a product are a unit too.
    """
    if cleaned[-1:].isdigit() and "^" not in cleaned[-8:]:
        return cleaned, "", 1
    start = max(0, len(cleaned) - _WINDOW)
    if "°" in cleaned[start:] and (tail := _DEGREE_TAIL.search(cleaned, start)):
        return _split_degrees(cleaned, tail)
    for pattern in (_WRAPPED_TAIL, _FRACTION_TAIL, _PLAIN_TAIL, _GLUED_TAIL):
        tail = pattern.search(cleaned, start)
        if tail is None or tail.start() == 0:
            continue
        before, text = cleaned[: tail.start()].rstrip(), "/".join(tail.groups())
        if before.endswith("%") and text.startswith("of "):
            return before, "", 1
        words, factor = _without_scales(text)
        if not words:
            return before, "", factor
        unit = read(words)
        if unit is None or (factor == 1 and not _is_certain(words, unit, pattern, before, beside)):
            return cleaned, "", 1
        return before, write(unit), factor
    return cleaned, "", 1


def _split_degrees(cleaned: str, tail: re.Match[str]) -> tuple[str, str, int]:
    before, scale = cleaned[: tail.start()], tail[1] or tail[2] or ""
    unit = {"": "°", "c": "°C", "celsius": "°C", "f": "°F", "fahrenheit": "°F"}.get(scale.lower())
    if unit is None or _FUNCTION.search(before):
        return cleaned, "", 1
    return before, unit, 1


def _without_scales(text: str) -> tuple[str, int]:
    """`text` less the scales it begins with, and their product."""
    words = text.replace("\\text{", "").replace("\\text {", "").replace("}", "").split()
    factor = 1
    count = 0
    while count < len(words) and words[count] in SCALES:
        factor *= SCALES[words[count]]
        count += 1
    return (" ".join(words[count:]) if count else text), factor


def _is_certain(text: str, unit: Unit, pattern: re.Pattern[str], before: str, beside: str) -> bool:
    """Whether what reads as a unit is no product of variables."""
    if pattern in (_WRAPPED_TAIL, _FRACTION_TAIL):
        return True
    words = words_of(text)
    if text.startswith("/") and not before.startswith(("$", "€", "£")) and len(words) == 1:
        return len(words[0]) > 1 and unit_table.lookup(words[0]) is not None
    known = [word for word in words if unit_table.lookup(word)]
    if beside and len(known) == len(words) and _fits(write(unit), beside):
        return True
    if (
        pattern is _GLUED_TAIL
        and not text.startswith("/")
        and (len(known) < len(words) or (len(words) == 1 and words[0] in _PRODUCTS))
    ):
        return False
    if any(len(word) == 1 and word not in _SHORT for word in words):
        return text in ("m/s", "m/s^2", "m/s^{2}") or any(len(word) > 1 for word in known)
    return all(
        word in known or word in _SHORT or (len(word) > 2 and not set("aeiouyAEIOUY").isdisjoint(word))
        for word in words
    )


def _fits(unit: str, other: str) -> bool:
    ratios, doubtful = _ratios(unit, other)
    return bool(ratios) or doubtful


# --- sizes -------------------------------------------------------------------------------------------


def dimension(unit: str) -> str | None:
    """`length`, `speed`, `money` ...; base units with powers where it has no name; None for a noun."""
    parts = _parts(unit)
    if not unit or any(unit_table.lookup(name) is None for name, _ in parts):
        return None
    for chosen in _choices(parts):
        found = _size(parts, chosen)
        if found is not None:
            bases = " ".join(base if power == 1 else f"{base}^{power}" for base, power in found[0])
            return _DIMENSIONS.get(bases, bases)
    return None


def convert(value: Fraction, unit: str, other: str) -> Fraction | None:
    """`value` of `unit` in `other`, both as `split_unit` spells them; None where dimensions or nouns differ.

    A noun that one side leaves out is no difference. Raises Unsettled where the names have meanings that
    give different values, and between scales that are not a matter of a factor.
    """
    if unit == other:
        return value
    ratios, doubtful = _ratios(unit, other)
    if doubtful or len(ratios) > 1:
        raise Unsettled("unsupported:units")
    return next((value * ratio for ratio in ratios), None)


def same_quantity(value: Fraction, unit: str, other_value: Fraction, other: str) -> bool:
    """Whether two numbers with units are one quantity; Unsettled where that depends on what a name means.

    A unit missing on one side alone is no difference, except `dozen`, which may have been counted.
    """
    if unit == other:
        return value == other_value
    if not (unit and other):
        if "dozen" not in (unit + other):
            return value == other_value
        if value == other_value:
            raise Unsettled("unsupported:units")
    ratios, doubtful = _ratios(unit, other)
    outcomes = {value * ratio == other_value for ratio in ratios}
    if len(outcomes) > 1 or (doubtful and True not in outcomes):
        raise Unsettled("unsupported:units")
    return True in outcomes


def agree(one: str, other: str) -> None:
    """Raise unsupported:units when numbers with these units cannot be compared as they stand."""
    if one != other and ((one and other) or "dozen" in one + other):
        ratios, doubtful = _ratios(one, other)
        if doubtful or ratios != {1}:
            raise Unsettled("unsupported:units")


Choice = dict[str, str]


@functools.lru_cache(maxsize=4096)
def _ratios(unit: str, other: str) -> tuple[frozenset[Fraction], bool]:
    """What one `unit` is in `other` under every meaning that fits, and whether one has no such factor."""
    one, two = _parts(unit), _parts(other)
    ratios, doubtful = _ratios_of(one, two)
    if ratios or doubtful or not (_is_rate(one) or _is_rate(two)):
        return ratios, doubtful
    below = [tuple(part for part in parts if part[1] < 0) for parts in (one, two)]
    return _ratios_of(*below)  # `5 per hour` beside `$5 per hour`


def _ratios_of(one: Unit, two: Unit) -> tuple[frozenset[Fraction], bool]:
    ratios: set[Fraction] = set()
    doubtful = False
    for chosen in _choices((*one, *two)):
        left, right = _size(one, chosen), _size(two, chosen)
        if left is None or right is None:
            continue
        if left[0] != right[0]:
            doubtful |= _kinds(left[0]) == _kinds(right[0]) or "unit" in (*_nouns(one), *_nouns(two))
        elif _nouns_agree(_nouns(one), _nouns(two)):
            ratios.add(left[1] / right[1])
    return frozenset(ratios), doubtful


def _parts(unit: str) -> Unit:
    return (read(unit) or ((unit, 1),)) if unit else ()


def _is_rate(parts: Unit) -> bool:
    return bool(parts) and all(power < 0 for _, power in parts)


def _choices(parts: Unit) -> list[Choice]:
    """Every way to choose among the meanings of the names."""
    names = [name for name, _ in parts if unit_table.lookup(name) == name]
    questions = sorted(frozenset().union(*(unit_table.questions(name) for name in names)))
    answers = itertools.product(*(unit_table.CHOICES[question] for question in questions))
    return [dict(zip(questions, answer, strict=True)) for answer in answers]


def _size(parts: Unit, chosen: Choice) -> unit_table.Size | None:
    """The size of a product of units, nouns left out; None where a name has no meaning under `chosen`."""
    powers: Counter[str] = Counter()
    factor = Fraction(1)
    for name, power in parts:
        if unit_table.lookup(name) != name:
            continue
        found = unit_table.size(name, chosen)
        if found is None:
            return None
        factor *= found[1] ** power
        for base, times in found[0]:
            powers[base] += times * power
    return tuple(sorted((base, power) for base, power in powers.items() if power)), factor


def _kinds(bases: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    powers: Counter[str] = Counter()
    for base, power in bases:
        powers[_KINDS.get(base, base)] += power
    return sorted(item for item in powers.items() if item[1])


def _nouns(parts: Unit) -> dict[str, int]:
    return {name: power for name, power in parts if unit_table.lookup(name) != name}


def _nouns_agree(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether every noun of the side with fewer has its like on the other; of as many, each of both."""
    fewer, more = sorted((one, other), key=len)
    return _have_likes(fewer, more) and (len(fewer) < len(more) or _have_likes(more, fewer))


def _have_likes(nouns: dict[str, int], others: dict[str, int]) -> bool:
    return all(
        any(power == times and same_noun(noun, like) for like, times in others.items())
        for noun, power in nouns.items()
    )
