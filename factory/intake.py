"""Brings completions that were made elsewhere into the store.

Guarantees: an imported sample has the id that its problem, generator and index give it, so the same file
adds nothing the second time; a completion that differs from the one stored under the same id is an error
that names both, and nothing stored is changed. Left out: reading the file (`importing.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from factory import config, importing
from factory.errors import CheckFailed
from factory.importing import ImportedRow, ImportMap, Skipped
from factory.pipeline import new_run_id
from factory.progress import Progress
from factory.records import (
    KEYS,
    SAMPLES,
    TABLES,
    canonical_json,
    clean_text,
    imported_generator_id,
    sample_id,
)
from factory.store import Store, put

BATCH_ROWS: Final = 20_000


def bring_in(
    file: Path, map_file: Path, overrides: tuple[str, ...], store: Store, progress: Progress, *, command: str
) -> dict[str, Any]:
    """Import `file` as `map_file` says; returns {run_id, generators, counts}.

    Raises UsageError for a wrong file or map (place, value, next step) and CheckFailed for a conflict.
    Batches committed before an error are kept: they are whole, and importing again does not double them.
    """
    wanted = config.load(map_file, ImportMap, overrides)
    run_id, counts, generators = new_run_id(), Counter[str](), dict[str, None]()
    with store.lock(command), store.connect() as connection:
        rows = importing.rows(file, wanted, map_file.parent)
        progress.start(f"import {file.name}", 0, "samples")
        for batch in _batched(rows, counts):
            for row in batch:
                generators.setdefault(row.generator)
            counts.update(_commit(store, connection, batch, run_id))
            progress.advance(len(batch))
        progress.finish()
        for table in TABLES:
            store.compact(table)
    return {"run_id": run_id, "generators": list(generators), "counts": dict(counts)}


def _batched(rows: Iterator[ImportedRow | Skipped], counts: Counter[str]) -> Iterator[list[ImportedRow]]:
    """Rows by BATCH_ROWS; skipped ones are counted."""
    batch: list[ImportedRow] = []
    for row in rows:
        if isinstance(row, Skipped):
            counts["skipped: no completion"] += 1
            continue
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _commit(
    store: Store, connection: duckdb.DuckDBPyConnection, batch: list[ImportedRow], run_id: str
) -> Counter[str]:
    """Store what of a batch is new: its problems, generators and samples, in this order."""
    problems = {(row.problem.problem_id, row.problem.source): row.problem.row() for row in batch}
    names = {row.generator: None for row in batch}
    samples = [_sample(row, run_id) for row in batch]
    added = Counter(
        {
            "problems added": _add_new(store, connection, "problems", list(problems.values())),
            "generators added": _add_new(
                store, connection, "generators", [_generator(name) for name in names]
            ),
        }
    )
    fresh = _without_repeats(samples)
    put(connection, "incoming_samples", pa.Table.from_pylist(fresh, schema=SAMPLES))
    _refuse_conflicts(connection)
    added["samples added"] = _add_new(store, connection, "samples", fresh)
    added["samples there already"] = len(batch) - added["samples added"]
    return added


def _sample(row: ImportedRow, run_id: str) -> dict[str, Any]:
    generator, problem = imported_generator_id(row.generator), row.problem.problem_id
    return {
        "sample_id": sample_id(problem, generator, row.sample_index),
        "problem_id": problem,
        "generator_id": generator,
        "sample_index": row.sample_index,
        "completion": clean_text(row.completion),
        "run_id": run_id,
        "extra": row.extra,
    }


def _generator(name: str) -> dict[str, Any]:
    return {
        "generator_id": imported_generator_id(name),
        "name": name,
        "engine": "imported",
        "identity": canonical_json({"imported": name}),
    }


def _without_repeats(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows less those whose id came before in the batch; two texts under one id are refused."""
    seen: dict[str, dict[str, Any]] = {}
    for row in samples:
        first = seen.setdefault(row["sample_id"], row)
        if first["completion"] != row["completion"]:
            raise _conflict(row["problem_id"], row["sample_index"], first["completion"], row["completion"])
    return list(seen.values())


def _refuse_conflicts(connection: duckdb.DuckDBPyConnection) -> None:
    # Ids first: the texts, which are a hundred times larger, are read only when an id is there already.
    connection.execute(
        "CREATE OR REPLACE TABLE known AS SELECT i.* FROM incoming_samples i"
        " WHERE i.sample_id IN (SELECT sample_id FROM samples)"
    )
    rows = connection.execute(
        "SELECT k.problem_id, k.sample_index, s.completion, k.completion FROM known k"
        " JOIN samples s ON s.sample_id = k.sample_id WHERE s.completion <> k.completion"
        " ORDER BY k.sample_id LIMIT 1"
    ).fetchall()
    for row in rows:
        raise _conflict(*row)


def _conflict(problem: str, index: int, stored: str, offered: str) -> CheckFailed:
    return CheckFailed(
        f"import: problem {problem} has a sample {index} of this generator already, with another text "
        f"(stored: {stored[:60]!r}, offered: {offered[:60]!r}). Nothing stored was changed. Give the new "
        "completions another generator name, or an `index` column that goes on from the stored ones"
    )


def _add_new(
    store: Store, connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]
) -> int:
    """Commit the rows whose key the table does not hold; returns how many."""
    put(connection, "incoming_rows", pa.Table.from_pylist(rows, schema=TABLES[table]))
    same = " AND ".join(f"t.{key} = i.{key}" for key in KEYS[table])
    new = connection.sql(
        f"SELECT i.* FROM incoming_rows i WHERE NOT EXISTS (FROM {table} t WHERE {same})"
    ).to_arrow_table()
    store.append(table, new.cast(TABLES[table]))
    if new.num_rows:
        store.refresh(connection, table)
    return int(new.num_rows)
