r"""Words around an answer that change nothing about it, and words that decide it alone.

Guarantees: linear scans of short texts; what is taken off (`exactly`, `for all x`) leaves the same answer,
and words of doubt (`about`, `at least`) stay. `for integers k` is spelled `k \in \mathbb{Z}`. A sentence is
decided by its first word (`No, it is not possible`) or its last (`It is a Tuesday`) only where nothing else
in it speaks against that; else it is `undecided`. Left out: what sentences mean.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from factory.verifiers.spelling import Unsettled

LONGEST: Final = 300
_HARMLESS: Final = re.compile(
    r"(?:(?:exactly|precisely|just|only(?! (?:if|when|where|for)\b)|simply|a total of) )+(?=\S)",
    re.IGNORECASE,
)
_WORDY: Final = re.compile(
    r"\\text ?\{(?=[^{}]*\b(?:for|where|with|is|integers?|all|every|any)\b)"
    r"((?: |,|\b(?:for|where|with|and|all|any|every|each|some|real|integers?|is|are|an?|numbers?|values?|of"
    r"|in|positive|[a-z])\b)+)\}"
)
_BLANKS: Final = re.compile(" {2,}")
_LETTER: Final = r"(?P<letter>[A-Za-z])"
_INTEGERS: Final = r"(?:\\in ?\\mathbb ?\{? ?Z ?\}?|(?:is |are |be |being )?(?:an |any |some )?integers?)"
_PARAMETER: Final = re.compile(
    rf"(?:,|;| )+\(? ?(?:(?:for|where|with|and|\\forall) )?(?:(?:all|any|every|each|some) )?"
    rf"(?:{_LETTER} ?{_INTEGERS}|integers? (?:values? of )?(?P<said>[A-Za-z])) ?\)?$"
)
_DOMAINS: Final = (
    r"(?P<domain>(?:positive |non-?negative |nonzero )?(?:real|integer|natural|complex|rational)s?)"
)
_QUANTIFIER: Final = re.compile(
    rf"(?:,|;| )+\(?(?:for (?:all|any|every|each)|\\forall) ?(?:{_DOMAINS} )?(?:numbers? |values? of )*"
    r"(?P<letter>[A-Za-z])"
    r"(?: ?\\in ?\\mathbb ?\{? ?(?P<set>[A-Z]) ?\}?| in (?:the )?(?P<named>[A-Z]|reals|integers))?\)?$"
)
_OF_A_FUNCTION: Final = re.compile(r"[A-Za-z](?:\(([A-Za-z])\)|_\{? ?([A-Za-z]) ?\}?) ?=")
_IN_REALS: Final = re.compile(r", ?(?P<letter>[A-Za-z]) ?\\in ?\\mathbb ?\{? ?(?P<set>R) ?\}?$")
_DOMAIN_NAMES: Final = {"R": "real", "Z": "integer", "N": "natural", "C": "complex", "Q": "rational"}
_APPROXIMATE: Final = re.compile(r"(?:\\(?:approx|simeq|doteq)(?![A-Za-z]) ?)+")


class Phrase(NamedTuple):
    """An answer, the domain it is said to hold in ("" for none), and whether it is said to be rounded."""

    text: str
    domain: str
    rounded: bool


def read(cleaned: str) -> Phrase:
    """An answer less the words around it that change nothing."""
    rounded = _APPROXIMATE.match(cleaned)
    text = cleaned[rounded.end() :] if rounded else cleaned
    if len(text) > LONGEST:
        return Phrase(text, "", rounded is not None)
    if harmless := _HARMLESS.match(text):
        text = text[harmless.end() :]
    domain = ""
    if "for" in text or "in" in text:
        text, domain = _without_quantifier(text)
    return Phrase(text, domain, rounded is not None)


def agree(one: Phrase, other: Phrase) -> None:
    """Raise unsupported:domain when two answers are said to hold in different domains."""
    if one.domain and other.domain and one.domain != other.domain:
        raise Unsettled("unsupported:domain")


def _without_quantifier(cleaned: str) -> tuple[str, str]:
    """The text without a quantifier and the domain of that; with an integer parameter in one spelling."""
    text = _BLANKS.sub(" ", _WORDY.sub(r" \1 ", cleaned)).strip()
    function = _OF_A_FUNCTION.match(text)
    free = (function[1] or function[2]) if function else None
    found = _QUANTIFIER.search(text) or _IN_REALS.search(text)
    if found and found.start() and (free is None or free == found["letter"]):
        named = found.groupdict()
        said = named.get("domain") or named.get("set") or named.get("named") or ""
        domain = _DOMAIN_NAMES.get(said, said.removesuffix("s"))
        if free is not None or domain in ("", "real"):
            return text[: found.start()].rstrip(" ,;"), domain
    parameter = _PARAMETER.search(text)
    if parameter and parameter.start() and free is None:
        letter = parameter["letter"] or parameter["said"]
        return rf"{text[: parameter.start()]}, {letter} \in \mathbb{{Z}}", "integer"
    return cleaned, ""


# --- sentences that one word decides -----------------------------------------------------------------

_POLES: Final = {"yes": "yes", "no": "no", "true": "true", "false": "false"}
_OPPOSITE: Final = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
_LEADING: Final = re.compile(r"(yes|no|true|false)(?:[,.;:!]| ?[-–—] ?)\s*(?=\S)", re.IGNORECASE)
_AGAINST: Final = re.compile(
    r"\b(?:yes|true|but|however|although|though|wait|actually|except|unless|or|if|maybe|perhaps|possibly"
    r"|only|some(?:times)?|when|provided|providing|as long as|assuming|kidding|doubt|partly|nope"
    r"|for [a-z] ?(?:[<>=]|\\(?:[gl]eq?|neq?|in)))(?![a-z])",
    re.IGNORECASE,
)
_DENIAL: Final = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|den(?:y|ies|ied|ying)|hardly|rarely|false|impossible|wrong|incorrect|without)\b|n['’]t\b",
    re.IGNORECASE,
)
_DOUBT: Final = re.compile(
    r"\b(?:before|after|between|either|might|may|could|probably|than|if|either|and|until|since|guess|when|whenever"
    r"|where|while|as|because|unlike|think|believe|assume|suppose|suspect|say|says|said|whether|that|which|who"
    r"|almost|nearly|half|used|claims?|opposite|reverse|complement|other|second)\b|,",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[A-Za-z]{2,20}")
_ENDING: Final = re.compile(
    r"(?:is|are|was|(?:must|will|should) be|on|becomes|called|named)(?: (?:an?|the))? $|^(?:an?|the) $",
    re.IGNORECASE,
)


def by_one_word(answer: str, reference: str) -> str | None:
    """The word on a sentence against one word; None where no side is one word, or it is not in the other."""
    for one, other in ((answer, reference), (reference, answer)):
        if _WORD.fullmatch(other) and len(one) <= LONGEST and " " in one:
            word = other.casefold()
            return _led(one, word) if word in _POLES else _ended(one, word)
    return None


def _led(sentence: str, word: str) -> str | None:
    lead = _LEADING.match(sentence)
    if lead is None:
        return None
    rest, first = sentence[lead.end() :], lead[1].casefold()
    against = _AGAINST.search(rest) or (first in ("yes", "true") and _DENIAL.search(rest))
    if against or first not in (word, _OPPOSITE[word]):
        raise Unsettled("undecided")
    return "equal:word" if first == word else "different:word"


def _ended(sentence: str, word: str) -> str | None:
    places = [match for match in re.finditer(r"[A-Za-z]+", sentence) if match[0].casefold() == word]
    if not places:
        return None
    before = sentence[: places[-1].start()]
    plain = not (_DENIAL.search(before) or _DOUBT.search(before) or _AGAINST.search(before))
    if len(places) == 1 and places[0].end() == len(sentence) and plain and _ENDING.search(before):
        return "equal:word"
    raise Unsettled("undecided")
