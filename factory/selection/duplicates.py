"""Which texts of one problem repeat another: word for word, by their path, or nearly.

Every function takes texts in order of arrival and returns {place of a repeat: place of the text it
repeats}; a place that is no key is kept, and every place named as a value is kept. The order
decides what is kept, so the caller fixes it. Left out: repeats between problems, and meaning (two
wordings of one idea with other words are no duplicates here).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, Literal

from rapidfuzz.distance import Levenshtein

from factory.selection.notation import NUMERAL, plain_digits, plain_numeral
from factory.selection.paths import ANNOTATION, path_key, text_key

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

PERMUTATIONS: Final = 128
SHINGLE_WORDS: Final = 3
RECALL: Final = 0.99
"""The least chance that the index proposes a pair at the threshold (thresholds under 0.04 reach less)."""

_NUMERAL: Final = re.compile(NUMERAL)
_WORD: Final = re.compile(r"\w+")


def exact(texts: Sequence[str]) -> dict[int, int]:
    """Repeats of a text already seen, whitespace aside; the first stays."""
    return _after_first([text_key(text) for text in texts])


def same_path(texts: Sequence[str], keep: Literal["first", "farthest"] = "first") -> dict[int, int]:
    """Texts whose equations are those of another (see `path_key`); one of each path stays.

    `first` keeps the first of a path, `farthest` the one that `farthest` ends with.
    """
    keys = [path_key(text) for text in texts]
    if keep == "first":
        return _after_first(keys)
    kept = farthest(list(zip(keys, texts, strict=True)))
    return {place: kept[key] for place, key in enumerate(keys) if kept[key] != place}


def _after_first(keys: Sequence[str]) -> dict[int, int]:
    first: dict[str, int] = {}
    return {place: first[key] for place, key in enumerate(keys) if first.setdefault(key, place) != place}


def farthest(keyed: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The place of each key's representative among (key, text) pairs, after step 5 of arXiv 2308.01825.

    The first text of a key represents it. A later one takes its place when it is farther, by the sum
    of character edit distances, from the representatives whose text differs from the present one's.
    The result depends on the order. About n x keys distances are computed, each pair once; one costs
    in the order of (characters / 64) x characters steps.
    """
    texts = [text for _, text in keyed]
    kept: dict[str, int] = {}

    @cache
    def distance(low: int, high: int) -> int:
        return int(Levenshtein.distance(texts[low], texts[high]))

    def spread(place: int, others: Sequence[int]) -> int:
        return sum(distance(min(place, other), max(place, other)) for other in others)

    for place, (key, _) in enumerate(keyed):
        present = kept.setdefault(key, place)
        others = [other for other in kept.values() if texts[other] != texts[present]]
        if present != place and spread(place, others) > spread(present, others):
            kept[key] = place
    return kept


# --- near duplicates ---------------------------------------------------------------------------------


def near(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Texts nearly like one kept before: the same numbers, and word 3-grams alike in `threshold` or more.

    Likeness is the Jaccard index as 128 MinHash permutations estimate it (standard error 0.044
    or less); the first kept text in order that reaches the threshold is named. Numbers are compared as
    a set, because one changed number (median Jaccard 0.91) looks more alike than a light paraphrase
    (0.83): no threshold separates the two, and a changed number is a changed solution.
    """
    from datasketch import MinHashLSH

    indices: dict[frozenset[str], MinHashLSH] = {}
    kept: dict[int, MinHash] = {}
    repeats: dict[int, int] = {}
    for place, text in enumerate(texts):
        signature = _signature(text)
        same_numbers = numbers(text)
        if same_numbers not in indices:
            indices[same_numbers] = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
        index = indices[same_numbers]
        alike = [other for other in index.query(signature) if kept[other].jaccard(signature) >= threshold]
        if alike:
            repeats[place] = min(alike)
        else:
            kept[place] = signature
            index.insert(place, signature)
    return repeats


def numbers(text: str) -> frozenset[str]:
    """The distinct numbers of a text in their plain spelling, without those inside `<<...>>` alone."""
    bare = ANNOTATION.sub("", text)
    return frozenset(plain_numeral(found) for found in _NUMERAL.findall(plain_digits(bare)))


def shingles(text: str) -> frozenset[str]:
    """The word 3-grams of a text, case aside; a text of fewer words is one gram, one of none is itself."""
    words = _WORD.findall(text.lower()) or [text_key(text)]
    last = max(len(words) - SHINGLE_WORDS, 0)
    return frozenset(" ".join(words[start : start + SHINGLE_WORDS]) for start in range(last + 1))


@lru_cache
def bands(threshold: float) -> tuple[int, int]:
    """(bands, rows) of the index: the most rows with which a pair at the threshold is still met.

    Rows make the index propose less in vain. At 0.7 this gives 25 x 5, where 16 x 8, usual for that
    threshold, misses 4 of 10 such pairs.
    """
    fits = (rows for rows in range(PERMUTATIONS, 0, -1) if _met(threshold, rows) >= RECALL)
    rows = next(fits, 1)
    return PERMUTATIONS // rows, rows


def _met(threshold: float, rows: int) -> float:
    return float(1 - (1 - threshold**rows) ** (PERMUTATIONS // rows))


def _signature(text: str) -> MinHash:
    signature = _empty_signature().copy()
    signature.update_batch([gram.encode("utf-8", "surrogatepass") for gram in shingles(text)])
    return signature


@lru_cache(maxsize=1)
def _empty_signature() -> MinHash:
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=1, scheme="affine32")
