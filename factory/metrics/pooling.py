"""Draws of problems as arrays: pooled over generators, and put together where they are counted alike.

Guarantees: a problem counts once, whatever the number of generators that drew it, and a path or an answer
that two of them found is one. No loop over problems. Left out: what is estimated (`measure.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory.metrics.estimators import Whole
from factory.records import RESERVED_GENERATORS

COUNTED: Final = ("n", "c", "right")
COUNTS: Final[Mapping[str, str]] = {
    "verified": "verdicts of pass, fail or no_answer",
    "passed": "correct",
    "no_answer": "no answer was found",
    "errors": "the verifier could not tell",
    "unverified": "no verdict yet",
    "truncated": "cut at max_tokens",
}
"""Columns of counts that are summed over all draws, and what they count."""

COSTS: Final = ("prompt_tokens", "completion_tokens", "flops", "usd", "seconds", "engine_seconds")
COLUMNS: Final = (
    "problem", "generator", "source", "difficulty", "group", *COUNTED, "answered", *COUNTS, *COSTS
)  # fmt: skip
SIZES: Final = ("problem", "generator", "key", "size")


@dataclass(frozen=True)
class Draws:
    """The draws that are measured.

    `counts` has one row a (problem, generator) and the columns of COLUMNS; `problem` is a number, `generator`
    the place of its name in `generators`. `n` counts the judged draws (pass, fail and no_answer) that
    estimates are made of, `c` the correct ones among them, `right` those that the deciding verifier passes,
    `answered` those with an answer; the columns of COUNTS and COSTS count all draws, and costs are null where
    unknown. A problem that a generator was asked and never drew has a row with n = 0. `group` is shared by
    problems of one template, null for a problem that stands alone.

    `paths` (correct draws) and `answers` (failed ones with an answer) have the columns of SIZES: how many of
    the n draws take each path and give each wrong answer; keys are equal where these are.

    `m`, of generators whose draws of a problem end by what they turn out to be: n is of the first m draws of
    each problem. `path_key` names what tells paths apart.
    """

    generators: tuple[str, ...]
    counts: pl.DataFrame
    paths: pl.DataFrame
    answers: pl.DataFrame
    m: Mapping[str, int] | None = None
    path_key: str = "equations"

    def checked(self) -> Draws:
        """The same in order. Raises ValueError for what cannot be measured."""
        missing = [name for name in COLUMNS if name not in self.counts.columns]
        if missing:
            raise ValueError(f"counts: columns {missing} are missing; it has {self.counts.columns}")
        reserved = sorted(set(self.generators) & set(RESERVED_GENERATORS))
        if reserved:
            raise ValueError(f"counts: rows of {reserved} are references, not draws; leave them out")
        counts = self.counts.sort("problem", "generator")
        rows = _keys(counts, len(self.generators))
        if (repeated := np.flatnonzero(rows[1:] == rows[:-1])).size:
            problem, generator = counts[int(repeated[0]), "problem"], counts[int(repeated[0]), "generator"]
            raise ValueError(
                f"counts: problem {problem} and generator {self.generators[generator]!r} stand in more than "
                "one row; a problem of two sources is counted under one"
            )
        most = {"paths": counts["c"], "answers": counts["n"] - counts["right"]}
        for name, of in most.items():
            sizes = getattr(self, name)
            held = np.bincount(_rows(rows, sizes, len(self.generators), name), sizes["size"], len(rows))
            wrong = held != of.to_numpy() if name == "paths" else held > of.to_numpy()
            if wrong.any():
                at = int(np.argmax(wrong))
                raise ValueError(
                    f"counts: problem {counts[at, 'problem']}: sizes of {name} add up to {held[at]:.0f}, "
                    f"not what n={counts[at, 'n']}, c={counts[at, 'c']}, right={counts[at, 'right']} leave"
                )
        paths, answers = (one.sort("problem", "key", "generator") for one in (self.paths, self.answers))
        return Draws(self.generators, counts, paths, answers, self.m, self.path_key)


def _keys(frame: pl.DataFrame, generators: int) -> Whole:
    """One number for each (problem, generator)."""
    problem, generator = (frame[name].to_numpy().astype(np.int64) for name in ("problem", "generator"))
    return np.asarray(problem * generators + generator, dtype=np.int64)


def _rows(rows: Whole, sizes: pl.DataFrame, generators: int, name: str = "sizes") -> Whole:
    """The row of counts that each row of sizes belongs to."""
    keys = _keys(sizes, generators)
    found = np.searchsorted(rows, keys)
    if len(keys) and (found.max() == len(rows) or (rows[found] != keys).any()):
        raise ValueError(f"{name}: a problem and generator stand in no row of counts")
    return np.asarray(found, dtype=np.int64)


class Sizes(NamedTuple):
    """Sizes of paths or answers, with the place of each one's problem."""

    owner: Whole
    size: Whole


