"""What each side drew and spent of each problem, counted from the rows of its release.

Guarantees: a problem counts once; draws that could not be judged are counted apart and paid for all the same;
a cost that a draw does not tell is made of its tokens and of what the recipe says of its generator, and is
null where that does not say it either, never 0. Where the number of draws depended on what they turned out to
be (`until_correct`, `proportional`, `adaptive`), only the first m of a generator count of each problem, the m
of the metrics. Left out: calls that made no sample, which no release holds (`factory sql` shows them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory.amounts import CURRENCIES
from factory.comparing.sides import Side
from factory.measuring import first_of_stops
from factory.metrics.estimators import diversity_at_k_array, pass_at_k_array
from factory.records import DRAWN
from factory.release.row_changes import all_rows, literal
from factory.release.row_changes import name as quoted

Reals = NDArray[np.float64]
Whole = NDArray[np.int64]

UNSTATED: Final = "unstated"

_JUDGED: Final = "status IN ('pass', 'fail', 'no_answer')"
"""Which draws count, as in `metrics.json`."""

_COSTS: Final = {
    "samples": "1",
    "tokens": "s.prompt_tokens + s.completion_tokens",
    "flops": "coalesce(s.flops, 2 * g.active * (s.prompt_tokens + s.completion_tokens))",
    "usd": "coalesce(s.usd, (g.input * s.prompt_tokens + g.output * s.completion_tokens) / 1e6)",
    "seconds": "s.engine_seconds",
}
_PARTS: Final = {"samples": 1.0, "tokens": 1.0, "flops": 1.0, "usd": 1e12, "seconds": 1e6}
"""Parts of a unit that are added as whole numbers, so that a sum does not depend on the order of threads."""


@dataclass(frozen=True)
class Counted:
    """A side in numbers: `rows` has one row a problem, by problem_id; `first` is m of each generator, None
    where all draws count.

    Columns: n judged draws, c correct ones, `groups` how many of these take each path, draws, errors,
    unverified, kept, correct (all draws), and for each currency cost_X of the draws that count and spent_X of
    all, null where a draw does not tell it.
    """

    side: Side
    rows: pl.DataFrame
    first: Mapping[str, int] | None

    @cached_property
    def n(self) -> Whole:
        return self.rows["n"].to_numpy().astype(np.int64)

    @cached_property
    def c(self) -> Whole:
        return self.rows["c"].to_numpy().astype(np.int64)

    @property
    def least(self) -> int:
        """The fewest judged draws of a problem."""
        return int(self.n.min(initial=2**31)) if len(self.rows) else 0

    def amounts(self, what: str, currency: str) -> Reals | None:
        """What was spent on each problem: `what` is cost or spent. None where it is not known of all."""
        column = self.rows[f"{what}_{currency}"]
        return None if column.null_count() or not len(column) else column.to_numpy().astype(np.float64)

    def short(self, k: int) -> int:
        """How many problems have fewer than k judged draws."""
        return int((self.n < k).sum())

    def at(self, metric: str, k: float) -> Reals | None:
        """coverage@k or diversity@k of each problem; None where one has too few judged draws.

        A k that is no whole number is its floor or its ceiling, at random, so that k is what is spent on
        average: the value is the mixture of both, (1 - f) v(floor k) + f v(floor k + 1) with f = k - floor k.
        """
        low, share = int(k), k - int(k)
        if self.short(low + (share > 0)):
            return None
        values = self._whole(metric, low)
        return values if not share else (1 - share) * values + share * self._whole(metric, low + 1)

    def _whole(self, metric: str, k: int) -> Reals:
        if k == 0:
            return np.zeros(len(self.rows))
        if metric == "coverage":
            return pass_at_k_array(self.n, self.c, k)
        groups = self.rows["groups"]
        owner = np.repeat(np.arange(len(groups)), groups.list.len().to_numpy())
        return diversity_at_k_array(self.n, owner, groups.explode().drop_nulls().to_numpy(), k)

    def only(self, ids: pl.DataFrame) -> Counted:
        """The same of the problems in `ids`, which it has, in their order."""
        return Counted(self.side, ids.join(self.rows, on="problem_id", how="left"), self.first)


def count(connection: duckdb.DuckDBPyConnection, side: Side) -> Counted:
    """The numbers of a side. Every problem with a draw is there."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE draws AS {_draws(side)}")
    first = None if side.fixed else _first(connection, side)
    counts = "true" if first is None else _among_first(first)
    costs = ", ".join(
        f"{_sum(one, counts)} AS cost_{one}, {_sum(one, 'true')} AS spent_{one}" for one in CURRENCIES
    )
    rows = connection.sql(
        "SELECT a.*, coalesce(p.groups, []::BIGINT[]) AS groups FROM (SELECT problem_id,"
        f" count(*) FILTER ({counts} AND {_JUDGED}) AS n, count(*) FILTER ({counts} AND correct) AS c,"
        " count(*) AS draws, count(*) FILTER (correct) AS correct, count(*) FILTER (kept) AS kept,"
        " count(*) FILTER (status = 'error') AS errors, count(*) FILTER (status IS NULL) AS unverified,"
        f" {costs} FROM draws GROUP BY problem_id) a"
        " LEFT JOIN (SELECT problem_id, list(m ORDER BY m) AS groups FROM (SELECT problem_id, path,"
        f" count(*) AS m FROM draws WHERE {counts} AND correct AND path IS NOT NULL GROUP BY ALL)"
        " GROUP BY problem_id) p ON p.problem_id = a.problem_id ORDER BY a.problem_id"
    ).pl()
    return Counted(side, rows, first)


