"""The stages of a run, one function each: a stage reads tables, writes one, and says what it did.

Guarantees: a stage does only what is missing; what it finished is in the store although it fails later.
Order and completeness are `pipeline.py`'s affair.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import planning
from factory.planning import Plan
from factory.progress import Progress
from factory.records import Status
from factory.sampling import allotment
from factory.selection.choice import Candidate, select
from factory.selection.paths import path_key
from factory.store import batches, put

SELECTION: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
        ("duplicate_of", pa.string()),
        ("rank", pa.int32()),
        ("path", pa.string()),
    ]
)


# --- judged ------------------------------------------------------------------------------------------


def enter_judged(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the view `judged`: the samples in scope with the word of each verifier on them."""
    connection.execute(
        "CREATE OR REPLACE VIEW judged AS SELECT s.*, w.status, w.verdict_reason, w.answer, w.rule,"
        " w.rejected_by, coalesce(w.correct, false) AS correct"
        f" FROM ({planning.scope(plan)}) s"
        f" LEFT JOIN ({allotment.words(plan)}) w ON w.sample_id = s.sample_id"
    )


# --- select ------------------------------------------------------------------------------------------


def choose(connection: duckdb.DuckDBPyConnection, plan: Plan, progress: Progress) -> dict[str, int]:
    """Make the table `selection`: for every sample whether it is kept, why, and its path; counts the reasons.

    Samples of a problem are taken in the order of their index, then of the generators in the recipe, so
    that later draws never displace earlier ones.
    """
    query = (
        "SELECT problem_id, sample_id, generator, sample_index, generator_position, status, rejected_by,"
        " CASE WHEN correct THEN completion ELSE '' END AS completion, correct"
        " FROM judged ORDER BY problem_position, sample_index, generator_position"
    )
    reasons: Counter[str] = Counter()
    tables: list[pa.Table] = []
    total = planning.count(connection, "FROM judged")
    progress.start("select", total, "samples")
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches(connection, query))
    buffer: list[dict[str, Any]] = []
    for problem, group in itertools.groupby(rows, key=lambda row: row["problem_id"]):
        marks = _marks(problem, list(group), plan)
        reasons.update(mark["reason"] for mark in marks)
        progress.advance(len(marks))
        buffer += marks
        if len(buffer) >= 50_000:
            tables.append(pa.Table.from_pylist(buffer, schema=SELECTION))
            buffer = []
    put(connection, "selection", pa.concat_tables([*tables, pa.Table.from_pylist(buffer, schema=SELECTION)]))
    progress.finish()
    return planning.balance("selection", total, dict(sorted(reasons.items())))


def _marks(problem: str, rows: list[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    candidates = [
        Candidate(
            sample_id=row["sample_id"],
            position=(row["sample_index"], row["generator_position"]),
            completion=row["completion"],
            status=Status(row["status"]) if row["status"] else None,
            also_failed=row["rejected_by"],
            apart=row["generator"] in (plan.recipe.select.apart or ()),
        )
        for row in rows
    ]
    # A digest stands for the path: two equal digests are one path, and a release need not repeat the text.
    paths = {
        row["sample_id"]: hashlib.sha256(path_key(row["completion"]).encode()).hexdigest()[:16]
        for row in rows
        if row["correct"]
    }
    return [
        {
            "sample_id": mark.sample_id,
            "kept": mark.kept,
            "reason": mark.reason,
            "duplicate_of": mark.duplicate_of,
            "rank": mark.rank,
            "path": paths.get(mark.sample_id),
        }
        for mark in select(candidates, plan.recipe.select, problem_id=problem)
    ]
