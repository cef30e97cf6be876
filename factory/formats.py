"""The rows of each config of a release, as queries on the tables of a run.

Guarantees: a config is a view of the facts: its rows come from `judged`, `selection` and `asked` alone. Rows
of one config stand in an order in which later draws and later problems come as whole runs of rows, so that
versions of a release share most of their bytes. A split divides neither a problem nor a group. Only a
sample that the deciding verifier failed is ever negative: `error` and `no_answer` are evidence of nothing.
Left out: writing the rows (`release/build.py`) and the columns (`configs.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import duckdb
import pyarrow as pa

from factory import configs
from factory.planning import Plan
from factory.release import build
from factory.store import batches

_DRAWN: Final = "sample_index, generator_position, problem_position"
"""The order in which samples were drawn: more draws, and more generators, come at the end of a run."""

_QUERIES: Final[Mapping[str, str]] = {
    "sft": "SELECT * FROM chosen WHERE kept",
    "preference": "SELECT c.prompt, c.completion AS chosen, r.completion AS rejected,"
    " c.sample_id AS chosen_id, r.sample_id AS rejected_id, c.problem_id, c.source,"
    " c.generator AS chosen_generator, r.generator AS rejected_generator,"
    " c.split, c.problem_position, c.place AS sample_index, 0 AS generator_position"
    " FROM right_ones c JOIN wrong_ones r ON r.problem_id = c.problem_id AND r.place = c.place"
    " WHERE c.place < {pairs}",
    "kto": "SELECT *, true AS label FROM right_ones UNION ALL BY NAME"
    " SELECT *, false AS label FROM wrong_ones WHERE place < {wrong}",
    "rewards": "SELECT a.*, a.position AS problem_position, 0 AS generator_position, 0 AS sample_index,"
    " coalesce(n.samples, 0)::INTEGER AS samples, coalesce(n.correct, 0)::INTEGER AS correct"
    " FROM parted a LEFT JOIN (SELECT problem_id, count(*) FILTER (status IN ('pass', 'fail', 'no_answer'))"
    " AS samples, count(*) FILTER (correct) AS correct FROM judged GROUP BY problem_id) n"
    " ON n.problem_id = a.problem_id WHERE a.reason = 'asked'",
    "samples": "SELECT * FROM chosen",
    "problems": "SELECT *, reason = 'asked' AS asked, position AS problem_position,"
    " 0 AS generator_position, 0 AS sample_index FROM parted",
}


def enter(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the views that the queries read: problems and samples in their split, right and wrong ones."""
    connection.execute(
        f"CREATE OR REPLACE VIEW parted AS SELECT * REPLACE ({_split(plan)} AS split) FROM asked"
    )
    connection.execute(
        "CREATE OR REPLACE VIEW chosen AS SELECT j.* REPLACE (p.split AS split), s.path, s.kept, s.reason,"
        " s.duplicate_of, s.rank FROM judged j JOIN selection s ON s.sample_id = j.sample_id"
        " JOIN parted p ON p.problem_id = j.problem_id AND p.reason = 'asked'"
    )
    place = (
        "row_number() OVER (PARTITION BY problem_id ORDER BY sample_index, generator_position) - 1 AS place"
    )
    for name, which in (("right_ones", "kept"), ("wrong_ones", "status = 'fail'")):
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT *, {place} FROM chosen WHERE {which}")


def _split(plan: Plan) -> str:
    """SQL of a problem's split: the source's own, or by a hash of its group into the recipe's shares."""
    shares = plan.recipe.release.splits
    if not shares:
        return "split"
    drawn = f"('0x' || md5('{plan.recipe.select.seed}:' || coalesce(group_id, problem_id))[:8])::BIGINT"
    cases, low = "", 0.0
    for name, share in shares.items():
        low += share
        cases += f" WHEN {drawn} < {round(low * 2**32)} THEN '{name}'"
    return f"CASE{cases} ELSE 'train' END"


def query(config: str, plan: Plan) -> str:
    """The rows of a config, with the columns of `configs.schema` in the form text, `split`, and its order."""
    release = plan.recipe.release
    wrong = release.kto.wrong_per_problem
    return _QUERIES[config].format(
        pairs=release.preference.per_problem, wrong=2**31 if wrong is None else wrong
    )


def view(connection: duckdb.DuckDBPyConnection, config: str, plan: Plan) -> build.View:
    """The rows of a config in the recipe's form, a stream for each split."""
    asked = query(config, plan)
    schema = configs.schema(config, plan.recipe.release.form)
    columns = ", ".join(_column(one.name, one.type) for one in schema)
    sizes = dict(
        connection.execute(f"SELECT split, count(*) FROM ({asked}) GROUP BY split ORDER BY split").fetchall()
    )

    def rows(split: str) -> Iterator[pa.RecordBatch]:
        wanted = split.replace("'", "''")
        return batches(
            connection, f"SELECT {columns} FROM ({asked}) WHERE split = '{wanted}' ORDER BY {_DRAWN}"
        )

    return build.View(config, schema, {split: partial(rows, split) for split in sizes}, sum(sizes.values()))


def _column(name: str, kind: pa.DataType) -> str:
    """SQL of a column: texts become conversations where the schema says so."""
    if kind != configs.MESSAGES:
        return name
    if name == "messages":
        return "[{role: 'user', content: prompt}, {role: 'assistant', content: completion}] AS messages"
    role = "user" if name == "prompt" else "assistant"
    return f"[{{role: '{role}', content: {name}}}] AS {name}"
