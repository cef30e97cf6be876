"""The trainer of the method dpo.

Guarantees: TRL's DPOTrainer with rows that are tokens already, and the sigmoid loss (arXiv 2305.18290,
equation 7). The reference is the model that training starts from; what it says of each pair is computed once,
before the first step, and kept with the checkpoints, so no second model stands in memory and a training that
is resumed has the same reference. Left out: other preference losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from factory.atomic import write_atomically
from factory.training import order, trainers
from factory.training.job import Job
from factory.training.precision import Place

REFERENCE: Final = "reference.parquet"
_COLUMNS: Final = ("ref_chosen_logps", "ref_rejected_logps")


class Pairs:
    """Puts rows {row, prompt_ids, chosen_ids, rejected_ids} together: all chosen, then all rejected."""

    def __init__(self, pad_id: int) -> None:
        from trl.trainer.dpo_trainer import DataCollatorForPreference

        self.collate = DataCollatorForPreference(pad_token_id=pad_id)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        completions = sum(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
        return dict(self.collate(rows)) | {
            "rows": [row["row"] for row in rows],
            "tokens": completions + 2 * sum(len(row["prompt_ids"]) for row in rows),
            "loss_tokens": completions,
        }


class Tokenised:
    """Stands before DPOTrainer: the rows are as they shall be, and the reference is computed below."""

    def _prepare_dataset(self, dataset: Any, *rest: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *rest: Any) -> Any:
        return dataset


def trainer(job: Job, rows: pa.Table, model: Any, tokenizer: Any, place: Place, adapter: Any) -> Any:
    """DPOTrainer on `rows`, of PREFERENCE with a column `row`; `adapter` is None or a LoraConfig."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    pairs = Pairs(trainers.pad_id(tokenizer))
    made = type("FactoryDPOTrainer", (trainers.Recorded, Tokenised, DPOTrainer), {})(
        model=model,
        args=DPOConfig(
            **trainers.arguments(job, place),
            beta=job.settings.beta,
            loss_type=["sigmoid"],
            precompute_ref_log_probs=True,
        ),
        data_collator=pairs,
        train_dataset=Dataset(rows),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=trainers.stops(job),
    )
    for name, values in zip(_COLUMNS, _reference(job, rows, made, pairs), strict=True):
        rows = rows.append_column(name, pa.array(values))
    made.train_dataset = Dataset(rows)
    return made


def _reference(job: Job, rows: pa.Table, made: Any, pairs: Pairs) -> list[Any]:
    """log p(chosen) and log p(rejected) by the model before training, for each row that will be asked for."""
    path = job.work / REFERENCE
    if not path.exists():
        settings = job.settings
        found = np.full((2, rows.num_rows), np.nan, np.float32)
        wanted = np.unique(order.planned(rows.num_rows, settings.seed, job.steps, settings.batch))
        made.model.eval()
        for start in range(0, len(wanted), trainers.micro_batch(job)):
            part = wanted[start : start + trainers.micro_batch(job)]
            batch = made._prepare_inputs(pairs(rows.take(part).to_pylist()))
            for name in trainers.COUNTS:
                del batch[name]
            found[:, part] = [
                one.float().cpu().numpy() for one in made.compute_ref_log_probs(made.model, batch)
            ]
        table = pa.table(dict(zip(_COLUMNS, found, strict=True)))
        write_atomically(path, lambda file: pq.write_table(table, file))
    return [pq.read_table(path)[name].to_numpy() for name in _COLUMNS]
