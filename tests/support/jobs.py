"""Small jobs of training on the tiny model: rows by rule, each with its own tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.recipe import Train
from factory.training.job import PREFERENCE, SUPERVISED, Job

END = 257
"""The token that ends a text of the tiny model."""


def supervised_row(number: int) -> dict[str, Any]:
    """A row of 4 to 9 tokens, of which 2 to 5 are the completion."""
    return {
        "row_id": f"row{number}",
        "problem_id": f"problem{number}",
        "prompt_ids": [10 + number] * (2 + number % 3),
        "completion_ids": [*[40 + number % 7] * (1 + number % 4), END],
        "weight": 1.0,
    }


def pair_row(number: int) -> dict[str, Any]:
    row = supervised_row(number)
    chosen = row.pop("completion_ids")
    del row["weight"]
    return row | {"chosen_ids": chosen, "rejected_ids": [*[90 + number % 5] * (1 + number % 3), END]}


def job(
    folder: Path, base: Path, rows: list[dict[str, Any]], *, stop_at: int | None = None, **train: Any
) -> Job:
    """A job on `rows` under `folder`: 8 steps of 4 rows, 2 at once, unless `train` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"batch": 4, "micro_batch": 2, "steps": 8, "learning_rate": 0.01, "checkpoint_every": 1000}
    settings = Train.model_validate(plain | train)
    schema = PREFERENCE if settings.method == "dpo" else SUPERVISED
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "rows.parquet")
    assert settings.steps is not None
    return Job(
        settings=settings,
        model=base,
        data=folder / "rows.parquet",
        work=folder / "work",
        out=folder / "out",
        steps=settings.steps,
        stop_at=stop_at,
    )
