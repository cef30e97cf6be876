"""Every metric of a run or release, pooled and by generator, source, difficulty and round, as JSON data.

Guarantees: a problem counts once, whatever the number of its samples; errors and unverified samples are told
apart and never counted as wrong; what nothing is known of is null, never 0 and never NaN. A value at k is of
all problems or null: where some have fewer than k judged draws they are counted, and no smaller denominator
takes their place. The result is independent of the order of rows, and its reals are rounded to 10 significant
digits, so that the last bits of a machine's arithmetic do not show in what is written.

pass@k and coverage@k are one estimate with two readings: pass@k is the chance that k draws solve a problem,
averaged over problems; coverage@k is the expected share of problems solved by k draws. Both names are given,
because both are asked for. maj@k is the chance that the commonest answer of k draws is right; what other
verifiers reject votes too, since its answer is right. diversity@k counts distinct correct paths.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory.metrics.estimators import Reals, Whole, diversity_at_k_array, pass_at_k_array
from factory.metrics.intervals import bootstrap_mean, of_equal
from factory.metrics.majority import majority_at_k_array
from factory.metrics.pooling import COSTS, COUNTS, Arrays, Draws, Pool, Profiles, Sizes, profiles
from factory.recipe import Measure

AT_ONCE: Final = 2
"""Parts measured beside each other; each holds arrays of an entry a problem."""

DIGITS: Final = 10
UNSTATED: Final = "unstated"
"""The class of problems whose source states no difficulty, where another problem's does."""

BINS: Final = ((0.0, 0.0), (0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0), (1.0, 1.0))
"""Solve rates: exactly 0; over `low` up to and with `high`, but for 1 itself; exactly 1."""

_ROUND: Final = re.compile(r".*-r([0-9]{1,4})", re.DOTALL)
"""The name of a loop's learner in a round."""

NO_ANSWERS: Final = "the verifier that decides reads no answers, so that there is nothing to vote for"


def measure(draws: Draws, config: Measure) -> dict[str, Any]:
    """All metrics of the draws.

    Every part of the result has, for each k, "pass@k", "coverage@k", "maj@k" and "diversity@k" as {value,
    low, high, n_problems, n_short, why}: `n_problems` have at least k judged draws, `n_short` have fewer, and
    where there is any of these the value is null and `why` says so. maj@k has "standard_error" too, of a
    value that is the mean over seeded draws, null where it is exact. "unique_paths" is the mean number of
    distinct correct paths of a problem that was solved. Intervals resample problems, or groups of problems
    of one template, of which there are "groups"; null where every problem stands alone. Beside them stand
    "solve_rate", "problems", "samples" and the costs, which sum what is known, and "m": {generator: draws of
    each problem that count}, null where all do.

    The whole has "path_key" and "by" as well: {column: {value: part}}; a column without any value has no
    parts. Raises ValueError for draws that do not fit together (see `Draws`).
    """
    checked = draws.checked()
    arrays = Arrays(checked)
    told = _Told(checked, arrays, config, _reads_answers(checked.counts))
    every = np.ones(len(checked.counts), dtype=np.bool_)
    rows = {column: _classes(told.draws, column) for column in config.by}
    # The heavy work is numpy's and polars', which leave the interpreter to the other thread meanwhile.
    with ThreadPoolExecutor(AT_ONCE) as threads:
        whole = threads.submit(_part, told, every)
        parts = {
            column: {name: threads.submit(_part, told, where) for name, where in classes.items()}
            for column, classes in rows.items()
        }
        by = {
            column: {name: one.result() for name, one in classes.items()} for column, classes in parts.items()
        }
        return whole.result() | {"path_key": checked.path_key, "by": by}


class _Told(NamedTuple):
    draws: Draws
    arrays: Arrays
    config: Measure
    reads_answers: bool


