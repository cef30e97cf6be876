"""The trainer of the methods sft and weighted.

Guarantees: TRL's SFTTrainer with rows that are tokens already; nothing of them is cut, joined or templated
anew. Left out: the preference method (`preference.py`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from factory.training import losses, trainers
from factory.training.job import Job
from factory.training.precision import Place


def trainer(job: Job, rows: pa.Table, model: Any, tokenizer: Any, place: Place, adapter: Any) -> Any:
    """SFTTrainer on `rows`, of SUPERVISED with a column `row`; `adapter` is None or a LoraConfig."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    weighs = job.settings.method == "weighted"
    if weighs:
        weights = losses.mean_one(rows["weight"].to_pylist())
        rows = rows.set_column(rows.column_names.index("weight"), "weight", pa.array(weights))
    kinds = (trainers.Recorded, *([trainers.Weighted] if weighs else []), SFTTrainer)
    collate = losses.Supervised(trainers.pad_id(tokenizer), packing=job.settings.packing, weighs=weighs)
    return type("FactorySFTTrainer", kinds, {})(
        model=model,
        args=SFTConfig(
            **trainers.arguments(job, place),
            loss_type="nll",
            packing=False,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        data_collator=collate,
        train_dataset=Dataset(rows),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=trainers.stops(job),
    )
