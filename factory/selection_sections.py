"""The section of a recipe on selection: which accepted samples are kept, by rules in the order written.

Guarantees: a rule is data; what it means stands in `selection/`. Left out: the other sections
(`sections.py`, `recipe.py`, which exports these too).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from factory.sections import GeneratorName, NotYet, Section


class ExactRule(Section):
    """Drop a completion whose text, whitespace aside, was kept before. In a recipe: `exact`."""

    exact: Literal[True]


class PathRule(Section):
    """Drop a completion whose equations (`<<a=b>>` and written ones) are those of one kept before."""

    path: Literal["equations"]
    keep: Literal["first", "farthest"] = "first"


class NearRule(Section):
    """Drop a completion whose word 3-grams are nearly those of one kept before."""

    near: Literal["minhash"]
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.7


def _named_rule(value: object) -> object:
    return {"exact": True} if value == "exact" else value


def _rule_kind(value: object) -> str | None:
    keys = type(value).model_fields if isinstance(value, Section) else value
    if not isinstance(keys, Mapping):
        return None
    return next((f"{kind} rule" for kind in ("exact", "path", "near") if kind in keys), None)


_Rule = Annotated[
    Annotated[ExactRule, Tag("exact rule")]
    | Annotated[PathRule, Tag("path rule")]
    | Annotated[NearRule, Tag("near rule")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule",
        custom_error_message="is not a rule; write exact, {path: equations} or {near: minhash}",
    ),
]
DedupRule = Annotated[_Rule, BeforeValidator(_named_rule, json_schema_input_type=Literal["exact"] | _Rule)]


class Select(Section):
    """Which accepted samples are kept; the rules run in the order written."""

    dedup: tuple[DedupRule, ...] = (ExactRule(exact=True),)
    per_problem: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="at most so many; null: all"
    )
    choice: Literal["first", "random"] = Field(
        default="first",
        description="which of more than per_problem: the first drawn, so that more samples only add rows; "
        "or a random choice by the seed, which more samples may change",
    )
    seed: int = 0
    apart: tuple[GeneratorName, ...] | None = Field(
        default=None,
        description="generators whose correct samples are all kept, outside dedup and per_problem, as "
        "worked solutions by people (arXiv 2308.01825)",
    )
    decontaminate: NotYet = None
