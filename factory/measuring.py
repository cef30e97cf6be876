"""What is measured of draws, counted from their rows; the estimates are made in `metrics/`.

Guarantees: everything is counted in SQL. A problem that a generator was asked and never drew is counted as
one without a draw, so that no value is of other problems than were asked. After a budget that ends the draws
of a problem by what they turn out to be, only the first m draws of each problem count (`first_of_stops`).
Worked solutions by people are left out: nobody drew them, and they say nothing of a generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa

from factory.budget_sections import PerProblem
from factory.metrics.measure import measure as measure_draws
from factory.metrics.pooling import COSTS, Draws
from factory.planning import Plan
from factory.recipe import Measure
from factory.records import DRAWN, HUMAN
from factory.release import row_changes
from factory.selection.paths import NAME as PATH_KEY
from factory.store import put

OF_RUN: Final = (
    f"SELECT j.*, s.path FROM judged j LEFT JOIN selection s ON s.sample_id = j.sample_id WHERE j.{DRAWN}"
)
"""The draws of a run, by its views."""

IMPORTED: Final = "imported"
"""The engine of a generator whose completions were made elsewhere."""

_JUDGED: Final = "status IN ('pass', 'fail', 'no_answer')"

_PLAIN: Final = "replace(replace(replace(replace(lower(trim(answer)), ' ', ''), '$', ''), ',', ''), '\\', '')"
_CANONICAL: Final = (
    f"CASE WHEN regexp_full_match({_PLAIN}, '[+-]?[0-9]*[.][0-9]+') THEN rtrim(rtrim({_PLAIN}, '0'), '.')"
    f" ELSE {_PLAIN} END"
)
"""What two wrong answers must share to be one: case, blanks, $, commas, backslashes and zeros at the end of a
decimal are no difference. 1/2 and 0.5, 50% and 0.5, a number and its name stay different."""

STOPPED: Final = "SELECT unnest(stopped, recursive := true) FROM asked"
"""Why the draws of each problem of a release ended, by its view `asked`."""

_UNTOLD: Final = (
    "SELECT generator, count(*) AS samples, count(*) FILTER (correct) AS correct,"
    " CASE WHEN count(*) FILTER (correct) >= {enough} THEN 'reached' ELSE 'at_most' END AS why"
    " FROM drawn GROUP BY generator, problem_id"
)
"""The same where a release does not show its problems, as far as its samples tell."""

_WHOLE: Final[Mapping[str, int]] = {"flops": 1, "usd": 10**9, "seconds": 10**6, "engine_seconds": 10**6}
"""By what a cost is multiplied to be a whole number, so that sums do not depend on the order of threads."""


def measure(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, Any]:
    """All metrics of the recipe, as they stand in metrics.json; needs the views `judged` and `selection`."""
    generators = {one.name: one.sampled for one in plan.generators if not one.by_people}
    m = None if plan.recipe.budget.per_problem.fixed else first_of_stops(connection, "FROM stops")
    return measure_draws(draws(connection, OF_RUN, generators, m), plan.recipe.measure)


def draws_of_release(connection: duckdb.DuckDBPyConnection, made: Mapping[str, Any]) -> Draws:
    """The draws of a release by its manifest; needs the views `drawn` (its samples) and `asked`.

    They are those that its metrics.json was made of.
    """
    engines = {name: one["engine"] for name, one in made["lock"]["generators"].items()}
    generators = {name: engine != IMPORTED for name, engine in engines.items() if engine != HUMAN}
    rule = PerProblem.model_validate(made["recipe"]["budget"].get("per_problem", {}))
    told = STOPPED if "problems" in made["configs"] else _UNTOLD.format(enough=rule.until_correct or 1)
    m = None if rule.fixed else first_of_stops(connection, told)
    return draws(connection, "FROM drawn", generators, m)


def first_of_stops(connection: duckdb.DuckDBPyConnection, stops: str) -> dict[str, int] | None:
    """m of each generator: how many first draws of a problem count; None where all do.

    `stops` is a query for (generator, samples, correct, why) of every asked problem. That no problem has
    fewer than m draws is not enough: where it takes many draws until the first problem has what it is to
    have, that draw is a lucky one, and m was chosen to hold it (30 problems of rate 0.02, each drawn until
    one is correct: pass@1 came out as 0.029). So m is no more than the least correct draws of a problem that
    had enough, as many draws as each problem has whatever they turn out to be; where none had enough, any
    order of the same draws would have ended there. None where no problem was ended by its draws.
    """
    found = connection.execute(
        "SELECT generator, least(min(samples), min(correct) FILTER (why = 'reached' AND correct > 0)),"
        " bool_or(bool_or(why IN ('reached', 'at_most'))) OVER () FROM"
        f" ({stops}) WHERE samples > 0 OR why <> 'exhausted' GROUP BY generator ORDER BY generator"
    ).fetchall()
    return {name: int(m) for name, m, _ in found} if any(ended for _, _, ended in found) else None


def config_of(recipe: Mapping[str, Any], k: tuple[int, ...]) -> Measure:
    """How a recipe, as a manifest holds it, measures, but for other k."""
    asked = {one: value for one, value in recipe.get("measure", {}).items() if one in ("bootstrap", "seed")}
    return Measure(k=k, by=("generator", "difficulty"), **asked)


def draws(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    generators: Mapping[str, bool],
    first: Mapping[str, int] | None,
) -> Draws:
    """What `metrics.measure` measures.

    `rows` is a query for the draws, with the columns of a release's samples; `asked` must be a table of the
    problems. `generators` says of each whether it was asked all of them, as one that is sampled is;
    `first`, how many first draws of a problem count (see `first_of_stops`), None where all do.
    """
    _enter(connection, rows, generators)
    m = None if first is None else {one: first[one] for one in sorted(first) if one in generators}
    connection.execute("CREATE OR REPLACE TEMP TABLE measured_first (generator UTINYINT, m BIGINT)")
    for place, name in enumerate(generators):
        connection.execute("INSERT INTO measured_first VALUES (?, ?)", [place, (m or {}).get(name)])
    found = Draws(
        tuple(generators), _counts(connection), _sizes(connection, "path"), _sizes(connection, "answer"), m,
        PATH_KEY,
    )  # fmt: skip
    for name in ("measured", "measured_problems", "measured_generators", "measured_first"):
        connection.execute(f"DROP TABLE {name}")
    return found


def by_problem(connection: duckdb.DuckDBPyConnection, rows: str, m: Mapping[str, int] | None) -> pl.DataFrame:
    """(problem_id, n, c, right, paths, answers) of every problem with a draw, by problem_id, all pooled.

    `rows` is a query for the samples of a release, `m` that of its metrics. Columns mean what they do in
    `Draws`; `paths` and `answers` list the sizes of a problem.
    """
    cases = ((row_changes.literal(name), number) for name, number in (m or {}).items())
    first = " ".join(f"WHEN generator = {name} THEN sample_index < {number:d}" for name, number in cases)
    draws = f"(FROM ({rows}) WHERE {DRAWN}{f' AND CASE {first} ELSE true END' if first else ''})"
    kinds = {"paths": ("path", "correct"), "answers": (_CANONICAL, "status = 'fail'")}
    joins = " ".join(
        f"LEFT JOIN (SELECT problem_id, list(m ORDER BY m) AS {name} FROM (SELECT problem_id, {key} AS key,"
        f" count(*) AS m FROM {draws} WHERE {where} AND key IS NOT NULL GROUP BY ALL) GROUP BY problem_id)"
        f" of_{name} ON of_{name}.problem_id = a.problem_id"
        for name, (key, where) in kinds.items()
    )
    found: pl.DataFrame = connection.sql(
        f"SELECT a.*, {', '.join(f'coalesce({name}, []) AS {name}' for name in kinds)} FROM ("
        f"SELECT problem_id, count(*) FILTER ({_JUDGED}) AS n, count(*) FILTER (correct) AS c,"
        f" count(*) FILTER (status = 'pass') AS \"right\" FROM {draws} GROUP BY problem_id) a {joins}"
        " ORDER BY a.problem_id"
    ).pl()
    return found


def _enter(connection: duckdb.DuckDBPyConnection, rows: str, generators: Mapping[str, bool]) -> None:
    """Make the tables of problems and generators, and that of the draws with numbers for texts."""
    named = [
        {"generator": place, "name": name, "all_asked": asked}
        for place, (name, asked) in enumerate(generators.items())
    ]
    schema = pa.schema([("generator", pa.uint8()), ("name", pa.string()), ("all_asked", pa.bool_())])
    put(connection, "measured_generators", pa.Table.from_pylist(named, schema=schema))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE measured_problems AS SELECT"
        " (row_number() OVER (ORDER BY problem_id) - 1)::INTEGER AS problem, * FROM (SELECT problem_id,"
        " min(source) AS source, min(difficulty) AS difficulty, min(group_id) AS group_id FROM asked"
        " WHERE reason = 'asked' GROUP BY problem_id)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE measured AS SELECT p.problem, g.generator, d.sample_index, d.status,"
        " d.correct, d.finish_reason = 'length' AS truncated,"
        " CASE WHEN d.correct THEN hash(d.path) END AS path,"
        f" CASE WHEN d.status = 'fail' THEN hash({_CANONICAL}) END AS answer,"
        " d.answer IS NOT NULL AS answered,"
        f" {', '.join(f'd.{one}' for one in COSTS)}"
        f" FROM ({rows}) d JOIN measured_problems p ON p.problem_id = d.problem_id"
        " JOIN measured_generators g ON g.name = d.generator"
    )


def _counts(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """A row a (problem, generator), with none left out that was asked."""
    first = "(m IS NULL OR sample_index < m)"
    counted = {
        "n": f"{_JUDGED} AND {first}",
        "c": f"correct AND {first}",
        "right": f"status = 'pass' AND {first}",
        "answered": f"{_JUDGED} AND answered",
        "verified": _JUDGED,
        "passed": "correct",
        "no_answer": "status = 'no_answer'",
        "errors": "status = 'error'",
        "unverified": "status IS NULL",
        "truncated": "truncated",
    }
    counts = ", ".join(f"count(*) FILTER ({where}) AS {name}" for name, where in counted.items())
    costs = ", ".join(
        f"sum(round({one} * {_WHOLE[one]})::HUGEINT)::DOUBLE / {_WHOLE[one]} AS {one}"
        if one in _WHOLE
        else f"sum({one})::BIGINT AS {one}"
        for one in COSTS
    )
    zeros = ", ".join(f"coalesce(c.{name}, 0) AS {name}" for name in counted)
    found: pl.DataFrame = connection.sql(
        "SELECT p.problem, a.generator, p.source, p.difficulty, p.group_id AS group,"
        f" {zeros}, {', '.join(f'c.{one}' for one in COSTS)} FROM ("
        " SELECT problem, generator FROM measured_problems CROSS JOIN measured_generators WHERE all_asked"
        " UNION SELECT problem, generator FROM measured) a"
        " JOIN measured_problems p ON p.problem = a.problem"
        f" LEFT JOIN (SELECT problem, generator, {counts}, {costs} FROM measured JOIN measured_first"
        " USING (generator) GROUP BY problem, generator) c"
        " ON c.problem = a.problem AND c.generator = a.generator"
    ).pl()
    return found


def _sizes(connection: duckdb.DuckDBPyConnection, column: str) -> pl.DataFrame:
    """How many of the draws that count take each path, or give each wrong answer."""
    found: pl.DataFrame = connection.sql(
        f"SELECT problem, generator, {column} AS key, count(*) AS size FROM measured JOIN measured_first"
        f" USING (generator) WHERE {column} IS NOT NULL AND (m IS NULL OR sample_index < m) GROUP BY ALL"
    ).pl()
    return found
