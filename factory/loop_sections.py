"""The sections of a recipe on evaluation and on the loop: what is measured of a model, and how rounds go on.

Guarantees: an evaluation is drawn and judged as any other samples are; a loop is rounds of the recipe's own
run. Neither changes a row of a release, so neither is part of one. Left out: the other sections
(`sections.py`, `recipe.py`, which exports these too), and carrying them out (`evaluating.py`, `looping.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from factory.generator_sections import PromptChoice
from factory.sections import GeneratorName, Name, ProblemSource, Section
from factory.verifier_sections import NamedVerifier

IN_PROCESS: Final = ("transformers", "vllm")
"""Engines whose model runs in this process, so that a trained one can take its place."""

BASE: Final = "base"
"""As `model` of the learner: the base of train, for which no reference exists while it is to be made."""


class EvaluationSet(Section):
    """Problems that models are measured on: held out from training, or of another kind (transfer)."""

    problems: Annotated[tuple[ProblemSource, ...], Field(min_length=1)]
    decides: NamedVerifier | None = Field(default=None, description="null: verify.decides")
    prompt: PromptChoice | None = Field(default=None, description="null: as the recipe's generator puts it")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="null: as the recipe's generator"
    )


class Evaluate(Section):
    """What is measured of a model: pass@1 of greedy decoding; pass@k and maj@k of `samples` random draws."""

    sets: Annotated[
        Mapping[Name, EvaluationSet],
        Field(min_length=1, json_schema_extra={"additionalProperties": False}),
    ]
    greedy: bool = True
    samples: Annotated[int, Field(ge=0, description="random draws of each problem; 0: none")] = 0
    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0, description="0: all tokens")] = 0
    k: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1,), description="pass@k for these k")
    majority: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(), description="maj@k for these k, by the verifier's own equality of answers"
    )
    overlap: Literal["refuse", "leave_out"] = Field(
        default="refuse",
        description="what becomes of problems that a model was trained on: the evaluation is refused, or "
        "they are left out of it and counted",
    )
    bootstrap: Annotated[int, Field(ge=100, description="resamples of the problems for the intervals")] = 1000
    seed: int = 0


class Start(Section):
    """What the first sampler is taught before the first round: the worked solutions of problems."""

    problems: tuple[ProblemSource, ...] | None = Field(default=None, description="null: those of the recipe")
    steps: Annotated[int, Field(ge=1)] | None = Field(default=None, description="null: as train")
    epochs: Annotated[float, Field(gt=0)] | None = Field(default=None, description="null: as train")


class Stop(Section):
    """When a loop ends before its last round. A round that is worse is never the result."""

    on: Name | None = Field(
        default=None, description="the evaluation set that decides; null: rounds and budgets alone end it"
    )
    no_gain: bool = Field(
        default=True, description="end when the interval of the gain over the round before holds 0"
    )
    falls: bool = Field(default=True, description="end when accuracy is below that of the round before")
    minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="begin no round after so many minutes of work"
    )
    samples: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="begin no round after so many draws for training"
    )


class Loop(Section):
    """Rounds of sampling from the latest model, releasing, training, evaluating.

    A round of the recipe NAME@VERSION releases NAME-r1@VERSION, NAME-r2@VERSION, ...
    """

    rounds: Annotated[int, Field(ge=1)]
    learner: GeneratorName | None = Field(
        default=None, description="the generator whose model learns; null: the only one that is sampled"
    )
    start: Start | None = Field(default=None, description="null: the first round samples from the base")
    sample_from: Literal["latest", "start"] = "latest"
    train_from: Literal["base", "previous"] = "base"
    pool_rounds: bool = Field(
        default=False, description="whether a round selects from the samples of the rounds before it too"
    )
    samples: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] | None = Field(
        default=None,
        description="samples of each problem in round 1, 2, ...; the last holds on. "
        "null: budget.per_problem.samples",
    )
    problems_per_round: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="so many problems a round, another choice each; null: all"
    )
    early_stop: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        description="evaluate so many evenly spaced checkpoints of a round's training on stop.on, end the "
        "training when one is worse than that before it, and keep the best",
    )
    train_problems: Annotated[int, Field(ge=0)] = Field(
        default=500, description="so many of the training problems are evaluated too; 0: none"
    )
    stop: Stop = Stop()


def check_loop(loop: Loop, generators: Mapping[str, Any], evaluate: Evaluate | None) -> None:
    """Raise ValueError when a loop names a learner or an evaluation set that is not there."""
    there = [name for name, one in generators.items() if one.engine in IN_PROCESS]
    if loop.learner is None and len(there) != 1:
        raise ValueError(
            f"learner is needed: {len(there)} of the generators have a model that can learn "
            f"({', '.join(there) or 'none'}); they are those of the engines {' and '.join(IN_PROCESS)}"
        )
    if loop.learner is not None and loop.learner not in there:
        raise ValueError(
            f"learner: {loop.learner!r} cannot learn; those that can: {', '.join(there) or 'none'}"
        )
    sets = () if evaluate is None else evaluate.sets
    if loop.stop.on is not None and loop.stop.on not in sets:
        raise ValueError(f"stop.on: {loop.stop.on!r} is none of evaluate.sets, {', '.join(sets) or 'none'}")
    if loop.early_stop is not None and loop.stop.on is None:
        raise ValueError("early_stop needs stop.on, the evaluation set that decides")
