r"""One spelling of a unit for the many ways to write it: `kg*m^2/s^2`.

Guarantees: `read` takes words, symbols, powers, `per`, `/`, `square` and TeX's marks of text apart, in time
linear in the text, and `write` gives a spelling that reads as the same unit. Names of the table stand for
themselves; other words that follow each other are one noun (`apple pie`), in the singular. A text with a
word that carries a number, an operation or doubt is no unit (None), and neither is `J/kg K`, which could
mean two. Left out: sizes (`units.py`).
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Final

from factory.verifiers import unit_table
from factory.verifiers.nouns import singular
from factory.verifiers.number_names import NUMBER_WORDS

Unit = tuple[tuple[str, int], ...]
"""Names with their powers, sorted: names of the table as they stand there, or nouns in the singular."""

_DOUBT: Final = """
and or not no nor if else is are was isn wrong incorrect minus plus times over divided by squared cubed
factorial mod modulo base pi sqrt root log ln exp sin cos tan cot sec csc inf infinity frac dozens hundreds
thousands millions billions then because lambda for least most about approximately around nearly almost
between below above under to power choose am pm possibly maybe but than with from undefined
"""
_AFTER: Final = """
left remaining more total altogether overall each apiece tall long wide high deep old away apart ago later
earlier only exactly extra longer taller faster heavier older younger less fewer
"""
_BY_ITSELF: Final = "left remaining more total altogether overall each apiece only exactly extra"
_NO_UNIT: Final = (NUMBER_WORDS - {"dozen"}) | frozenset(_DOUBT.split())
_LEADING: Final = frozenset(("more", "extra", "additional", "whole", "full", "total", "the", "other"))
_TRAILING: Final = frozenset(_AFTER.split())
_ALONE: Final = frozenset(_BY_ITSELF.split())
_IN_TOTAL: Final = re.compile(
    r" ?\b(?:in (?:total|all|length|width|height|area|volume|weight|size|perimeter|depth)|of age|on average)$"
)
_NAMES: Final = re.compile(
    r"\b(?:"
    + "|".join(
        re.escape(name).replace("_", r"\.? ")
        for name in sorted(unit_table.ALIASES, key=len, reverse=True)
        if "_" in name
    )
    + r")\b",
    re.IGNORECASE,
)
_DEGREES_LETTER: Final = re.compile(r"(?:°|\bdeg(?:rees?)?) ?([CF])\b")
_TOKEN: Final = re.compile(
    r" *(?:(?P<word>°(?:angle|[CF])?|[A-Za-zμΩ_]+(?:['’][A-Za-z]+)?\.?|[$€£¥₹¢%])"
    r"|\^ ?[{(]? ?(?P<power>-?[1-4])(?![0-9]) ?[})]?|(?P<sign>/|\*|\\cdot|-|[()]))"
)
_DIRECTION: Final = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_POSSESSIVE: Final = re.compile("['’][A-Za-z]*$")
_LETTERED: Final = re.compile(r"\b([TXtxe])-(?=[a-z]{3})")
_RAISED: Final = re.compile(r"\b([A-Za-z]{2,12}) (squared|cubed)\b", re.IGNORECASE)
_OPENING: Final = re.compile(r"(?<!\^)(?<!\^ )\{|(?<![0-9])(?<![0-9] )\}")
_MOST_WORDS: Final = 6
_LONGEST: Final = 120


def _raised(match: re.Match[str]) -> str:
    if unit_table.lookup(match[1]) is None:
        return match[0]
    return f"{match[1]}^{2 if match[2].lower() == 'squared' else 3}"


def _plain(text: str) -> str:
    """`text` less TeX's marks of text, with names of several words joined."""
    for old, new in (("\\text", ""), ("µ", "μ"), ("\\mu ", "μ"), ("\\Omega", "Ω")):
        text = text.replace(old, new)
    text = _OPENING.sub(" ", text)
    text = _DEGREES_LETTER.sub(r"°\1", _IN_TOTAL.sub("", " ".join(text.split())))
    text = _RAISED.sub(_raised, _LETTERED.sub(r"\1", text))
    return _NAMES.sub(lambda match: match[0].lower().replace(".", "").replace(" ", "_"), text).strip()


def words_of(text: str) -> list[str]:
    """The words of a unit as written."""
    return [match["word"].rstrip(".") for match in _TOKEN.finditer(_plain(text)) if match["word"]]


def _tokens(text: str) -> list[tuple[str, str]] | None:
    """Kinds and texts of what a unit consists of, words that say nothing left out; None for what is none."""
    tokens: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind].rstrip(".") if kind == "word" else match[kind]))
        at = match.end()
    while len(tokens) > 1 and tokens[0][0] == "word" and tokens[0][1].lower() in _LEADING:
        del tokens[0]
    while len(tokens) > 1 and tokens[-1][0] == "word" and tokens[-1][1].lower() in _TRAILING:
        del tokens[-1]
    words = [value.lower() for kind, value in tokens if kind == "word"]
    if not words or len(words) > _MOST_WORDS or not _NO_UNIT.isdisjoint(words):
        return None
    return tokens


