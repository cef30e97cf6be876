"""Every metric of a run or release, pooled and by generator, source and difficulty, as plain JSON data.

Guarantees: a problem counts once, whatever the number of its samples; errors and unverified samples
are told apart and never counted as wrong; what nothing is known of is null, never 0 and never NaN.
The result is independent of the order of rows, and its reals are rounded to 10 significant digits,
so that the last bits of a machine's arithmetic do not show in what is written.

pass@k and coverage@k are one estimate with two readings: pass@k is the chance that k draws solve a
problem, averaged over problems; coverage@k is the expected share of problems solved by k draws.
Both names are given, because both are asked for. diversity@k counts distinct correct paths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory.metrics.estimators import diversity_at_k_array, pass_at_k_array
from factory.metrics.intervals import bootstrap_mean
from factory.recipe import Measure
from factory.records import RESERVED_GENERATORS

DIGITS: Final = 10
UNSTATED: Final = "unstated"
"""The class of problems whose source states no difficulty, where another problem's does."""

COUNTS: Final[Mapping[str, str]] = {
    "n": "verified",
    "c": "passed",
    "errors": "errors",
    "unverified": "unverified",
    "truncated": "truncated",
}
"""Columns of counts, and what `samples` calls their sums."""

COSTS: Final = ("prompt_tokens", "completion_tokens", "flops", "seconds")
COLUMNS: Final = (
    "problem_id", "generator", "source", "difficulty", *COUNTS, "groups", "path_keys", *COSTS
)  # fmt: skip

BINS: Final = ((0.0, 0.0), (0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0), (1.0, 1.0))
"""Solve rates: exactly 0; over `low` up to and with `high`, but for 1 itself; exactly 1."""


def measure(counts: pl.DataFrame, config: Measure) -> dict[str, Any]:
    """All metrics of `counts`, which has one row a (problem_id, generator) and the columns of COLUMNS.

    `n` counts verified samples (pass, fail and no_answer), `c` the passes among them; `errors`,
    `unverified` and `truncated` (cut at max_tokens) are counted beside them. `groups` lists how many
    passes take each distinct path and adds up to `c`; `path_keys` lists those paths' keys, strings or
    integers, so that a path two generators found is one when they are pooled. `prompt_tokens`,
    `completion_tokens`, `flops` and `seconds` are sums, null where unknown.

    Every part of the result has: "pass@k", "coverage@k" and "diversity@k" for each k, as {value, low,
    high, n_problems}, over the problems with at least k verified samples; "solve_rate", "problems",
    "samples" and the costs. The costs sum what is known. The whole has "by" as well: {column:
    {value: part}}; a column without any value has no parts. Raises ValueError for missing columns,
    repeated rows, rows of gold or human, and groups that do not add up.
    """
    _check(counts)
    result = _part(counts, config)
    result["by"] = {column: _classes(counts, column, config) for column in config.by}
    return result


def _check(counts: pl.DataFrame) -> None:
    missing = [column for column in COLUMNS if column not in counts.columns]
    if missing:
        raise ValueError(f"counts: columns {missing} are missing; it has {counts.columns}")
    reserved = sorted(set(counts["generator"]) & set(RESERVED_GENERATORS))
    if reserved:
        raise ValueError(f"counts: rows of {reserved} are references, not draws; leave them out")
    repeated = counts.filter(counts.select("problem_id", "generator").is_duplicated())
    if len(repeated):
        raise ValueError(
            f"counts: problem {repeated['problem_id'][0]} and generator {repeated['generator'][0]!r} "
            f"stand in more than one row; a problem of two sources is counted under one"
        )
    wrong = counts.filter(
        (pl.col("groups").list.sum() != pl.col("c"))
        | (pl.col("groups").list.len() != pl.col("path_keys").list.len())
    )
    if len(wrong):
        raise ValueError(
            f"counts: problem {wrong['problem_id'][0]}: groups {wrong['groups'][0].to_list()} must add up to "
            f"c={wrong['c'][0]} and have one path key each"
        )


def _classes(counts: pl.DataFrame, column: str, config: Measure) -> dict[str, dict[str, Any]]:
    if counts[column].is_null().all():
        return {}
    filled = counts.with_columns(pl.col(column).fill_null(UNSTATED))
    names = sorted(filled[column].unique())
    return {name: _part(filled.filter(pl.col(column) == name), config) for name in names}


def _part(counts: pl.DataFrame, config: Measure) -> dict[str, Any]:
    pooled = counts.group_by("problem_id").agg(pl.col("n", "c").sum())
    pooled = pooled.sort("problem_id").with_row_index("place")
    n, c = (pooled[name].to_numpy().astype(np.int64) for name in ("n", "c"))
    owner, size = _groups(counts, pooled)
    result: dict[str, Any] = {}
    for k in config.k:
        enough = n >= k
        solved = estimate(pass_at_k_array(n[enough], c[enough], k), config.bootstrap, config.seed)
        result |= {f"pass@{k}": solved, f"coverage@{k}": dict(solved)}
        new_place = np.cumsum(enough) - 1
        inside = enough[owner]
        distinct = diversity_at_k_array(n[enough], new_place[owner[inside]], size[inside], k)
        result[f"diversity@{k}"] = estimate(distinct, config.bootstrap, config.seed)
    return result | {
        "solve_rate": {"histogram": _histogram(n, c)},
        "problems": len(pooled),
        "samples": {name: int(counts[column].sum()) for column, name in COUNTS.items()},
        **{column: _sum(counts[column]) for column in COSTS},
    }


def _groups(counts: pl.DataFrame, pooled: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of every (problem, path): the problem's place in `pooled`, and the samples of all generators on it."""
    groups = (
        counts.select("problem_id", "groups", "path_keys")
        .filter(pl.col("groups").list.len() > 0)
        .explode("groups", "path_keys")
        .group_by("problem_id", "path_keys")
        .agg(pl.col("groups").sum())
        .join(pooled.select("problem_id", "place"), on="problem_id")
        .sort("place", "groups")  # equal groups then give the same bits, whatever their keys
    )
    return groups["place"].to_numpy().astype(np.int64), groups["groups"].to_numpy().astype(np.int64)


def estimate(values: Sequence[float] | NDArray[np.float64], resamples: int, seed: int) -> dict[str, Any]:
    """The mean of `values`, one a problem, with its bootstrap interval: {value, low, high, n_problems}."""
    low, high = bootstrap_mean(values, resamples, seed)
    return {
        "value": rounded(math.fsum(values) / len(values)) if len(values) else None,
        "low": None if low is None else rounded(low),
        "high": None if high is None else rounded(high),
        "n_problems": len(values),
    }


def _histogram(n: NDArray[np.int64], c: NDArray[np.int64]) -> list[dict[str, Any]]:
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
    return int(known.sum()) if known.dtype.is_integer() else rounded(math.fsum(known))


def rounded(value: float) -> float:
    """A real to 10 significant digits. Raises ValueError for one that is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"a metric came out as {value}: costs and counts must be finite numbers or null")
    return float(f"{value:.{DIGITS}g}")