def _reads_answers(counts: pl.DataFrame) -> bool:
    """Whether any verdict gives an answer, where any could: a text without an answer gives none."""
    return bool((counts["answered"] > 0).any() or (counts["verified"] == counts["no_answer"]).all())


def _classes(draws: Draws, column: str) -> dict[str, NDArray[np.bool_]]:
    """The rows of counts that are of each class of a column."""
    names = _names(draws, column)
    return {
        name: names.eq_missing(pl.Series([name])).to_numpy()
        for name in sorted(names.drop_nulls().unique().to_list())
    }


def _names(draws: Draws, column: str) -> pl.Series:
    """The class of each row of counts; null for a row of none."""
    if column not in ("generator", "round"):
        values = draws.counts[column]
        return values if values.is_null().all() else values.fill_null(UNSTATED)
    of_generator: list[str | None] = list(draws.generators)
    if column == "round":
        found = (_ROUND.fullmatch(name) for name in draws.generators)
        of_generator = [None if one is None else str(int(one[1])) for one in found]
    places = draws.counts["generator"].to_numpy().astype(np.int64)
    return pl.Series(of_generator, dtype=pl.String).gather(places.tolist())


def _part(told: _Told, where: NDArray[np.bool_]) -> dict[str, Any]:
    rows = told.draws.counts if where.all() else told.draws.counts.filter(pl.Series(where))
    pool = told.arrays.pool(where)
    m = _m(told.draws, rows)
    solved = profiles(Sizes(pool.n[:0], pool.n[:0]), pool.n, pool.c)
    diverse = profiles(pool.paths, pool.n)
    voting = profiles(pool.answers, pool.n, pool.right)
    result: dict[str, Any] = {}
    for k in told.config.k:
        why = _why(pool.n, k, m)
        share = _at_k(pool, solved, k, why, told.config)
        result |= {f"pass@{k}": share, f"coverage@{k}": dict(share)}
        result[f"maj@{k}"] = _majority(
            pool, voting, k, why or (None if told.reads_answers else NO_ANSWERS), told.config
        )
        result[f"diversity@{k}"] = _diversity(pool, diverse, k, why, told.config)
    return result | {
        "unique_paths": _unique_paths(pool, told.config),
        "solve_rate": {"histogram": _histogram(pool.n, pool.c)},
        "problems": len(pool.n),
        "groups": None if pool.group is None else len(np.unique(pool.group)),
        "m": m,
        "samples": {name: int(rows[name].sum()) for name in COUNTS},
        **{column: _sum(rows[column]) for column in COSTS},
    }


def _m(draws: Draws, rows: pl.DataFrame) -> dict[str, int] | None:
    if draws.m is None:
        return None
    there = sorted({draws.generators[place] for place in rows["generator"].unique().to_list()})
    return {name: draws.m[name] for name in there if name in draws.m}


def _why(n: Whole, k: int, m: Mapping[str, int] | None) -> str | None:
    """Why there is no value at k; None where there is one."""
    short = int((n < k).sum())
    if not len(n):
        return "nothing was drawn"
    if not short:
        return None
    if m and k > sum(m.values()):
        first = ", ".join(f"{number} of {name}" for name, number in m.items())
        return (
            f"only the first draws of each problem count ({first}), since the budget ends the draws of a "
            "problem by what they turn out to be"
        )
    whole = f"{short:,} of {len(n):,} problems have" if len(n) > 1 else "the only problem has"
    return f"{whole} fewer than {k} judged draws (the least: {int(n.min())})"


# --- estimates ---------------------------------------------------------------------------------------


def _at_k(pool: Pool, kinds: Profiles, k: int, why: str | None, config: Measure) -> dict[str, Any]:
    values = None if why else pass_at_k_array(pool.n[kinds.first], pool.c[kinds.first], k)
    return _told_at(pool, kinds, values, k, why, config, most=1.0)


