"""How many accepted samples are wrong: what people's labels of some say of all, with the help of signals.

A false positive is an accepted sample whose answer is right and whose reasoning is wrong. Only people are
taken to know; a signal (a judge, the check of the arithmetic) sorts the samples into suspect, clear and
unjudged, and the labels tell how often each of these is wrong. This is post-stratification, which for a
signal of few values is prediction-powered inference with the best power tuning (PPI++, arXiv 2311.01453,
section 6; the regression on the signal is saturated): a good signal narrows the interval, a useless one
costs about nothing, and no signal, however sure, stands for a label.

Guarantees: without labels there is no value, and the interval is [0, 1]; what no label covers is between
right and wrong in the interval; `unsure` is evidence of neither, and counted apart with what it could do to
the estimate. Left out: asking people (`auditing/`) and models (`signals.py`), whether people are right, and
what a sample that no verifier accepted is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from factory.metrics.beta import quantile
from factory.metrics.intervals import LEVEL
from factory.metrics.measure import rounded

STRATUM: Final = ("generator", "difficulty", "judge", "kept")
CELL: Final = ("generator", "judge")
"""Where no sample of a stratum has a label, those of its cell speak for it; without any, nothing does."""

Reals = NDArray[np.float64]


def draw(rows: pa.Table, number: int, seed: int) -> list[str]:
    """The ids of `number` accepted samples that people are asked about, in the order of their lots.

    `rows` has the columns sample_id, generator, difficulty, judge and kept. Every stratum, which is what is
    equal in the last four, gives one, the largest first; the rest goes to the strata by their size, as
    Sainte-Lague's divisors (r + 1/2) share seats out, where the kept ones, which are what is released, count
    as much as all others at least. Within a stratum the lot decides, so any of its samples is as likely as
    another. A larger number only adds. Suspect samples get no more than their share: with a good judge that
    narrows the interval by less than with a useless one it widens it.
    """
    population = pl.DataFrame(rows).select("sample_id", *STRATUM)
    lots = [
        int.from_bytes(hashlib.md5(f"{seed}:{one}".encode(), usedforsecurity=False).digest()[:8])
        for one in population["sample_id"]
    ]
    kept = int(population["kept"].sum())
    half = max(1.0, (len(lots) - kept) / kept) if kept else 1.0
    first = pl.struct("lot", "sample_id").sort().head(number)
    strata = population.with_columns(lot=pl.Series(lots, dtype=pl.UInt64)).group_by(STRATUM)
    found = strata.agg(size=pl.len(), place=pl.int_range(pl.min_horizontal(pl.len(), number)), one=first)
    weight = pl.col("size") * pl.when("kept").then(half).otherwise(1.0)
    key = pl.when(pl.col("place") == 0).then(-weight).otherwise((pl.col("place") + 0.5) / weight)
    rest = found.explode("place", "one").unnest("one").sort(pl.col("place") > 0, key, "lot", "sample_id")
    return list(rest["sample_id"].head(number))


# --- the estimate ------------------------------------------------------------------------------------


class _Group(NamedTuple):
    """The labels of one value of the signal: its share of the population, how many of them are wrong (by
    their weights), and so many labels that count alike; infinite where every sample has one."""

    share: float
    rate: float
    size: float


def estimates(rows: pl.DataFrame, words: Mapping[str, str]) -> dict[str, Any]:
    """{per_solution, per_problem}: how many of the samples `rows` are wrong, by the labels `words` of some.

    `rows` has the columns sample_id, problem_id, STRATUM; `words` maps sample ids to right, wrong or unsure,
    one word a sample (of people who disagree, that of most). A problem weighs 1 in per_problem, its samples
    1/m each. Both are {value, low, high, ...} as `_estimate` says.
    """
    known = rows.with_columns(
        pl.col("sample_id").replace_strict(words, default=None, return_dtype=pl.String).alias("word")
    )
    if known["word"].is_null().all():
        return {"per_solution": _with_bounds(known), "per_problem": _with_bounds(known)}
    each = 1.0 / pl.len().over("problem_id")
    return {
        "per_solution": _with_bounds(known.with_columns(unit=pl.lit(1.0))),
        "per_problem": _with_bounds(known.with_columns(unit=each)),
    }


def _with_bounds(rows: pl.DataFrame) -> dict[str, Any]:
    """`_estimate`, and what it would be were every unsure sample right, or wrong."""
    found = _estimate(rows)
    for name, word in (("unsure_right", "right"), ("unsure_wrong", "wrong")):
        said = (
            _estimate(rows.with_columns(pl.col("word").replace("unsure", word))) if found["unsure"] else None
        )
        found[name] = said and {end: said[end] for end in ("value", "low", "high")}
    return found


def _estimate(rows: pl.DataFrame) -> dict[str, Any]:
    """{value, low, high, population, labelled, wrong, unsure, effective, covered}; samples weigh `unit`.

    With w_i = the weight of the stratum of label i / the labels in it, and y_i = 1 where it is wrong, value =
    sum w_i y_i / sum w_i (Horvitz and Thompson, post-stratified). `covered` is the share of the population
    whose cell has a label; the interval takes the rest as all right at its low end and as all wrong at its
    high end, and leaves out what the labelled samples themselves rule out. `effective`: so
    many independent labels of equal weight would tell as much.
    """
    words = rows["word"].value_counts().rows()
    counted = {word: number for word, number in words if word is not None}
    labelled = counted.get("right", 0) + counted.get("wrong", 0)
    told: dict[str, Any] = {
        "value": None,
        "low": 0.0 if len(rows) else None,
        "high": 1.0 if len(rows) else None,
        "population": len(rows),
        "labelled": labelled,
        "wrong": counted.get("wrong", 0),
        "unsure": counted.get("unsure", 0),
        "effective": 0.0,
        "covered": 0.0,
    }
    if not labelled:
        return told
    weighed = _weighed(rows)
    groups = _groups(weighed, rows)
    covered = math.fsum(one.share for one in groups)
    low, high = _interval(groups)
    wrong, right = (float(rows["unit"].filter(rows["word"] == one).sum()) for one in ("wrong", "right"))
    whole = float(rows["unit"].sum())
    return told | {
        "value": rounded(math.fsum(one.share * one.rate for one in groups) / covered),
        "low": rounded(max(low, wrong / whole)),
        "high": rounded(min(high + 1 - covered, 1 - right / whole)),
        "effective": rounded(_effective(groups, labelled)),
        "covered": rounded(covered),
    }


def _weighed(rows: pl.DataFrame) -> pl.DataFrame:
    """The labelled rows with `weight`, the share of the population that each stands for, and `wrong`."""
    said = pl.col("word").is_in(["right", "wrong"])
    labelled = pl.col("unit").filter(said).sum()
    strata = rows.group_by(STRATUM).agg(size=pl.col("unit").sum(), labelled=labelled)
    there = pl.col("size").filter(pl.col("labelled") > 0).sum().over(CELL)
    strata = strata.with_columns(speaks_for=pl.col("size").sum().over(CELL) / there)
    per_unit = pl.col("size") * pl.col("speaks_for") / pl.col("labelled") / rows["unit"].sum()
    return (
        rows.filter(said)
        .join(strata, on=STRATUM)
        .select(
            "problem_id",
            "judge",
            weight=pl.col("unit") * per_unit,
            wrong=(pl.col("word") == "wrong").cast(pl.Float64),
        )
        .sort("judge", "problem_id", "weight", "wrong")  # equal labels then give the same bits
    )


def _groups(weighed: pl.DataFrame, rows: pl.DataFrame) -> list[_Group]:
    """The labels by the value of the signal, each with the number of labels that would count alike.

    That is Kish's (sum w)^2 / sum w^2, less where labels of one problem agree (the design effect of clusters
    on sum w_i (y_i - rate)), and more where many of the samples have a label (`without_replacement`).
    """
    sizes = dict(rows["judge"].value_counts().rows())
    found = []
    residual = np.zeros(len(weighed))
    for judge in weighed["judge"].unique(maintain_order=True):
        at = (weighed["judge"] == judge).to_numpy()
        weight, wrong = (weighed[name].to_numpy()[at] for name in ("weight", "wrong"))
        share, alike = float(weight.sum()), float(weight.sum() ** 2 / (weight**2).sum())
        rate = round(float(weight @ wrong) / share, 12)  # exactly 0, or 1, where all are alike
        residual[at] = weight * (wrong - (rate * alike + 0.5) / (alike + 1))
        alike *= without_replacement(len(weight) / sizes[judge])
        found.append(_Group(share, rate, alike))
    _, place = np.unique(weighed["problem_id"].to_numpy(), return_inverse=True)
    together = float((np.bincount(place, weights=residual) ** 2).sum() / (residual**2).sum())
    return [one._replace(size=one.size / max(1.0, together)) for one in found]


def without_replacement(seen: float) -> float:
    """How many times as much labels tell, where the share `seen` of all samples has one: -ln(1 - f) / f.

    By that the chance that they show none of k wrong ones is (1 - f)^k, as it is without replacement.
    """
    return -math.log1p(-seen) / seen if seen < 1 else math.inf


def _effective(groups: list[_Group], labels: int) -> float:
    rates = [(one.rate * one.size + 0.5) / (one.size + 1) for one in groups if one.size < math.inf]
    open_ones = [one for one in groups if one.size < math.inf]
    if not open_ones:
        return float(labels)
    mean = math.fsum(one.share * rate for one, rate in zip(open_ones, rates, strict=True))
    mean /= math.fsum(one.share for one in open_ones)
    spread = math.fsum(
        one.share**2 * rate * (1 - rate) / one.size for one, rate in zip(open_ones, rates, strict=True)
    )
    return mean * (1 - mean) / spread


def _interval(groups: list[_Group]) -> tuple[float, float]:
    """The 95 % interval of sum over groups of share x rate, within the share that the groups cover.

    Clopper and Pearson's for one group, and for more what Fay and Feuer (1997) made of it for weighted sums.
    Of the groups of n labels with x wrong ones, that whose labels weigh most, as it can hide the most, is
    Beta(x, n - x + 1) at the low end and Beta(x + 1, n - x) at the high end; so is at the low end one of
    mostly wrong ones, for all may be wrong by chance. The others are the Beta of n + 1 whose mean is their
    rate, and the sum is taken as the Beta with its mean and variance.
    """
    fixed = math.fsum(one.share * one.rate for one in groups if one.size == math.inf)
    open_ones = [one for one in groups if one.size < math.inf]
    width = math.fsum(one.share for one in open_ones)
    if not open_ones:
        return fixed, fixed
    heaviest = max(open_ones, key=lambda one: one.share / one.size)
    ends = []
    for upper, share in ((False, (1 - LEVEL) / 2), (True, (1 + LEVEL) / 2)):
        mean = variance = 0.0
        for one in open_ones:
            careful = one is heaviest or (one.rate > 0.5 and not upper)
            a, n = one.rate * one.size + (upper if careful else one.rate), one.size + 1
            part = one.share / width
            mean += part * a / n
            variance += part**2 * (a / n) * (1 - a / n) / (n + 1)
        ends.append(fixed + width * _matched(share, mean, variance))
    return ends[0], ends[1]


def _matched(share: float, mean: float, variance: float) -> float:
    """The quantile of the Beta with this mean and variance; a point where it has none."""
    if variance <= 0:
        return mean
    size = mean * (1 - mean) / variance - 1
    return quantile(share, mean * size, (1 - mean) * size)