@functools.lru_cache(maxsize=4096)
def read(text: str) -> Unit | None:
    """The product of units a text is; empty for words such as `in total`, None for what is no unit."""
    if len(text) > _LONGEST:
        return None
    plain = _plain(text)
    if plain.lower() in _ALONE or not plain:
        return ()
    tokens = _tokens(plain)
    return None if tokens is None else _product(tokens)


def _product(tokens: list[tuple[str, str]]) -> Unit | None:
    """The product that tokens are. `fresh`: a name has to follow."""
    parts: list[tuple[str, int]] = []
    sign, direction, fresh, grouped = 1, 0, True, False
    for kind, value in tokens:
        word = value.lower()
        if kind == "power":
            if fresh or not _raise(parts, int(value)):
                return None
        elif value == "/" or word == "per" or _is_article(value, parts):
            if (fresh and parts) or grouped or direction:
                return None
            sign, fresh = -1, True
        elif kind == "sign":
            if value == "(" and fresh and sign < 0 and not grouped:
                grouped = True
            elif value == ")" and grouped and not fresh:
                grouped = False
            elif value in ("*", "\\cdot", "-") and not fresh and (sign > 0 or grouped or value == "-"):
                fresh = value != "-" or _is_known(parts[-1][0])
            else:
                return None
        elif word in _DIRECTION and not direction:
            direction = _DIRECTION[word]
        elif word == "of" and not fresh and not direction:
            if parts[-1][0] == "%":
                break
            if not _is_known(parts[-1][0]):
                parts[-1] = (parts[-1][0] + " of", parts[-1][1])
        elif word != "the":
            name = _named(value, parts, fresh)
            if name is None or (_is_known(name) and sign < 0 and not (fresh or grouped)):
                return None
            _add(parts, name, sign, direction, fresh)
            direction, fresh = 0, False
    return None if fresh or grouped or direction else _merged(parts)


def _is_article(word: str, parts: list[tuple[str, int]]) -> bool:
    """Whether a word is the `an` of `60 miles an hour`, and not that of `5 in a row`."""
    return word in ("a", "an") and not (parts and parts[-1][0] == "in")


def _is_known(name: str) -> bool:
    return unit_table.lookup(name) == name


def _named(word: str, parts: list[tuple[str, int]], fresh: bool) -> str | None:
    """The name a word stands for; None for a letter that is no unit, and for `in` within a sentence."""
    name = unit_table.lookup(word)
    if not fresh and (name == "in" or parts[-1][0] == "in"):
        return None
    if name is not None:
        return name
    noun = singular(_POSSESSIVE.sub("", word))
    return noun if len(noun) > 1 and noun not in _NO_UNIT and noun not in _DIRECTION else None


def _add(parts: list[tuple[str, int]], name: str, sign: int, direction: int, fresh: bool) -> None:
    """Put a name to the product; a noun after a noun makes one phrase with it."""
    if _is_known(name) or name == "unit":
        parts.append((name, sign * (direction or 1)))
        return
    if direction:
        name = f"{'square' if direction == 2 else 'cubic'} {name}"
    if fresh or not parts or _is_known(parts[-1][0]):
        parts.append((name, sign))
    else:
        parts[-1] = (f"{parts[-1][0]} {name}", parts[-1][1])


def _raise(parts: list[tuple[str, int]], power: int) -> bool:
    """Raise the last name to a power, once, if it is a unit and not a noun."""
    name, present = parts[-1]
    if abs(present) != 1 or power == 0 or not (_is_known(name) or name == "unit"):
        return False
    parts[-1] = (name, present * power)
    return True


def _merged(parts: list[tuple[str, int]]) -> Unit | None:
    """Equal names put together, nouns without words that say nothing; None for a power of a noun."""
    powers: Counter[str] = Counter()
    for name, power in parts:
        words = name.split()
        while words and words[0] in _LEADING:
            del words[0]
        while words and (words[-1] in _TRAILING or words[-1] == "of"):
            del words[-1]
        if words and words[-1] in _DIRECTION:
            return None
        if words:
            powers[" ".join(words)] += power
    if any(abs(power) > 1 and not (_is_known(name) or name == "unit") for name, power in powers.items()):
        return None
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def write(unit: Unit) -> str:
    """The spelling of a product of units: `kg*m^2/s^2`, `/h`, `apple pie`."""
    above = [name if power == 1 else f"{name}^{power}" for name, power in unit if power > 0]
    below = [name if power == -1 else f"{name}^{-power}" for name, power in unit if power < 0]
    return "*".join(above) + "".join(f"/{part}" for part in below)
