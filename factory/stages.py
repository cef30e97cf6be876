"""The stages of a run, one function each: a stage reads tables, writes one, and says what it did.

Guarantees: a stage does only what is missing; what it finished is in the store although it fails later.
Order and completeness are `pipeline.py`'s affair.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import planning
from factory.generators import prompts
from factory.generators.base import Completion, Engine, Failure, Request
from factory.planning import Plan, PlannedGenerator
from factory.progress import Progress
from factory.recipe import Prompt
from factory.records import Status, clean_text, sample_id, sample_seed
from factory.selection.choice import Candidate, select
from factory.selection.paths import path_key
from factory.store import Store, batches, put
from factory.writing import Writer

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


# --- sample ------------------------------------------------------------------------------------------


def requests(
    connection: duckdb.DuckDBPyConnection, plan: Plan, generator: PlannedGenerator, prompt: Prompt
) -> Iterator[Request]:
    """The draws that are owed, those of one problem together, read as the engine asks for them."""
    ident, last, rendered = generator.generator_id, "", prompts.render(prompt, "")
    for batch in batches(connection, planning.owed_samples(plan, generator)):
        for row in batch.to_pylist():
            problem, index = row["problem_id"], row["sample_index"]
            if problem != last:
                last, rendered = problem, prompts.render(prompt, row["prompt"])
            yield Request(
                sample_id=sample_id(problem, ident, index),
                problem_id=problem,
                sample_index=index,
                seed=sample_seed(problem, ident, index),
                prompt=rendered,
            )


def sample(
    store: Store,
    owed: Iterator[Request],
    generator: PlannedGenerator,
    engine: Engine,
    run_id: str,
    progress: Progress,
) -> Counter[str]:
    """Draw what is owed and commit it as it comes; returns how many failed, by reason."""
    failures: Counter[str] = Counter()
    with Writer(store, "samples") as writer:
        for outcome in engine.generate(owed):
            if isinstance(outcome, Failure):
                failures[outcome.reason] += 1
                progress.advance(1)
                continue
            writer.add(_sample_row(outcome, generator, run_id))
            progress.advance(1, outcome.completion_tokens or 0)
    return failures


def _sample_row(done: Completion, generator: PlannedGenerator, run_id: str) -> dict[str, Any]:
    return {
        "sample_id": done.request.sample_id,
        "problem_id": done.request.problem_id,
        "generator_id": generator.generator_id,
        "sample_index": done.request.sample_index,
        "completion": clean_text(done.text),
        "finish_reason": done.finish_reason,
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "seed": done.seed,
        "logprob": done.logprob,
        "flops": done.flops,
        "seconds": done.seconds,
        "run_id": run_id,
    }


# --- judged ------------------------------------------------------------------------------------------


def enter_judged(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the view `judged`: the samples in scope with the word of each verifier on them."""
    also = (
        " UNION ALL ".join(
            f"SELECT sample_id, '{one.written}' AS verifier FROM latest WHERE {one.where} AND status = 'fail'"
            for one in plan.also
        )
        or "SELECT '' AS sample_id, '' AS verifier WHERE false"
    )
    connection.execute(
        "CREATE OR REPLACE VIEW judged AS SELECT s.*, d.status, d.reason AS verdict_reason, d.answer, d.rule,"
        " r.rejected_by, coalesce(d.status = 'pass', false) AND r.rejected_by IS NULL AS correct"
        f" FROM ({planning.scope(plan, references=False)}) s"
        f" LEFT JOIN (FROM latest WHERE {plan.decides.where}) d ON d.sample_id = s.sample_id"
        f" LEFT JOIN (SELECT sample_id, min(verifier) AS rejected_by FROM ({also}) GROUP BY sample_id) r"
        " ON r.sample_id = s.sample_id"
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
