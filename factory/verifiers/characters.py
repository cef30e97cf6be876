r"""Characters of other alphabets, fonts and keyboards, and the plain or TeX spelling that stands for each.

Guarantees: one table, applied in one pass; a character stands for one sign or command whatever is around it,
except raised, lowered and vulgar digits, which are read in runs (`x⁻¹`, `³⁄₄`). Digits of every script
count as digits. Left out: characters that mean several things (`·` as a decimal point, `—`, `‰`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NAMED: Final = {
    r"\times ": "×✕✖⨯⨉",
    r"\cdot ": "·⋅∙‧",
    "*": "∗⁎",
    "/": "÷∕⁄⧸➗",
    "sqrt ": "√",
    "cbrt ": "∛",
    r"\infty ": "∞",
    r"\le ": "≤⩽≦",
    r"\ge ": "≥⩾≧",
    r"\ne ": "≠",
    r"\pm ": "±",
    r"\mp ": "∓",
    r"\cup ": "∪⋃",
    r"\cap ": "∩⋂",
    r"\setminus ": "∖",
    r"\in ": "∈∊",
    r"\forall ": "∀",
    r"\emptyset ": "∅⌀",
    r"\approx ": "≈≃",
    r"\sim ": "∼",
    r"\equiv ": "≡",
    r"\to ": "→",
    r"\land ": "∧",
    r"\lor ": "∨",
    r"\langle ": "⟨〈〈",
    r"\rangle ": "⟩〉〉",
    r"\lfloor ": "⌊",
    r"\rfloor ": "⌋",
    r"\lceil ": "⌈",
    r"\rceil ": "⌉",
    r"\sum ": "∑",
    r"\prod ": "∏",
    r"\int ": "∫",
    r"\ldots ": "⋯",
    "-": "−–‐‑‒﹣➖",
    "+": "➕﹢",
    "=": "﹦",
    ":": "∶꞉﹕",
    ",": "﹐",
    ", ": "、",
    ".": "。｡",
    "|": "∣",
    "'": "′",
    "°": "º˚",
    "°C": "℃",
    "°F": "℉",
    "Ω": "\u2126",
    "K": "\u212a",
    "e": "ℯⅇ",
    "i": "ⅈ",
    "h": "ℎ",
    r"\ell ": "ℓ",
    r"\phi ": "ϕ",
    r"\epsilon ": "ϵ",
    "μ": "\u00b5",
}
_GREEK: Final = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho final sigma tau"
    " upsilon phi chi psi omega"
)
_CAPITALS: Final = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi"
_UNITS: Final = "μ"
"""Greek letters that are prefixes of units stay; Ω, alone among the capitals, is a unit."""


def _table() -> dict[str, str]:
    named = {character: spelling for spelling, row in _NAMED.items() for character in row}
    for number, name in enumerate(_GREEK.split()):
        if name not in ("omicron", "final") and (letter := chr(0x3B1 + number)) not in _UNITS:
            named[letter] = f"\\{name} "
    for letter, name in zip("ΓΔΘΛΞΠΣΦΨ", _CAPITALS.split(), strict=True):
        named[letter] = f"\\{name} "
    for code in range(0x1D400, 0x1D800):  # letters of mathematical fonts
        plain = unicodedata.normalize("NFKC", chr(code))
        if plain != chr(code):
            named[chr(code)] = named.get(plain, plain)
    for letter in "ℂℍℕℙℚℝℤ" + "".join(map(chr, range(0x1D538, 0x1D552))):
        plain = unicodedata.normalize("NFKC", letter)
        if plain != letter:
            named[letter] = rf"\mathbb{{{plain}}}"
    return named


_CHARACTERS: Final = str.maketrans(
    {chr(full): chr(full - 0xFEE0) for full in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
    | dict.fromkeys("\u200b\u200c\u200d\u2060\u2061\u2062\ufeff\u00ad", "")  # what has no width
    | dict.fromkeys("\u2007\u2008\u2009\u200a\u202f", r"\,")
    | {"\u00a0": " ", "\u3000": " "}
    | {
        part: r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", part).split("\u2044"))
        for part in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
    }
    | _table()
)
_HIGH: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ⁱⁿˣʸᵃᵇᵏᵐᵗᵀ"
_LOW: Final = "₀₁₂₃₄₅₆₇₈₉₋₊ₐₑᵢⱼₖₙₘₓ"
_LEVEL: Final = str.maketrans(_HIGH + _LOW, "0123456789-+()inxyabkmtT" + "0123456789-+aeijknmx")
_DIGIT: Final = re.compile(r"\d")
_RAISED: Final = re.compile(f"[{_HIGH}]+")
_LOWERED: Final = re.compile(f"[{_LOW}]+")
_VULGAR: Final = re.compile("(?<![⁰¹²³⁴⁵⁶⁷⁸⁹A-Za-z)}])([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,9})[⁄/∕]([₀₁₂₃₄₅₆₇₈₉]{1,9})")


def plain(text: str) -> str:
    """`text` with every character that has a plain or a TeX spelling in that spelling."""
    if text.isascii():
        return text
    text = _VULGAR.sub(lambda match: rf"\frac{{{_level(match[1])}}}{{{_level(match[2])}}}", text)
    text = text.translate(_CHARACTERS)
    text = _RAISED.sub(lambda match: f"^{{{_level(match[0])}}}", text)
    text = _LOWERED.sub(lambda match: f"_{{{_level(match[0])}}}", text)
    return _DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)


def _level(run: str) -> str:
    return run.translate(_LEVEL)