def _diversity(pool: Pool, kinds: Profiles, k: int, why: str | None, config: Measure) -> dict[str, Any]:
    values = None if why else diversity_at_k_array(pool.n[kinds.first], *kinds.sizes, k)
    return _told_at(pool, kinds, values, k, why, config, most=float(k))


def _majority(pool: Pool, kinds: Profiles, k: int, why: str | None, config: Measure) -> dict[str, Any]:
    error = values = None
    if not why:
        values, variances = majority_at_k_array(
            pool.n[kinds.first], pool.right[kinds.first], *kinds.sizes, k, config.seed
        )
        spread = math.sqrt(math.fsum(kinds.problems**2 * variances)) / len(pool.n)
        error = rounded(spread) if variances.any() else None
    return _told_at(pool, kinds, values, k, why, config, most=1.0) | {"standard_error": error}


def _told_at(
    pool: Pool, kinds: Profiles, values: Reals | None, k: int, why: str | None, config: Measure, most: float
) -> dict[str, Any]:
    short = int((pool.n < k).sum())
    unknown = {"value": None, "low": None, "high": None, "n_problems": len(pool.n) - short}
    found = unknown if values is None else _mean(kinds, values, pool.group, config, most)
    return found | {"n_short": short, "why": why}


def _mean(
    kinds: Profiles, values: Reals, group: Whole | None, config: Measure, most: float
) -> dict[str, Any]:
    """The mean over problems, with its interval; `values` has one a kind, none below 0 or above `most`."""
    value = math.fsum(values * kinds.problems) / len(kinds.kind)
    if len(np.unique(values)) == 1:
        units = len(kinds.kind) if group is None else len(np.unique(group))
        ends = of_equal(value, units, 0.0, most)
    elif group is None:
        ends = bootstrap_mean(values, config.bootstrap, config.seed, counts=kinds.problems)
    else:
        ends = bootstrap_mean(values[kinds.kind], config.bootstrap, config.seed, groups=group)
    return {"value": rounded(value), **_rounded_ends(ends), "n_problems": len(kinds.kind)}


def _unique_paths(pool: Pool, config: Measure) -> dict[str, Any]:
    paths = np.bincount(pool.paths.owner, minlength=len(pool.n))
    solved = pool.c > 0
    group = None if pool.group is None else pool.group[solved]
    return estimate(paths[solved].astype(np.float64), config.bootstrap, config.seed, group)


def estimate(
    values: Sequence[float] | NDArray[np.float64], resamples: int, seed: int, group: Whole | None = None
) -> dict[str, Any]:
    """The mean of `values`, one a problem, with its bootstrap interval: {value, low, high, n_problems}."""
    ends = bootstrap_mean(values, resamples, seed, groups=group)
    return {
        "value": rounded(math.fsum(values) / len(values)) if len(values) else None,
        **_rounded_ends(ends),
        "n_problems": len(values),
    }


def _rounded_ends(ends: tuple[float | None, float | None]) -> dict[str, float | None]:
    low, high = ends
    return {"low": None if low is None else rounded(low), "high": None if high is None else rounded(high)}


def _histogram(n: Whole, c: Whole) -> list[dict[str, Any]]:
    n, c = n[n > 0], c[n > 0]
    quarter = np.where(c == n, len(BINS) - 1, -(-4 * c // np.maximum(n, 1)))  # whole numbers: no rounding
    problems = np.bincount(quarter, minlength=len(BINS))
    return [
        {"low": low, "high": high, "problems": int(count)}
        for (low, high), count in zip(BINS, problems, strict=True)
    ]


def _sum(values: pl.Series) -> int | float | None:
    known = values.drop_nulls()
    if known.is_empty():
        return None
    return int(known.sum()) if known.dtype.is_integer() else rounded(float(known.to_numpy().sum()))


def rounded(value: float) -> float:
    """A real to 10 significant digits. Raises ValueError for one that is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"a metric came out as {value}: costs and counts must be finite numbers or null")
    return float(f"{value:.{DIGITS}g}")
