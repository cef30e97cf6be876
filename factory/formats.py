"""The rows of each config of a release, as queries on the tables of a run.

Guarantees: a config is a view of the facts: its rows come from `judged`, `selection`, `asked` and `stops`
alone. Rows of one config stand in an order in which later draws and later problems come as whole runs of
rows, so that versions of a release share most of their bytes. A split divides neither a problem nor a group.
Only a sample that the deciding verifier failed is ever negative: `error` and `no_answer` are evidence of
nothing. Left out: writing the rows (`release/build.py`) and the columns (`configs.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import configs
from factory.planning import Plan
from factory.progress import Progress
from factory.records import DRAWN
from factory.release import build, pairs
from factory.release_sections import Preference
from factory.store import batches, put

_DRAWN: Final = "sample_index, generator_position, problem_position"
"""The order in which samples were drawn: more draws, and more generators, come at the end of a run.

Of 200,000 samples, 2 % more draws send 5 % of the file again, and 36 % when they are ordered by problem;
one generator more 49 %, a third of it new, and all (tests/benchmarks/reupload.py).
"""

_PAIRS_BY_ORDER: Final = (
    "CREATE OR REPLACE VIEW pairs AS"
    " SELECT c.sample_id AS chosen_id, r.sample_id AS rejected_id, c.place FROM right_ones c"
    " JOIN wrong_ones r ON r.problem_id = c.problem_id AND r.place = c.place WHERE c.place < {limit}"
)

_MANY: Final = 10_000
"""Problems whose pairs are put together at a time."""

_PAIRS: Final = pa.schema([("chosen_id", pa.string()), ("rejected_id", pa.string()), ("place", pa.int64())])

_QUERIES: Final[Mapping[str, str]] = {
    "sft": "SELECT * FROM chosen WHERE kept",
    "preference": "SELECT c.prompt, c.completion AS chosen, r.completion AS rejected,"
    " c.sample_id AS chosen_id, r.sample_id AS rejected_id, c.problem_id, c.source,"
    " c.generator AS chosen_generator, r.generator AS rejected_generator,"
    " c.split, c.problem_position, p.place AS sample_index, 0 AS generator_position"
    " FROM pairs p JOIN chosen c ON c.sample_id = p.chosen_id JOIN chosen r ON r.sample_id = p.rejected_id",
    "kto": "SELECT *, true AS label FROM right_ones UNION ALL BY NAME"
    " SELECT *, false AS label FROM wrong_ones WHERE place < {wrong}",
    "rewards": "SELECT a.*, a.position AS problem_position, 0 AS generator_position, 0 AS sample_index,"
    " coalesce(n.samples, 0)::INTEGER AS samples, coalesce(n.correct, 0)::INTEGER AS correct"
    " FROM parted a LEFT JOIN (SELECT problem_id, count(*) FILTER (status IN ('pass', 'fail', 'no_answer'))"
    " AS samples, count(*) FILTER (correct) AS correct FROM judged"
    f" WHERE {DRAWN} GROUP BY problem_id) n"
    " ON n.problem_id = a.problem_id WHERE a.reason = 'asked'",
    "samples": "SELECT * FROM chosen",
    "problems": "SELECT p.*, p.reason = 'asked' AS asked, p.position AS problem_position,"
    " (row_number() OVER (PARTITION BY p.problem_id, p.source ORDER BY p.position) - 1)::INTEGER AS repeat,"
    " 0 AS generator_position, 0 AS sample_index, coalesce(s.stopped, []) AS stopped FROM parted p"
    " LEFT JOIN (SELECT s.problem_id, list(struct_pack(generator := s.generator,"
    " samples := s.samples::INTEGER, correct := s.correct::INTEGER, why := s.why) ORDER BY g.position)"
    " AS stopped FROM stops s JOIN planned g ON g.generator_id = s.generator_id GROUP BY s.problem_id) s"
    " ON s.problem_id = p.problem_id AND p.reason = 'asked'",
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


def enter_pairs(connection: duckdb.DuckDBPyConnection, plan: Plan, progress: Progress) -> None:
    """Make `pairs` as the recipe's pairing asks: chosen_id, rejected_id, and place among its problem's pairs.

    The samples are read problem by problem; only ids stay in memory.
    """
    wanted = plan.recipe.release.preference
    if wanted.pairing == "order":
        connection.execute(_PAIRS_BY_ORDER.format(limit=wanted.per_problem))
        return
    text = "completion" if wanted.pairing == "similar" else "''"
    asked = (
        f"SELECT problem_id, sample_id, kept, completion_tokens AS tokens, length(completion) AS characters,"
        f" {text} AS text FROM chosen WHERE kept OR status = 'fail' ORDER BY problem_position"
    )
    progress.start("pair samples", 0, "problems")
    read = itertools.chain.from_iterable(batch.to_pylist() for batch in batches(connection, asked, 1000))
    tables = [_PAIRS.empty_table()]
    for _, group in itertools.groupby(read, key=lambda row: row["problem_id"]):
        tables.append(_pair(list(group), wanted))
        if len(tables) == _MANY:
            tables = [pa.concat_tables(tables).combine_chunks()]
        progress.advance()
    put(connection, "pairs", pa.concat_tables(tables))
    progress.finish()


def _pair(rows: Sequence[Mapping[str, Any]], wanted: Preference) -> pa.Table:
    """The pairs among the samples of one problem."""
    kept, failed = (
        [
            pairs.Sample(row["sample_id"], row["tokens"], row["characters"], row["text"])
            for row in rows
            if row["kept"] == side
        ]
        for side in (True, False)
    )
    found = pairs.PAIRINGS[wanted.pairing](kept, failed, wanted.per_problem)
    chosen, rejected = [one for one, _ in found], [other for _, other in found]
    return pa.Table.from_arrays([chosen, rejected, list(range(len(found)))], schema=_PAIRS)


def _split(plan: Plan) -> str:
    """SQL of a problem's split: the source's own, or by a hash of its group into the recipe's shares."""
    shares = plan.recipe.release.splits
    if not shares:
        return "split"
    drawn = f"('0x' || md5('{plan.recipe.select.seed}:' || coalesce(group_id, problem_id))[:8])::BIGINT"
    cases, low = "", 0.0
    for name, share in sorted(shares.items()):  # the order of keys in a recipe is no part of its content
        low += share
        cases += f" WHEN {drawn} < {round(low * 2**32)} THEN '{name}'"
    return f"CASE{cases} ELSE 'train' END"


def query(config: str, plan: Plan) -> str:
    """The rows of a config, with the columns of `configs.schema` in the form text, `split`, and its order."""
    wrong = plan.recipe.release.kto.wrong_per_problem
    return _QUERIES[config].format(wrong=2**31 if wrong is None else wrong)


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
