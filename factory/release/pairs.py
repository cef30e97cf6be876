"""Which kept sample is paired with which failed one of its problem, for the config `preference`.

Guarantees: pure functions of the samples of one problem, given in any order. A pair is a kept and a failed
sample, each sample stands in one pair at most, and there are at most `limit` pairs. The nearest two are
paired first, then the nearest two that are left, and so on; equally near ones go by their ids. Left out: the
pairing by order of drawing, which is SQL (`formats.py`), and which samples are kept or failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

READ: Final = 10_000
"""Characters at the beginning of a text that `similar` compares: the work grows with their square."""

Distances = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that may stand in a pair. `text` may be empty where only lengths are compared."""

    sample_id: str
    tokens: int | None
    characters: int
    text: str = ""


def by_length(kept: Sequence[Sample], failed: Sequence[Sample], limit: int) -> list[tuple[str, str]]:
    """(kept id, failed id) of the pairs nearest in tokens, or characters where a token count is unknown."""
    known = all(one.tokens is not None for one in (*kept, *failed))

    def lengths(samples: Sequence[Sample]) -> npt.NDArray[np.int64]:
        sizes = [one.tokens if known else one.characters for one in samples]
        return np.array(sizes, dtype=np.int64)

    def distances(rows: Sequence[Sample], columns: Sequence[Sample]) -> Distances:
        return np.abs(np.subtract.outer(lengths(rows), lengths(columns))).astype(np.float64)

    return _nearest(kept, failed, limit, distances)


def by_similarity(kept: Sequence[Sample], failed: Sequence[Sample], limit: int) -> list[tuple[str, str]]:
    """(kept id, failed id) of the pairs nearest in text.

    Near is a small share of characters to insert and delete (rapidfuzz's normalised Indel distance), among
    the first READ characters of each.
    """

    def distances(rows: Sequence[Sample], columns: Sequence[Sample]) -> Distances:
        texts = [[one.text[:READ] for one in samples] for samples in (rows, columns)]
        return process.cdist(*texts, scorer=Indel.normalized_distance, dtype=np.float64)

    return _nearest(kept, failed, limit, distances)


PAIRINGS: Final[Mapping[str, Callable[[Sequence[Sample], Sequence[Sample], int], list[tuple[str, str]]]]] = {
    "length": by_length,
    "similar": by_similarity,
}
"""The pairings that are not SQL, by their name in a recipe."""


def _nearest(
    kept: Sequence[Sample],
    failed: Sequence[Sample],
    limit: int,
    distances: Callable[[Sequence[Sample], Sequence[Sample]], Distances],
) -> list[tuple[str, str]]:
    if not kept or not failed:
        return []
    chosen, rejected = (sorted(samples, key=lambda one: one.sample_id) for samples in (kept, failed))
    # A stable sort of the flattened table: equally near pairs stay in the order of their ids.
    nearest = np.argsort(distances(chosen, rejected), axis=None, kind="stable")
    used: tuple[set[int], set[int]] = set(), set()
    pairs: list[tuple[str, str]] = []
    for place in nearest.tolist():
        one, other = divmod(place, len(rejected))
        if one in used[0] or other in used[1]:
            continue
        pairs.append((chosen[one].sample_id, rejected[other].sample_id))
        used[0].add(one)
        used[1].add(other)
        if len(pairs) == min(limit, len(chosen), len(rejected)):
            break
    return pairs
