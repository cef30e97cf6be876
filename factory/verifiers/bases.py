r"""Numerals of another base: 1011_2, (1A3)_{16}, 101_{\text{two}}, 1011 base 2, 0x2A.

Guarantees: a numeral is read only when every digit exists in its base; one that has a digit too many
(5_3) is `unsupported:base`. Two are equal when their values are; a bare numeral is of base ten. The same
digits with the base on one side only are undecided: the question may have fixed it.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from factory.verifiers.exact import Quantity
from factory.verifiers.spelling import Unsettled

_WORDS: Final = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "sixteen": 16, "binary": 2, "octal": 8, "decimal": 10, "hexadecimal": 16,
    "bin": 2, "oct": 8, "dec": 10, "hex": 16,
}  # fmt: skip
_BASE: Final = rf"(?P<base>[0-9]{{1,2}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"
_PREFIXES: Final = {"b": 2, "o": 8, "x": 16}
_PREFIXED: Final = re.compile(
    r"(?P<sign>-?) ?0(?:\\text ?\{ ?)?(?P<base>[box])(?: ?\})? ?(?:\\text ?\{ ?)?"
    r"(?P<digits>[0-9A-F]+)(?: ?\})?",
    re.IGNORECASE,
)
_LETTERED: Final = r"(?-i:[A-F][0-9A-F]+|[a-f][0-9a-f]+)(?= ?_ ?\{? ?(?:16|hex|\\text ?\{ ?hex))"
_LOWERED: Final = re.compile(
    rf"(?P<sign>-?) ?(?:\( ?(?P<held>[0-9A-Za-z. ]+?) ?\)|\\text ?\{{ ?(?P<worded>[0-9A-Za-z. ]+?) ?\}}"
    rf"|(?P<digits>[0-9][0-9A-Za-z. ]*?|{_LETTERED}))"
    rf" ?_ ?(?:\{{ ?)?(?:\\text ?\{{ ?)?{_BASE} ?\}}?(?: ?\}})?",
    re.IGNORECASE,
)
_SAID: Final = re.compile(
    rf"(?P<sign>-?)(?P<digits>[0-9][0-9A-Za-z.]*?),? ?(?:\(|in )? ?base[- ]?{_BASE}\)?", re.IGNORECASE
)
LONGEST: Final = 300


class Numeral(NamedTuple):
    digits: str
    base: int
    value: Fraction


def read(cleaned: str) -> Numeral | None:
    """The numeral a text is. Raises Unsettled for digits that its base has not."""
    if len(cleaned) > LONGEST or not (
        "_" in cleaned or "base" in cleaned or cleaned.startswith(("0", "-0", "- 0"))
    ):
        return None
    match = _LOWERED.fullmatch(cleaned) or _SAID.fullmatch(cleaned) or _PREFIXED.fullmatch(cleaned)
    if match is None:
        return None
    named = match.groupdict()
    digits = (named.get("held") or named.get("worded") or match["digits"]).replace(" ", "")
    named_base = match["base"].casefold()
    base = _WORDS.get(named_base) or _PREFIXES.get(named_base) or int(named_base)
    if not 2 <= base <= 36:
        raise Unsettled("unsupported:base")
    whole, _, part = digits.partition(".")
    try:
        value = Fraction(int(whole or "0", base)) + Fraction(int(part or "0", base), base ** len(part))
    except ValueError:
        raise Unsettled("unsupported:base") from None
    return Numeral(match["sign"] + digits.casefold(), base, -value if match["sign"] else value)


def compare(answer: str, reference: str, one: Quantity | None, other: Quantity | None) -> str | None:
    """The word on two answers of which at least one names its base; None when neither does."""
    first, second = read(answer), read(reference)
    if first is None and second is None:
        return None
    if first is None or second is None:
        numeral, number, text = (first, other, reference) if first else (second, one, answer)
        assert numeral is not None
        if number is None or number.value is None or number.unit:
            raise Unsettled("unsupported:base")
        if text.casefold() == numeral.digits and number.value != numeral.value:
            raise Unsettled("unsupported:base")
        return "equal:base" if number.value == numeral.value else "different:base"
    return "equal:base" if first.value == second.value else "different:base"
