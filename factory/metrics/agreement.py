"""How far several people agree on the same samples.

Guarantees: only samples with the words of two or more people count, and their number stands beside every
figure; `unsure` is a word like the others. Kappa is null where chance alone would agree always (all words
are the same), since it is then 0/0. Intervals are over the samples, which people are asked about. Left out:
which word is an annotator's last (`auditing/labels.py`), and what the labels say of the samples.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from factory.metrics.intervals import wilson

LABELS: Final = ("right", "wrong", "unsure")
RESAMPLES: Final = 2000

_PLACE: Final[Mapping[str, int]] = {label: place for place, label in enumerate(LABELS)}


def agreement(words: Iterable[tuple[str, str, str]], *, seed: int = 0) -> dict[str, Any]:
    """How far annotators agree; `words` are (sample_id, annotator, label), one of each pair of the first two.

    Returns {annotators, items, pairs, share, kappa, kappa_name, by_pair}. `items` have two words or more,
    `pairs` are pairs of words on one item. `share` {value, low, high} is the mean over the items of the share
    of their pairs that are equal. `kappa` {value, low, high} is (share - chance) / (1 - chance): with two
    annotators Cohen's (1960), whose chance is the sum of p_a(label) x p_b(label); with more Fleiss's (1971),
    whose chance is the sum of squares of the labels' shares, here with as many words on an item as there
    are. `by_pair` has {annotators, items, share, kappa}, both as plain numbers, of every two people. A value
    is null where it is not defined. The interval of `share` is Wilson's, of one trial an item (too wide, if
    anything, for three people and more); that of kappa is a bootstrap over the items, and null where they
    agree on all, since resamples of that tell nothing. Raises ValueError for a label that is none, or a pair
    that comes twice.
    """
    by_item: dict[str, dict[str, str]] = {}
    for sample, annotator, label in words:
        if label not in _PLACE:
            raise ValueError(f"{label!r} is no label; labels are {', '.join(LABELS)}")
        if annotator in by_item.setdefault(sample, {}):
            raise ValueError(f"{annotator} has two words on {sample}; only the last one counts")
        by_item[sample][annotator] = label
    people = sorted({annotator for said in by_item.values() for annotator in said})
    shared = [said for said in by_item.values() if len(said) > 1]
    together = sorted({annotator for said in shared for annotator in said})
    if len(together) == 2:
        name, (share, kappa) = "cohen", _cohen(_table(shared, *together), seed)
    else:
        name, (share, kappa) = "fleiss", _fleiss(shared, seed)
    return {
        "annotators": people,
        "items": len(shared),
        "pairs": sum(len(said) * (len(said) - 1) // 2 for said in shared),
        "share": share,
        "kappa": kappa,
        "kappa_name": name if shared else None,
        "by_pair": [_pair(shared, *two) for two in itertools.combinations(together, 2)],
    }


def _pair(shared: list[dict[str, str]], one: str, other: str) -> dict[str, Any]:
    table = _table(shared, one, other)
    share, kappa = _cohens(table[None])
    return {
        "annotators": [one, other],
        "items": int(table.sum()),
        "share": _number(share[0]),
        "kappa": _number(kappa[0]),
    }


def _table(shared: list[dict[str, str]], one: str, other: str) -> NDArray[np.float64]:
    """Items by the label of `one` and the label of `other`, of those that both have looked at."""
    found = Counter((said[one], said[other]) for said in shared if one in said and other in said)
    return np.array([[found[a, b] for b in LABELS] for a in LABELS], dtype=np.float64)


def _cohens(tables: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(share, kappa) of each of these tables (tables, labels, labels); NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = tables / tables.sum(axis=(1, 2), keepdims=True)
        equal = np.trace(shares, axis1=1, axis2=2)
        chance = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
        return equal, _kappa(equal, chance)


def _cohen(table: NDArray[np.float64], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    items = int(table.sum())
    drawn = np.random.default_rng(seed).multinomial(items, table.ravel() / items, RESAMPLES)
    resamples = drawn.reshape(-1, *table.shape).astype(np.float64)
    return _estimates(items, _cohens(table[None]), _cohens(resamples))


def _fleiss(shared: list[dict[str, str]], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The estimates for any number of annotators; items with equal counts of the labels are drawn as one."""
    patterns = Counter(tuple(Counter(said.values()).get(label, 0) for label in LABELS) for said in shared)
    if not patterns:
        none = {"value": None, "low": None, "high": None}
        return none, dict(none)
    counts = np.array(list(patterns), dtype=np.float64)
    often = np.array(list(patterns.values()), dtype=np.float64)
    items = int(often.sum())
    drawn = np.random.default_rng(seed).multinomial(items, often / items, RESAMPLES)
    return _estimates(items, _fleisses(counts, often[None]), _fleisses(counts, drawn.astype(np.float64)))


def _fleisses(
    counts: NDArray[np.float64], often: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(share, kappa) where the pattern of words `counts[i]` is of `often[., i]` items."""
    words = counts.sum(axis=1)
    equal = ((counts * (counts - 1)).sum(axis=1) / (words * (words - 1))) @ often.T / often.sum(axis=1)
    said = often @ counts
    chance = ((said / said.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return equal, _kappa(equal, chance)


def _kappa(equal: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1 - 1e-12, (equal - chance) / (1 - chance), np.nan)


def _estimates(
    items: int,
    seen: tuple[NDArray[np.float64], NDArray[np.float64]],
    drawn: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The share and kappa that were seen, each with its interval; `drawn` are those of the resamples."""
    share, kappa = float(seen[0][0]), _number(seen[1][0])
    equal = share * items  # a whole number for two people; rounded outwards for more
    low, high = wilson(math.floor(equal + 1e-9), items).low, wilson(math.ceil(equal - 1e-9), items).high
    known = drawn[1][~np.isnan(drawn[1])]
    ends = (None, None) if kappa is None or share >= 1 - 1e-12 else np.quantile(known, (0.025, 0.975))
    return (
        {"value": share, "low": low, "high": high},
        {"value": kappa, "low": _number(ends[0]), "high": _number(ends[1])},
    )


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
