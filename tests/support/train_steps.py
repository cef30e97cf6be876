"""Two steps of each trainer of TRL on the configs of a release, straight from its tag on a Hub.

Run as `python -m tests.support.train_steps REPOSITORY TAG FOLDER`, in a process whose environment names the
Hub (HF_ENDPOINT); prints one JSON object: the loss of each trainer, and the columns that reached the reward
function. The model is random and tiny, its tokens are bytes, and nothing but the data is loaded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tiny_model import make_model


def main(repository: str, tag: str, folder: Path) -> dict[str, Any]:
    from datasets import load_dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import (
        DPOConfig,
        DPOTrainer,
        GRPOConfig,
        GRPOTrainer,
        KTOConfig,
        KTOTrainer,
        RewardConfig,
        RewardTrainer,
        SFTConfig,
        SFTTrainer,
    )

    model = make_model(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    common: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "use_cpu": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "bf16": False,
    }
    seen: set[str] = set()

    def reward(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        seen.update(columns)
        return [float(number % 2) for number, _ in enumerate(completions)]

    def data(config: str) -> Any:
        splits = load_dataset(repository, config, revision=tag)
        return splits["train"] if "train" in splits else next(iter(splits.values()))

    def scorer() -> Any:
        return AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)

    trainers: dict[str, Callable[[], Any]] = {
        "sft": lambda: SFTTrainer(
            model=model, args=SFTConfig(**common, max_length=256), train_dataset=data("sft"),
            processing_class=tokenizer,
        ),
        "dpo": lambda: DPOTrainer(
            model=model, args=DPOConfig(**common, max_length=256), train_dataset=data("preference"),
            processing_class=tokenizer,
        ),
        "reward": lambda: RewardTrainer(
            model=scorer(), args=RewardConfig(**common, max_length=256), train_dataset=data("preference"),
            processing_class=tokenizer,
        ),
        "kto": lambda: KTOTrainer(
            model=model, args=KTOConfig(**common, max_length=256), train_dataset=data("kto"),
            processing_class=tokenizer,
        ),
        "grpo": lambda: GRPOTrainer(
            model=model, reward_funcs=reward,
            args=GRPOConfig(**common, num_generations=2, max_completion_length=8),
            train_dataset=data("rewards"), processing_class=tokenizer,
        ),
    }  # fmt: skip
    losses = {}
    for name, build in trainers.items():
        trainer = build()
        result = trainer.train()
        assert trainer.state.global_step == 2
        losses[name] = result.training_loss
    return {"losses": losses, "reward_columns": sorted(seen)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
