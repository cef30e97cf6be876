"""The ready views of SQL on a store, and how tables and views are put on a DuckDB connection.

Guarantees: every view is made of the tables of releases and facts alone, so that it says the same for equal
releases. Rates and coverage follow `metrics/`: `error` and unverified samples are evidence of nothing and
counted apart, coverage is the unbiased estimate over all problems, null where some have fewer than k judged
samples, and what is unknown is null. Rates, coverage and costs are of draws: worked solutions by people are
left out of them. A row whose generator is null pools all generators of its release. Left out: where the
tables' files are (`sql_tables.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs

from factory.query.sql_spending import SPENDING, STOPS, known
from factory.records import DRAWN


class View(NamedTuple):
    """A ready view: the tables it reads, what it shows, and its SQL."""

    needs: tuple[str, ...]
    meaning: str
    sql: str


_Z: Final = "1.959963984540054"
"""The normal quantile of a 95% interval, as in `metrics/intervals.py`."""

_JUDGED: Final = "count(*) FILTER (s.status IN ('pass', 'fail', 'no_answer'))"
_POWERS: Final = str([2**power for power in range(31)])

_SELECTION: Final = "SELECT release, sample_id, kept, reason, duplicate_of, rank FROM release_samples"

# After a budget that ends the draws of a problem by what they turn out to be, the first m of each problem
# count, as in the metrics: see `measuring.first_of_stops`.
_STOPS: Final = """stops AS (
  SELECT release, problem_id, s.generator AS generator, s.samples AS drawn, s.correct AS correct, s.why AS why
  FROM (SELECT release, problem_id, unnest(stopped) AS s FROM release_problems WHERE asked)
), firsts AS (
  SELECT release, generator,
    least(min(drawn), min(correct) FILTER (why = 'reached' AND correct > 0)) AS m FROM stops
  WHERE release IN (SELECT release FROM stops WHERE why IN ('reached', 'at_most'))
    AND (drawn > 0 OR why <> 'exhausted') GROUP BY ALL
)"""

_COUNTED: Final = (
    f"FROM release_samples s LEFT JOIN firsts f ON f.release = s.release AND f.generator = s.generator"
    f" WHERE {DRAWN} AND (f.m IS NULL OR s.sample_index < f.m)"
)

_SOLVE_RATE: Final = f"""
WITH {_STOPS}
SELECT g.release, g.generator, g.problem_id, p.source, p.difficulty, g.samples, g.correct,
  g.correct / nullif(g.samples, 0) AS solve_rate, g.errors, g.unverified
FROM (
  SELECT s.release, s.generator, s.problem_id, {_JUDGED} AS samples,
    count(*) FILTER (s.correct) AS correct, count(*) FILTER (s.status = 'error') AS errors,
    count(*) FILTER (s.status IS NULL) AS unverified
  {_COUNTED} GROUP BY ALL
) g LEFT JOIN (
  SELECT release, problem_id, min(source) AS source, min(difficulty) AS difficulty
  FROM release_problems WHERE asked GROUP BY ALL
) p ON p.release = g.release AND p.problem_id = g.problem_id
"""

# Problems are reduced to how many have each (n, c) before anything is estimated: there are few such pairs.
# The product is that of `metrics/estimators.py`: over j < min(c, k) of 1 - max(c, k) / (n - j), by its
# logarithm. A problem that was asked and never drawn has n = 0; what people wrote is planned, not drawn.
_COVERAGE: Final = f"""
WITH {_STOPS}, judged AS MATERIALIZED (
  SELECT release, generator, problem_id, sum(n)::BIGINT AS n, sum(c)::BIGINT AS c FROM (
    SELECT s.release, s.generator, s.problem_id, {_JUDGED} AS n, count(*) FILTER (s.correct) AS c
    {_COUNTED} GROUP BY ALL
    UNION ALL
    SELECT release, generator, problem_id, 0, 0 FROM stops
    WHERE drawn = 0 AND why NOT IN ('planned', 'exhausted')
  ) GROUP BY ALL
), grouped AS (
  SELECT release, generator, n, c, count(*) AS problems FROM (
    SELECT release, generator, n, c FROM judged
    UNION ALL
    SELECT release, NULL, sum(n)::BIGINT, sum(c)::BIGINT FROM judged GROUP BY release, problem_id
  ) GROUP BY ALL
), asked AS (
  SELECT release, generator, unnest(list_filter({_POWERS}::BIGINT[], lambda power: power <= most)) AS k
  FROM (SELECT release, generator, max(n) AS most FROM grouped GROUP BY ALL)
)
SELECT release, generator, k, CASE WHEN n_short = 0 THEN solved / n_problems END AS coverage, n_problems,
  n_short
