"""What is added to TRL's trainers: a given order of rows, a record of each step, whole checkpoints, a stop.

Guarantees: models, optimizers, schedules, accumulation and resuming are TRL's and transformers' own. A loss
that is not a number ends the training before anything of it is saved. Left out: the losses (`losses.py`,
`preference.py`) and where things run (`precision.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from factory.errors import CheckFailed
from factory.training import checkpoints, losses, order
from factory.training.job import Job
from factory.training.ledger import Ledger, Step
from factory.training.precision import Place

Report = Callable[[int, float], None]

_SCHEDULES: Final = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


COUNTS: Final = ("rows", "tokens", "loss_tokens")
"""What a batch tells of itself, beside what the model is given."""


def pad_id(tokenizer: Any) -> int:
    """A token to fill up short rows with; which one does not matter, for nothing attends to it."""
    return next(one for one in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if one is not None)


def micro_batch(job: Job) -> int:
    """Rows that go through the model at once: no more than a step has."""
    return min(job.settings.micro_batch, job.settings.batch)


def arguments(job: Job, place: Place) -> dict[str, Any]:
    """The settings that TRL's trainers share. Every one that changes a result is written out."""
    settings = job.settings
    return {
        "output_dir": str(job.work),
        "max_steps": job.steps,
        "per_device_train_batch_size": micro_batch(job),
        "gradient_accumulation_steps": settings.batch // micro_batch(job),
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": _SCHEDULES[settings.schedule],
        "warmup_steps": warmup(job),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "optim": "adamw_torch",
        "seed": settings.seed,
        "use_cpu": place.device == "cpu",
        "bf16": place.precision == "bfloat16",
        "fp16": False,
        _checkpointing(): settings.gradient_checkpointing,
        "max_length": None,
        "remove_unused_columns": False,
        "dataloader_pin_memory": place.device != "cpu",
        "save_strategy": "steps",
        "save_steps": settings.checkpoint_every or max(1, job.steps // 10),
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def warmup(job: Job) -> int:
    """Steps of rising learning rate. The first of them has the rate 0, so the last step is never one."""
    return min(math.ceil(job.settings.warmup * job.steps), job.steps - 1)


def _checkpointing() -> str:
    """The name of the option, which transformers changed."""
    from transformers import TrainingArguments

    new = "activation_checkpointing"
    return new if new in TrainingArguments.__dataclass_fields__ else "gradient_checkpointing"


class Recorded:
    """Stands before a trainer of TRL in the order of its classes; `given` is called before training."""

    def given(self, job: Job, rows: int, ledger: Ledger, report: Report) -> None:
        self._job, self._rows, self._ledger, self._report = job, rows, ledger, report
        self._seen: list[int] = []
        self._tokens = self._loss_tokens = 0
        self._loss: Any = 0.0
        self._clock = time.monotonic()

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """The order of all steps, as one epoch of the Trainer, so that it skips what is done on resuming."""
        settings = self._job.settings
        return order.planned(self._rows, settings.seed, self._job.steps, settings.batch).tolist()

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        self._seen += inputs.pop("rows")
        self._tokens += inputs.pop("tokens")
        self._loss_tokens += inputs.pop("loss_tokens")
        loss = super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc]
        self._loss = self._loss + loss
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs, start_time)  # type: ignore[misc]
        state = self.state  # type: ignore[attr-defined]
        # The ledger keeps the curve; a list that grows with every step would be copied into each checkpoint.
        state.log_history.clear()
        if "learning_rate" in logs:
            self._note(state.global_step, logs)

    def _note(self, number: int, logs: dict[str, float]) -> None:
        """Write the line of a step that is over."""
        now, loss = time.monotonic(), float(self._loss)
        if not math.isfinite(loss):
            raise CheckFailed(
                f"training: the loss is {loss} at step {number}, so the weights are of no use from here on. "
                "Lower train.learning_rate, or set train.precision: float32, and train anew"
            )
        norm = logs.get("grad_norm")
        step = Step(
            step=number,
            rows=self._seen,
            loss=loss,
            learning_rate=logs["learning_rate"],
            grad_norm=None if norm is None else float(norm),
            tokens=self._tokens,
            loss_tokens=self._loss_tokens,
            seconds=now - self._clock,
        )
        self._ledger.add(step)
        self._report(number, loss)
        self._seen, self._tokens, self._loss_tokens, self._loss, self._clock = [], 0, 0, 0.0, now

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._job.work) / f"checkpoint-{self.state.global_step}"  # type: ignore[attr-defined]
        checkpoints.open_anew(folder)
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        self._ledger.sync()
        checkpoints.close(folder)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: a checkpoint is not published; the card of the model tells of the release."""


class Weighted:
    """Stands before SFTTrainer: the loss of a row times its weight."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weights = inputs.pop("weights")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        return losses.weighted(outputs.log_probs, weights[:, 1:], num_items_in_batch)


def stops(job: Job) -> list[Any]:
    """A callback that ends the training after `stop_at` steps, with a checkpoint; none without that."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == job.stop_at:
                control.should_save = control.should_training_stop = True

    return [Stop()] if job.stop_at else []