class Pool(NamedTuple):
    """The problems of some rows, all generators together: an entry a problem, and their paths and answers."""

    n: Whole
    c: Whole
    right: Whole
    group: Whole | None
    paths: Sizes
    answers: Sizes


class Arrays:
    """The columns of checked draws that are pooled again and again."""

    def __init__(self, draws: Draws) -> None:
        self.problem = draws.counts["problem"].to_numpy()
        self.counted = {name: draws.counts[name].to_numpy().astype(np.int64) for name in COUNTED}
        group = draws.counts["group"]
        alone = pl.format("alone {}", pl.col("problem").cast(pl.Int64))
        named = draws.counts.select(pl.format("group {}", pl.col("group")).fill_null(alone).alias("group"))
        self.group = (
            None if group.is_null().all() else named["group"].rank("dense").to_numpy().astype(np.int64)
        )
        rows = _keys(draws.counts, len(draws.generators))
        self.sizes = [
            (_rows(rows, one, len(draws.generators)), one["key"].to_numpy(), one["size"].to_numpy())
            for one in (draws.paths, draws.answers)
        ]

    def pool(self, where: NDArray[np.bool_]) -> Pool:
        """The problems of the rows in `where`."""
        problem = self.problem[where]
        starts = _starts(problem)
        place = np.full(len(where), -1, dtype=np.int64)
        place[where] = np.cumsum(starts) - 1
        n, c, right = (_sums(one[where], starts) for one in self.counted.values())
        group = None if self.group is None else self.group[where][starts]
        paths, answers = (_pooled(place[rows], key, size) for rows, key, size in self.sizes)
        return Pool(n, c, right, group, paths, answers)


def _starts(*columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a run of equal entries begins."""
    starts = np.ones(len(columns[0]), dtype=np.bool_)
    starts[1:] = False
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def _sums(values: Whole, starts: NDArray[np.bool_]) -> Whole:
    """The sum of each run."""
    at = np.flatnonzero(starts)
    return np.add.reduceat(values, at).astype(np.int64) if len(at) else np.zeros(0, dtype=np.int64)


def _pooled(place: Whole, key: NDArray[np.generic], size: Whole) -> Sizes:
    inside = place >= 0
    owner, keys = place[inside], key[inside]
    starts = _starts(owner, keys)
    return Sizes(owner[starts], _sums(size[inside].astype(np.int64), starts))


class Profiles(NamedTuple):
    """Problems put together that are counted alike: one of each kind, and how many problems are of it.

    `kind` has the place of each problem's kind in `first` and `problems`.
    """

    first: Whole
    kind: Whole
    problems: Whole
    sizes: Sizes


def profiles(sizes: Sizes, *columns: Whole) -> Profiles:
    """The kinds of problems by the numbers in `columns` and the sizes they have, in whatever order."""
    most = max((int(one.max(initial=0)) for one in (sizes.size, *columns)), default=0)
    # A kind is known by a sum of random numbers, one for each number in it: that a million kinds have two
    # with the same sum has a chance below 1e-7.
    table = np.random.default_rng(0).integers(0, 2**64, size=(len(columns) + 1, most + 1), dtype=np.uint64)
    marks = np.zeros(len(columns[0]), dtype=np.uint64)
    for drawn, column in zip(table[1:], columns, strict=True):
        marks += drawn[column]
    np.add.at(marks, sizes.owner, table[0][sizes.size])
    _, first, kind, problems = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    place = np.full(len(marks), -1, dtype=np.int64)
    place[first] = np.arange(len(first))
    owner = place[sizes.owner]
    owners, held = owner[owner >= 0], sizes.size[owner >= 0]
    order = np.lexsort((held, owners))  # equal kinds then give the same bits, whatever their keys
    in_order = Sizes(owners[order], held[order])
    return Profiles(first.astype(np.int64), kind.reshape(-1).astype(np.int64), problems, in_order)