FROM (
  SELECT a.release, a.generator, a.k, sum(g.problems) FILTER (g.n >= a.k)::BIGINT AS n_problems,
    coalesce(sum(g.problems) FILTER (g.n < a.k), 0)::BIGINT AS n_short,
    sum(g.problems * CASE WHEN g.c = 0 OR g.n < a.k THEN 0.0 WHEN g.c + a.k > g.n THEN 1.0
      ELSE 1 - exp(list_sum(list_transform(range(0, least(g.c, a.k)),
        lambda j: ln(1 - greatest(g.c, a.k)::DOUBLE / (g.n - j))))) END) AS solved
  FROM asked a JOIN grouped g ON g.release = a.release AND g.generator IS NOT DISTINCT FROM a.generator
  GROUP BY ALL
)
"""


_COST: Final = f"""
SELECT *, tokens / nullif(kept, 0) AS tokens_per_kept_row, flops / nullif(kept, 0) AS flops_per_kept_row,
  usd / nullif(kept, 0) AS usd_per_kept_row, seconds / nullif(kept, 0) AS seconds_per_kept_row,
  engine_seconds / nullif(kept, 0) AS engine_seconds_per_kept_row
FROM (
  SELECT release, generator, count(*) AS samples, count(*) FILTER (kept) AS kept,
    ({known("prompt_tokens + completion_tokens")})::BIGINT AS tokens, {known("flops")} AS flops,
    {known("usd")} AS usd, {known("seconds")} AS seconds, {known("engine_seconds")} AS engine_seconds
  FROM release_samples WHERE {DRAWN} GROUP BY GROUPING SETS ((release, generator), (release))
)
"""

# One word a sample: what more of its annotators say, each by the last thing they said; a tie is unsure.
_FALSE_POSITIVES: Final = f"""
SELECT release, generator, kept, labelled, wrong, unsure, judged,
  wrong / nullif(judged, 0) AS rate,
  CASE WHEN judged > 0 THEN CASE WHEN wrong = 0 THEN 0.0 ELSE centre - half END END AS low,
  CASE WHEN judged > 0 THEN CASE WHEN wrong = judged THEN 1.0 ELSE centre + half END END AS high
FROM (
  SELECT *, (wrong / judged + z * z / judged / 2) / (1 + z * z / judged) AS centre,
    z * sqrt(wrong / judged * (1 - wrong / judged) / judged + z * z / judged / (4 * judged))
      / (1 + z * z / judged) AS half
  FROM (
    SELECT s.release, s.generator, count(*) AS kept, count(l.sample_id) AS labelled,
      count(*) FILTER (l.for_wrong > l.for_right) AS wrong,
      count(*) FILTER (l.for_wrong = l.for_right) AS unsure,
      count(*) FILTER (l.for_wrong <> l.for_right) AS judged, {_Z}::DOUBLE AS z
    FROM release_samples s LEFT JOIN (
      SELECT sample_id, count(*) FILTER (label = 'wrong') AS for_wrong,
        count(*) FILTER (label = 'right') AS for_right
      FROM (
        SELECT sample_id, annotator, arg_max(label, {{moment: "at", label: label}}) AS label
        FROM labels GROUP BY ALL
      ) GROUP BY sample_id
    ) l ON l.sample_id = s.sample_id
    WHERE s.kept GROUP BY GROUPING SETS ((s.release, s.generator), (s.release))
  )
)
"""

_WHY: Final = """
SELECT release, split, sample_id, problem_id, generator, kept, reason, status, verdict_reason, rejected_by,
  duplicate_of,
  CASE
    WHEN reason = 'kept' THEN 'kept: a correct sample that no rule drops'
    WHEN reason = 'wrong' THEN 'the verifier failed it: ' || coalesce(verdict_reason, 'no reason given')
    WHEN reason = 'no_answer' THEN 'no answer was found: ' || coalesce(verdict_reason, 'no reason given')
    WHEN reason = 'error' THEN 'the verifier could not tell: ' || coalesce(verdict_reason, 'no reason given')
    WHEN reason = 'unverified' THEN 'no verdict on it yet'
    WHEN starts_with(reason, 'rejected_by:') THEN 'another verifier failed it: ' || substr(reason, 13)
    WHEN reason = 'exact_duplicate' THEN 'the same text as ' || duplicate_of
    WHEN reason = 'path_duplicate' THEN 'the same reasoning path as ' || duplicate_of
    WHEN reason = 'near_duplicate' THEN 'nearly the same text as ' || duplicate_of
    WHEN reason = 'over_limit' THEN 'correct, but its problem has as many kept samples as the recipe allows: '
      || 'the first drawn, or with select.choice: random those that the lot fell on'
    ELSE reason
  END AS words
