"""The section of a recipe on training: which model learns from a release, by which loss, for how long.

Guarantees: everything that can change the weights is written here or is a default here; where and how fast
it runs is not. Training changes no row, so none of it is part of a release. Left out: the other sections
(`sections.py`, `recipe.py`, which exports these too), and training itself (`training/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from factory.generator_sections import PromptChoice
from factory.sections import GeneratorName, Section

EPOCHS: float = 3.0
"""How long training goes on where neither steps nor epochs are written."""

AT_ONCE: int = 8
"""The most rows that go through a model at once where it is not written; they divide the rows of a step."""


class NewModel(Section):
    """A small Llama with random weights by the seed, and a tokenizer made from what it is first taught.

    For loops that must run anywhere and for tests: what it can do, it learned from the recipe's own data.
    """

    architecture: Literal["llama"] = "llama"
    hidden: Annotated[int, Field(ge=8, multiple_of=2, description="size of the residual stream")] = 128
    layers: Annotated[int, Field(ge=1)] = 3
    heads: Annotated[int, Field(ge=1)] = 4
    context: Annotated[int, Field(ge=16, description="positions")] = 256
    tokenizer: Literal["words"] = Field(
        default="words", description="a token for each word, single digit and sign of the text it is taught"
    )
    seed: int = 0


class Lora(Section):
    """Low-rank adapters in place of all weights (arXiv 2106.09685); what is saved has them merged in."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: tuple[str, ...] | None = Field(
        default=None, description="names of the layers; null: all linear ones but the output"
    )


class Weights(Section):
    """The weight of each row in the loss of the method weighted; their mean over the rows is 1.

    `reward`: r(x, y), 1 for a correct sample and 0 for a failed one (ReST^EM, arXiv 2312.06585, M-step).
    `advantage`: exp((r - V(x)) / beta), V(x) the share of correct draws of the problem, at most `clip`
    before the mean is taken (advantage-weighted regression, arXiv 1910.00177).
    """

    by: Literal["advantage", "reward"] = "advantage"
    beta: Annotated[float, Field(gt=0)] = 0.5
    clip: Annotated[float, Field(gt=0)] = 10.0


def _base_kind(value: object) -> str:
    return "made new" if isinstance(value, Mapping | NewModel) else "reference"


Base = Annotated[
    Annotated[str, Tag("reference")] | Annotated[NewModel, Tag("made new")], Discriminator(_base_kind)
]


class Train(Section):
    """How a model is trained on a release.

    `sft` reads the config `sft`, with the loss on the completion alone; `dpo` reads `preference`
    (arXiv 2305.18290, equation 7); `weighted` reads `samples` and `problems`, and weighs each row.
    """

    method: Literal["sft", "weighted", "dpo"] = "sft"
    base: Base | None = Field(
        default=None,
        description="a model reference, or a model to make; null: the model of the recipe's generator",
    )
    prompt: PromptChoice | None = Field(
        default=None, description="how a problem is put; null: as the recipe's generator puts it"
    )
    split: str = "train"
    generators: tuple[GeneratorName, ...] | None = Field(
        default=None, description="the rows of these generators alone; null: of all"
    )
    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="or epochs")
    epochs: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description=f"or steps; {EPOCHS:g} where neither is written"
    )
    batch: Annotated[int, Field(ge=1, description="rows of one step, however they are divided")] = 128
    micro_batch: Annotated[
        int, Field(ge=1, description="rows that go through the model at once; by default fewer if batch asks")
    ] = AT_ONCE
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1, description="share of the steps")] = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    max_length: Annotated[int, Field(ge=8, description="tokens; a longer row is left out and counted")] = 512
    packing: bool = Field(
        default=False, description="rows of one micro batch end to end, none seeing another"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where a GPU has it, else float32"
    )
    adapter: Lora | None = Field(default=None, description="null: all weights are trained")
    gradient_checkpointing: bool = False
    beta: Annotated[float, Field(gt=0, description="of dpo")] = 0.1
    weights: Weights = Weights()
    checkpoint_every: Annotated[int, Field(ge=1, description="steps")] | None = Field(
        default=None, description="null: ten times in a training, and at its end"
    )
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _fitting(cls, data: Any) -> Any:
        """Where micro_batch is not written: the largest divisor of batch that is at most AT_ONCE."""
        batch = data.get("batch") if isinstance(data, Mapping) and "micro_batch" not in data else None
        if not isinstance(batch, int) or batch < 1:
            return data
        most = max(one for one in range(1, AT_ONCE + 1) if batch % one == 0)
        return {**data, "micro_batch": most}

    @field_validator("epochs")
    @classmethod
    def _one_length(cls, value: float | None, info: object) -> float | None:
        if value is not None and getattr(info, "data", {}).get("steps") is not None:
            raise ValueError("steps are set too; a training has one length, so leave one of the two out")
        return value

    @field_validator("micro_batch")
    @classmethod
    def _divides(cls, value: int, info: object) -> int:
        batch = getattr(info, "data", {}).get("batch")
        if batch is not None and batch % min(value, batch):
            raise ValueError(
                f"{value} does not divide batch, {batch}; write a divisor of it, or leave micro_batch out"
            )
        return value


OPERATIONAL = frozenset({"micro_batch", "gradient_checkpointing", "checkpoint_every"})
"""Keys of train that say how it is carried out; they change a result by rounding at most."""
