"""The rows of a job, checked against its contract.

Guarantees: what a training consumes fits: completions that are not empty, no row longer than `max_length`,
no token that the model has not. Left out: making rows of a release, and leaving long ones out, with a count
(`factory/loop/fine_tuning.py`): a row that does not fit here is a mistake of the program and not of a recipe.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.errors import UsageError
from factory.training.job import PREFERENCE, SUPERVISED, Job


def read(job: Job) -> pa.Table:
    """The rows with their number as the column `row`.

    Raises UsageError where there is none, ValueError where one is not as the contract says.
    """
    schema = PREFERENCE if job.settings.method == "dpo" else SUPERVISED
    table = pq.read_table(job.data)
    if missing := set(schema.names) - set(table.schema.names):
        raise ValueError(f"{job.data} has no column {', '.join(sorted(missing))}")
    if not table.num_rows:
        raise UsageError("train: there is no row to train on; see which samples the release keeps, and why")
    prompt = pc.list_value_length(table["prompt_ids"])
    for name in completions(job):
        own = pc.list_value_length(table[name])
        _refuse(table, pc.equal(own, 0), f"{name} is empty")
        long = pc.greater(pc.add(prompt, own), job.settings.max_length)
        _refuse(table, long, f"it is longer than max_length, {job.settings.max_length} tokens")
    return table.append_column("row", pa.array(np.arange(table.num_rows)))


def completions(job: Job) -> tuple[str, ...]:
    """The columns that the loss is taken of."""
    return ("chosen_ids", "rejected_ids") if job.settings.method == "dpo" else ("completion_ids",)


def fit(job: Job, table: pa.Table, tokens: int) -> None:
    """Raise UsageError where a row has a token that a model of so many tokens does not know."""
    for name in ("prompt_ids", *completions(job)):
        found = pc.min_max(pc.list_flatten(table[name])).as_py()
        if found["min"] is not None and not 0 <= found["min"] <= found["max"] < tokens:
            raise UsageError(
                f"train: {name} holds token {found['max']}, and {job.model} knows {tokens} tokens: the rows "
                "were made with the tokenizer of another model"
            )


def _refuse(table: pa.Table, wrong: pa.ChunkedArray, why: str) -> None:
    rows = table.filter(wrong)
    if rows.num_rows:
        raise ValueError(f"row {rows['row_id'][0]} cannot be trained on: {why}")