FROM release_samples
"""

VIEWS: Final[Mapping[str, View]] = {
    "selection": View(("release_samples",), "why each sample is in or out of each release", _SELECTION),
    "solve_rate": View(
        ("release_samples", "release_problems"),
        "how many judged samples of a problem are correct, by release and generator",
        _SOLVE_RATE,
    ),
    "coverage": View(
        ("release_samples", "release_problems"),
        "pass@k = coverage@k for k = 1, 2, 4, ..., by release and generator, and pooled (generator null); "
        "null where n_short problems have fewer than k judged samples",
        _COVERAGE,
    ),
    "cost_per_kept_row": View(
        ("release_samples",),
        "what sampling cost, in all and for each kept row; null unless every sample knows it",
        _COST,
    ),
    "spending": View(
        ("samples", "ledger", "generators"),
        "what every call cost, by recipe (null for samples, which recipes share), generator and kind; null "
        "unless every call knows it; presumed are the bounds of calls whose process died",
        SPENDING,
    ),
    "stops": View(
        ("release_problems",),
        "why sampling of each problem stopped, with its samples and how many are correct, by generator",
        STOPS,
    ),
    "false_positives": View(
        ("release_samples", "labels"),
        "kept samples that people labelled wrong, each label alike, with Wilson's 95% interval over those "
        "judged; the estimate that weighs labels by their strata stands in metrics.json",
        _FALSE_POSITIVES,
    ),
    "why": View(("release_samples",), "why each sample is in or out of each release, in words", _WHY),
}
"""Every ready view, by name."""


class Source(NamedTuple):
    """A Parquet file (its path, or its bytes), and the release and split that its rows are of, if any."""

    file: str | pa.Buffer
    release: str | None
    split: str | None


def dataset(schema: pa.Schema, sources: Iterable[Source]) -> ds.Dataset:
    """The rows of `sources` with the columns of `schema`; `release` and `split` stand in no file.

    A column that a file lacks is null there. Nothing is read before a query does.
    """
    file_format = ds.ParquetFileFormat()
    local = pyarrow.fs.LocalFileSystem()
    fragments = []
    for source in sources:
        marks = pc.scalar(True)
        if source.release is not None:
            marks = (pc.field("release") == source.release) & (pc.field("split") == source.split)
        where = {"filesystem": local} if isinstance(source.file, str) else {}
        fragments.append(file_format.make_fragment(source.file, partition_expression=marks, **where))
    if not fragments:
        return ds.dataset(schema.empty_table())
    return ds.FileSystemDataset(fragments, schema, file_format, local)


def enter(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Any]) -> None:
    """Register `tables` (datasets, or Arrow tables) by name, and make the views that they suffice for."""
    for name, rows in tables.items():
        connection.register(name, rows)
    for name, view in VIEWS.items():
        if tables.keys() >= set(view.needs):
            connection.execute(f"CREATE VIEW {name} AS {view.sql}")
