"""What one training is asked to do, and what it answers: plain data, so that it can cross to another process.

Guarantees: rows come as tokens, so what is trained on is what the sampler is sent, to the token; a job holds
no name of a recipe or release. Left out: where the tokens come from (`factory/loop/fine_tuning.py`), and
training itself (`child.py`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from factory.recipe import Train

_ids = pa.list_(pa.int32())

SUPERVISED: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("problem_id", pa.string()),
        ("prompt_ids", _ids),
        ("completion_ids", _ids),
        ("weight", pa.float64()),
    ]
)
"""Rows of the methods sft (weight 1) and weighted. The completion ends with the token that ends a text,
unless it was cut at the most tokens that its sampler might write."""

PREFERENCE: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("problem_id", pa.string()),
        ("prompt_ids", _ids),
        ("chosen_ids", _ids),
        ("rejected_ids", _ids),
    ]
)
"""Rows of the method dpo."""


@dataclass(frozen=True)
class Job:
    """One training. `model` is the folder it starts from, `data` a Parquet file of SUPERVISED or PREFERENCE.

    `work` holds checkpoints while it goes on; the folder `out` is written at the end: weights, config and
    tokenizer, as transformers and vLLM load them. `steps` is the length of the whole training; with `stop_at`
    it stops after so many of them, leaving a checkpoint to go on from; `out` is then the model at that step.
    """

    settings: Train
    model: Path
    data: Path
    work: Path
    out: Path
    steps: int
    stop_at: int | None = None

    def to_json(self) -> str:
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}
        return json.dumps(plain | {"settings": self.settings.model_dump(mode="json")})

    @classmethod
    def from_json(cls, text: str) -> Job:
        plain: dict[str, Any] = json.loads(text)
        paths = {name: Path(plain[name]) for name in ("model", "data", "work", "out")}
        return cls(**{**plain, **paths, "settings": Train.model_validate(plain["settings"])})


@dataclass(frozen=True)
class Point:
    """The loss curve at a step: mean loss since the point before, and the learning rate then."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None = None


@dataclass(frozen=True)
class Result:
    """What a training did, up to `stop_at` if it stopped there.

    `rows` were trained on, in `steps` steps of `batch` rows; `epochs` = steps x batch / rows. `order_digest`
    is the sha256 of the row ids in the order in which they were consumed, one a line. `resumed_at` lists the
    steps at which it went on after an interruption. `tokens` counts all tokens that went through the model,
    `loss_tokens` those that the loss is taken of; `seconds` is the time of training over all its processes.
    """

    rows: int
    steps: int
    epochs: float
    tokens: int
    loss_tokens: int
    seconds: float
    device: str
    precision: str
    parameters: int
    trained_parameters: int
    order_digest: str
    curve: list[Point] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        plain: dict[str, Any] = json.loads(text)
        return cls(**{**plain, "curve": [Point(**one) for one in plain["curve"]]})
