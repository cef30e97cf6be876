"""The section of a recipe on the release: its configs, their form, its splits, its licence, what it requires.

Guarantees: what a config holds is chosen here and nowhere else. Left out: the other sections (`sections.py`,
`recipe.py`, which exports these too), and the columns of the configs (`configs.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from factory.budget_sections import Currency
from factory.sections import Section, planned, shaped
from factory.wording import nearest

REQUIREMENT_PATTERN: Final = r"^\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*$"
REQUIREMENT: Final = re.compile(REQUIREMENT_PATTERN)
AT_K: Final = ("pass", "coverage", "maj", "diversity")
"""Figures that a k of measure.k goes with, as coverage@4."""

FALSE_POSITIVE_UPPER: Final = "false_positive_upper"
"""The upper end of the 95 % interval of how many kept samples are wrong."""

ROWS: Final = "rows"
"""The number of kept samples, the rows of sft."""

PER_KEPT_ROW: Final = "_per_kept_row"
"""What follows a currency in the name of what was spent, in all, for each kept sample."""

FIGURES: Final = (
    "unique_paths",
    FALSE_POSITIVE_UPPER,
    ROWS,
    *(f"{currency}{PER_KEPT_ROW}" for currency in get_args(Currency)),
)
"""Figures without a k."""

SPLIT_PATTERN: Final = r"^[a-z][a-z0-9_]{0,31}$"

Condition = Annotated[
    str,
    shaped(REQUIREMENT_PATTERN, "a comparison such as '>= 0.2'"),
    WithJsonSchema({"type": "string", "pattern": REQUIREMENT_PATTERN}),
]
Config = Annotated[Literal["sft", "preference", "kto", "rewards", "samples", "problems"], planned("stepwise")]
Split = Annotated[
    str,
    shaped(SPLIT_PATTERN, "a split: lower-case letters, digits and '_' (loaders refuse a dash)"),
    WithJsonSchema({"type": "string", "pattern": SPLIT_PATTERN}),
]

LANGUAGE_PATTERN: Final = r"^([a-z]{2,3}|code)$"
Language = Annotated[
    str,
    shaped(LANGUAGE_PATTERN, "a language by ISO 639, as en, or code"),
    WithJsonSchema({"type": "string", "pattern": LANGUAGE_PATTERN}),
]


class Preference(Section):
    """Pairs of a kept and a failed sample of the same problem; each sample stands in one pair at most.

    `order` pairs them as they were drawn, so that more samples only add pairs; `length` pairs those nearest
    in length, so that length tells nothing; `similar` pairs those nearest in text, so that little but the
    error differs.
    """

    pairing: Literal["order", "length", "similar"] = "order"
    per_problem: Annotated[int, Field(ge=1)] = Field(default=4, description="at most so many pairs")


class Kto(Section):
    """Every kept sample, labelled true, and failed ones, labelled false."""

    wrong_per_problem: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="at most so many failed ones of a problem, as they were drawn; null: all"
    )


def _shares(value: Mapping[str, float]) -> Mapping[str, float]:
    if "train" in value:
        raise ValueError("train is what the other splits leave; name only those")
    if "all" in value:
        raise ValueError("all means every split to loaders; name it otherwise")
    if sum(value.values()) >= 1:
        raise ValueError(f"the shares add up to {sum(value.values()):g}; they must leave some for train")
    return value


Splits = Annotated[
    Mapping[Split, Annotated[float, Field(gt=0.0, lt=1.0)]],
    AfterValidator(_shares),
]


class Release(Section):
    """What the release contains and what must hold for it to be made."""

    configs: Annotated[tuple[Config, ...], Field(min_length=1)] = ("sft", "samples", "problems")
    form: Literal["text", "messages"] = Field(
        default="text", description="of prompts and completions in the configs for trainers"
    )
    preference: Preference = Field(default_factory=Preference)
    kto: Kto = Field(default_factory=Kto)
    splits: Splits = Field(
        default_factory=dict,
        description="shares of the problems, as {test: 0.05}; the rest is train. Empty: the sources' splits",
    )
    require: Mapping[str, Condition] = Field(
        default_factory=dict,
        description='as {"coverage@4": ">= 0.2", false_positive_upper: "<= 0.05", rows: ">= 1000"}',
    )
    license: str | None = Field(
        default=None, description="the licence you grant; computed from sources and models by default"
    )
    language: tuple[Language, ...] | None = Field(
        default=None, description="the languages of prompts and completions, for the card; null: not stated"
    )


def check_required(required: Iterable[str], k: Collection[int]) -> None:
    """Raise ValueError when a condition names no figure, or one at a k that is not measured."""
    for name in required:
        kind, at, number = name.partition("@")
        if at and kind in AT_K and number.isdecimal():
            if int(number) not in k:
                raise ValueError(f"require.{name}: {number} is not one of measure.k, {list(k)}; add it there")
        elif name not in FIGURES:
            known = [*(f"{one}@{each}" for one in AT_K for each in k), *FIGURES]
            near = nearest(name, known)
            raise ValueError(
                f"require.{name}: {name!r} is no figure of a release; "
                + (f"did you mean {near}? " if near else "")
                + f"Known: {', '.join(known)}"
            )
