"""The section of a recipe on measures: which metrics, and what tells how much of a release is wrong.

Guarantees: nothing here rejects a sample. Left out: the estimators (`metrics/`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from factory.sections import Section
from factory.verifier_sections import ArithmeticVerifier, JudgeOptions, JudgeVerifier, VerifierConfig


class FalsePositives(Section):
    """How many accepted samples are false positives: the answer is right, the reasoning is not.

    The arithmetic of every accepted sample is checked where `arithmetic` is true, a judge is asked about
    `judged` of them, and `factory audit` asks people about `audit`. None of the three rejects a sample.
    """

    audit: Annotated[int, Field(ge=1, description="accepted samples that people are asked about")] = 100
    judge: JudgeOptions | None = Field(default=None, description="a model that is asked; null: none")
    judged: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="accepted samples the judge is asked about, drawn by seed; null: all"
    )
    arithmetic: bool = True
    seed: int = 0


class Measure(Section):
    """What is measured: pass@k, coverage@k and diversity@k for these k, pooled and by these columns."""

    k: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4)
    by: tuple[Literal["generator", "source", "difficulty", "round"], ...] = (
        "generator",
        "source",
        "difficulty",
    )
    bootstrap: Annotated[int, Field(ge=100, description="resamples of the problems for the intervals")] = 1000
    seed: int = 0
    false_positives: FalsePositives | None = Field(
        default=None,
        description="how many of the correct samples are right by wrong reasoning; null: unasked",
    )

    @property
    def signals(self) -> tuple[VerifierConfig, ...]:
        """The verifiers that say of accepted samples whether they look wrong, and reject none."""
        asked = self.false_positives
        if asked is None:
            return ()
        checked: tuple[VerifierConfig, ...] = (
            (ArithmeticVerifier(name="arithmetic"),) if asked.arithmetic else ()
        )
        return (*checked, JudgeVerifier(name="judge", options=asked.judge)) if asked.judge else checked
