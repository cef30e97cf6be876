"""The section of a recipe on its budget: what may be spent, in which currency, and on which problems.

Guarantees: every rule ends: a number of draws is fixed, or bounded by `at_most`, or by an amount. Left out:
what a rule means (`allocation/`), and what was spent (`sampling/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from factory.sections import GeneratorName, Section

Currency = Literal["samples", "tokens", "flops", "usd", "seconds"]
"""What is spent: draws; tokens of prompts and completions; 2 x active parameters x tokens processed; US
dollars; seconds of the engine, where draws that run beside each other share its time."""

RULES: Final = ("samples", "until_correct", "proportional", "adaptive")
PROPORTIONAL: Final[Mapping[str, int]] = {"correct": 4, "probe": 8}
"""What a proportional rule means by keys that are not written."""

Count = Annotated[int, Field(ge=1)]


class PerProblem(Section):
    """How many samples each problem gets from each generator: one rule, or none where an amount is matched.

    `samples`: so many, fixed. `until_correct`: until so many are correct, and exactly then. `proportional`:
    the harder a problem, the more correct ones are wanted (Prop2Diff, arXiv 2407.13690). `adaptive`: where
    the next draw is most likely to solve a problem that is not solved yet, for its cost. All but the first
    end at `at_most` draws.
    """

    samples: Count | None = None
    by_generator: (
        Annotated[
            Mapping[GeneratorName, Count],
            Field(min_length=1, json_schema_extra={"additionalProperties": False}),
        ]
        | None
    ) = Field(default=None, description="another number for these generators, as for earlier rounds")
    until_correct: Count | None = None
    proportional: Literal["fail_rate"] | None = None
    correct: Count | None = Field(
        default=None, description="of proportional: so many correct ones of the hardest problem; 4 by default"
    )
    probe: Count | None = Field(
        default=None,
        description="of proportional: draws of each problem that tell its fail rate; 8 by default",
    )
    adaptive: Literal["coverage"] | None = None
    at_most: Count | None = Field(
        default=None, description="draws after which a problem is given up; for all rules but samples"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_rule(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        there = [name for name in RULES if data.get(name) is not None]
        if len(there) > 1:
            raise ValueError(f"{' and '.join(there)} are two rules; leave one of them out")
        rule = there[0] if there else None
        if rule in RULES[1:] and data.get("at_most") is None:
            raise ValueError(
                f"{rule} needs at_most, the draws after which a problem is given up, as at_most: 64"
            )
        wanted, most = data.get("until_correct"), data.get("at_most")
        if isinstance(wanted, int) and isinstance(most, int) and wanted > most:
            raise ValueError(
                f"until_correct: {wanted} is never reached in at_most: {most} draws; raise at_most"
            )
        alone = {"by_generator": "samples", "correct": "proportional", "probe": "proportional"}
        for key, owner in alone.items():
            if data.get(key) is not None and rule != owner:
                raise ValueError(f"{key} goes with {owner} alone; leave it out")
        if rule in (None, "samples") and data.get("at_most") is not None:
            raise ValueError(f"at_most goes with {', '.join(RULES[1:])}; leave it out")
        return data

    @property
    def rule(self) -> str | None:
        """The name of the rule, one of RULES; None: as many draws as the amount allows."""
        return next((name for name in RULES if getattr(self, name) is not None), None)

    @property
    def most(self) -> int | None:
        """The most draws of a problem (by_generator aside); None where only the amount ends them."""
        return self.samples or self.at_most

    @property
    def fixed(self) -> bool:
        """Whether the number of draws does not depend on what they turn out to be."""
        return self.rule in (None, "samples")


class Budget(Section):
    """What the run may spend.

    `match` and `amount` give every generator that samples the same amount of one currency, a hard stop for
    each; `total` are hard stops over all generators and judges.
    """

    per_problem: PerProblem = PerProblem()
    problems: Count | None = Field(
        default=None, description="at most so many problems are asked, chosen by problems_seed; null: all"
    )
    problems_seed: int | None = Field(default=None, description="0 where it is not written")
    match: Currency | None = Field(default=None, description="what the generators get equal amounts of")
    amount: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="what each generator may spend, in the unit of match: a hard stop"
    )
    total: (
        Annotated[
            Mapping[Currency, Annotated[float, Field(gt=0)]],
            Field(min_length=1),
        ]
        | None
    ) = Field(default=None, description="hard stops over all generators, as {usd: 20, seconds: 3600}")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        match, amount = data.get("match"), data.get("amount")
        if (match is None) != (amount is None):
            there, lacking = ("match", "amount") if amount is None else ("amount", "match")
            raise ValueError(f"{there} goes with {lacking}; write both, as match: flops, amount: 5.0e+15")
        per_problem = data.get("per_problem")
        written = per_problem.model_dump() if isinstance(per_problem, PerProblem) else per_problem or {}
        ruled = not isinstance(written, Mapping) or any(written.get(name) is not None for name in RULES)
        if match is None and not ruled:
            raise ValueError(
                "nothing says how many samples a problem gets; write per_problem: {samples: 4}, or match and "
                "amount"
            )
        return data