def problems(connection: duckdb.DuckDBPyConnection, side: Side) -> pl.DataFrame:
    """(problem_id, difficulty, group_id) of the problems that were asked; no group is a group of its own."""
    found: pl.DataFrame = connection.sql(
        f"SELECT problem_id, min(difficulty) AS difficulty, coalesce(min(group_id), problem_id) AS group_id"
        f" FROM {all_rows(side.release, 'problems')} WHERE asked GROUP BY problem_id ORDER BY problem_id"
    ).pl()
    return found


def common(sides: Sequence[Counted]) -> pl.DataFrame:
    """The ids of the problems that every side has drawn of, in order."""
    ids = sides[0].rows.select("problem_id")
    for one in sides[1:]:
        ids = ids.join(one.rows.select("problem_id"), on="problem_id", how="semi")
    return ids.sort("problem_id")


def _draws(side: Side) -> str:
    """SQL of the draws of a side with what each cost."""
    there = {one["name"] for one in side.release.manifest["configs"]["samples"]["schema"]}
    costs = {
        name: sql if name != "seconds" or "engine_seconds" in there else "NULL"
        for name, sql in _COSTS.items()
    }
    shown = ", ".join(
        f"round(({sql}) * {_PARTS[name]})::HUGEINT AS {quoted(name)}" for name, sql in costs.items()
    )
    names = ", ".join(literal(one) for one in side.generators)
    return (
        "SELECT s.problem_id, s.generator, s.sample_index, s.status, s.correct, s.path, s.kept,"
        f" {shown} FROM {all_rows(side.release, 'samples')} s"
        f" LEFT JOIN (VALUES {_told(side)}) g(generator, active, input, output) USING (generator)"
        f" WHERE s.{DRAWN} AND s.generator IN ({names})"
    )


def _told(side: Side) -> str:
    """SQL rows of what the recipe says of each generator's size and price."""
    rows = []
    for name in side.generators:
        one: Mapping[str, Any] = side.recipe["generators"][name]
        price = one["price"] if isinstance(one.get("price"), Mapping) else {}
        told = (one.get("active_parameters"), price.get("input"), price.get("output"))
        known = (value if isinstance(value, int | float) else "NULL" for value in told)
        rows.append(f"({literal(name)}, {', '.join(f'{value}::DOUBLE' for value in known)})")
    return ", ".join(rows)


def _sum(currency: str, which: str) -> str:
    """A sum over the draws, or null where one of them does not tell it."""
    known = f"count({quoted(currency)}) FILTER ({which}) = count(*) FILTER ({which})"
    total = f"coalesce(sum({quoted(currency)}) FILTER ({which}), 0)::DOUBLE / {_PARTS[currency]}"
    return f"CASE WHEN {known} THEN {total} END"


def _first(connection: duckdb.DuckDBPyConnection, side: Side) -> dict[str, int] | None:
    """m of each generator of the side."""
    asked = f"(SELECT stopped FROM {all_rows(side.release, 'problems')} WHERE asked)"
    found = first_of_stops(connection, f"SELECT unnest(stopped, recursive := true) FROM {asked}")
    return None if found is None else {name: found.get(name, 0) for name in side.generators}


def _among_first(first: Mapping[str, int]) -> str:
    """SQL of a draw that counts."""
    cases = " ".join(f"WHEN {literal(name)} THEN {number}" for name, number in first.items())
    return f"sample_index < CASE generator {cases} END"
