"""English number words and what they stand for.

Guarantees: spellings are lower case, one word each. Left out: how words join to one number (`words.py`).
"""

from __future__ import annotations

from typing import Final

_TO_NINETEEN: Final = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen
"""
_BY_TEN: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_FROM_THIRD: Final = """
third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth
"""
UNITS: Final = {word: number for number, word in enumerate(_TO_NINETEEN.split())}
TENS: Final = {word: 10 * number for number, word in enumerate(_BY_TEN.split(), 2)} | {"fourty": 40}
SCALES: Final = {
    "hundred": 100,
    "thousand": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
    "quadrillion": 10**15,
}
_ORDINALS: Final = {word: number for number, word in enumerate(_FROM_THIRD.split(), 3)}
PARTS: Final = (
    {"half": 2, "quarter": 4}
    | _ORDINALS
    | {word[:-1] + "ieth": number for word, number in TENS.items()}
    | {word + "th": number for word, number in SCALES.items()}
)
"""What a whole is parted into, by the name of one part."""
BELOW_TEN_PARTS: Final = {"first": 1, "second": 2} | {
    word: number for word, number in _ORDINALS.items() if number < 10
}
"""What may follow a multiple of ten in the name of a part: `twenty-fifth`."""
PLURALS: Final = {word + "s" for word in (*PARTS, *BELOW_TEN_PARTS)} - {"halfs"} | {"halves"}
NUMBER_WORDS: Final = frozenset((*UNITS, *TENS, *SCALES, *PARTS, *PLURALS, "dozen", "point", "first")) - {
    "seconds"
}
"""Words that carry a number; `second` is not among them, being a unit of time more often."""
