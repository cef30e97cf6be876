"""The sections of a recipe on problems, and what all its sections share.

Guarantees: the types are frozen, strict, closed to unknown keys, and load from the plain data of YAML and
JSON: lists become tuples, texts become paths where a path is meant. Left out: the other sections
(`generator_sections.py`, `verifier_sections.py`, `recipe.py`, which exports these too), and reading files
(`config.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from factory.records import RESERVED_GENERATORS

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,95}$"
VERSION_PATTERN: Final = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"
NOT_YET: Final = "not yet supported by this version of factory; leave it out"


class Section(BaseModel):
    """Base of all recipe types: frozen, strict, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _refuse(value: object) -> None:
    if value is not None:
        raise ValueError(NOT_YET)


NotYet = Annotated[SkipJsonSchema[None], BeforeValidator(_refuse)]
"""The type of a key that is planned: a value is an error, and the JSON Schema does not offer it."""


def planned(*names: str) -> BeforeValidator:
    """Refuses values that a later version will know, with another message than plain mistakes get."""

    def refuse(value: object) -> object:
        if isinstance(value, str) and value in names:
            raise ValueError(f"{value!r} is {NOT_YET}")
        return value

    return BeforeValidator(refuse)


def shaped(pattern: str, meaning: str) -> AfterValidator:
    """Refuses texts that are not of the pattern, in words for people."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{value!r:.100} is not {meaning}")
        return value

    return AfterValidator(check)


def _free(value: str) -> str:
    if value in RESERVED_GENERATORS:
        raise ValueError(f"the name {value!r} is reserved for reference solutions; take another")
    return value


Name = Annotated[
    str,
    shaped(NAME_PATTERN, "a name: lower-case letters, digits, '.', '_' and '-', at most 96"),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
Version = Annotated[
    str,
    shaped(VERSION_PATTERN, "a version such as 1.0.0"),
    WithJsonSchema({"type": "string", "pattern": VERSION_PATTERN}),
]
GeneratorName = Annotated[
    Name,
    AfterValidator(_free),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?!({'|'.join(RESERVED_GENERATORS)})$){NAME_PATTERN[1:]}"}
    ),
]


def _as_path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


RecipePath = Annotated[Path, BeforeValidator(_as_path, json_schema_input_type=str)]
"""A path as written; it is relative to the recipe's folder."""


# --- problems ----------------------------------------------------------------------------------------


class Columns(Section):
    """Which columns (dotted paths reach into nested values) hold which part of a problem."""

    prompt: str
    answer: str | None = None
    tests: str | None = None
    solution: str | None = None
    difficulty: str | None = None
    group_id: str | None = None


class ReasoningGym(Section):
    """Problems made by a task of the package reasoning-gym; same task, seed and options: same problems."""

    source: Literal["reasoning-gym"]
    task: str
    count: Annotated[int, Field(ge=1)]
    seed: int
    options: Mapping[str, Any] = Field(default_factory=dict, description="options of the task itself")
    split: str = "train"


class StorySums(Section):
    """Word problems of additions and subtractions, made here; the splits share no problem."""

    source: Literal["story-sums"]
    count: Annotated[int, Field(ge=1)]
    seed: int
    split: Literal["train", "validation", "test"] = "train"
    steps: Annotated[int, Field(ge=1, le=8, description="additions and subtractions of a problem")] = 2
    largest: Annotated[
        int, Field(ge=2, le=9999, description="no number of a problem or its solution is above")
    ] = 50
    worked: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="so many of the problems, the first, have a worked solution; null: all"
    )


class _Cut(Section):
    """A part of a source's problems in its order, as to train on one part and validate on the other."""

    skip: Annotated[int, Field(ge=1)] | None = Field(default=None, description="leave out the first so many")
    limit: Annotated[int, Field(ge=1)] | None = Field(default=None, description="then take at most so many")


class _Published(_Cut):
    path: RecipePath | None = None


class Gsm8k(_Published):
    """GSM8K, from the Hub or from a local JSONL of {question, answer}; the gold answer stands after ####."""

    source: Literal["gsm8k"]
    split: Literal["train", "test"] = "train"


class HumanEval(_Published):
    """HumanEval, from the Hub or from a local JSONL of the published rows: Python functions to finish."""

    source: Literal["humaneval"]
    split: Literal["test"] = "test"


class Mbpp(_Published):
    """MBPP, from the Hub or from a local JSONL of the published rows: short Python tasks with asserts."""

    source: Literal["mbpp"]
    split: Literal["train", "validation", "test", "prompt", "all"] = "train"


class Files(_Cut):
    """Problems in a local JSONL, CSV or Parquet file."""

    source: Literal["file"]
    path: RecipePath
    columns: Columns
    name: Name | None = Field(default=None, description="the source's name; the file's name by default")
    split: str = "train"
    license: str | None = None


class HubDataset(_Cut):
    """Problems in a dataset of the Hugging Face Hub."""

    source: Literal["hub"]
    dataset: str
    config: str | None = None
    revision: str | None = Field(
        default=None, description="branch, tag or commit; the commit used is recorded"
    )
    split: str = "train"
    columns: Columns
    license: str | None = None


ProblemSource = Annotated[
    ReasoningGym | StorySums | Gsm8k | HumanEval | Mbpp | Files | HubDataset, Field(discriminator="source")
]
