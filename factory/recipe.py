"""A recipe: which problems, generators, budget, verifiers, selection, measures and release one run makes.

Guarantees: a recipe is data. It is read into the frozen types below, which refuse unknown keys and
wrong types; it holds no code and no import path. Sections that this version does not serve yet are
refused with "not yet", never ignored. Reading YAML, and errors with file and line, are in `config.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from factory import config
from factory.records import RESERVED_GENERATORS, content_id

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,95}$"
VERSION_PATTERN: Final = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]


class Section(BaseModel):
    """Base of all recipe types: frozen, strict, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())


def _not_yet(what: str) -> BeforeValidator:
    def refuse(value: object) -> object:
        raise ValueError(f"{what} is not yet supported by this version of factory; leave it out")

    return BeforeValidator(refuse)


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


class Gsm8k(Section):
    """GSM8K, from the Hub or from a local JSONL of {question, answer}; the gold answer stands after ####."""

    source: Literal["gsm8k"]
    path: Path | None = None
    split: Literal["train", "test"] = "train"
    limit: Annotated[int, Field(ge=1)] | None = None


class Files(Section):
    """Problems in a local JSONL, CSV or Parquet file."""

    source: Literal["file"]
    path: Path
    columns: Columns
    name: Name | None = Field(default=None, description="the source's name; the file's name by default")
    split: str = "train"
    license: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None


class HubDataset(Section):
    """Problems in a dataset of the Hugging Face Hub."""

    source: Literal["hub"]
    dataset: str
    config: str | None = None
    revision: str | None = Field(default=None, description="branch, tag or commit; the commit used is recorded")
    split: str = "train"
    columns: Columns
    license: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None


ProblemSource = Annotated[ReasoningGym | Gsm8k | Files | HubDataset, Field(discriminator="source")]


# --- generators --------------------------------------------------------------------------------------


class Decoding(Section):
    """How tokens are drawn. Everything here can change the text, so all of it is part of the identity."""

    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0, description="0: all tokens")] = 0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    stop: tuple[str, ...] = ()
    seed: int = 0

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("temperature", "top_p", mode="before")
    @classmethod
    def _as_float(cls, value: object) -> object:
        return float(value) if type(value) is int else value


class Example(Section):
    """One worked example for a few-shot prompt."""

    prompt: str
    completion: str


class Prompt(Section):
    """A Jinja template over `prompt` (the problem's text) and, in completion mode, `examples` and `system`.

    `chat` sends system, examples and the rendered template as messages, in the model's chat template;
    `completion` sends the rendered text as it is.
    """

    mode: Literal["chat", "completion"] = "chat"
    template: str = "{{ prompt }}"
    system: str | None = None
    examples: tuple[Example, ...] = ()

    @field_validator("examples", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class _Sampler(Section):
    prompt: str | Prompt = Field(default="cot-answer", description="a built-in template's name, or one written out")
    decoding: Decoding = Decoding()


class TransformersGenerator(_Sampler):
    """The embedded default: a model run in this process by transformers, on CPU or GPU."""

    engine: Literal["transformers"]
    model: str
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    slots: Annotated[int, Field(ge=1, description="sequences decoded at once; does not change identity")] = 32


class VllmGenerator(_Sampler):
    """A model run in this process by vLLM."""

    engine: Literal["vllm"]
    model: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="arguments of vLLM's engine that cannot change the text, as max_num_seqs"
    )


class OpenAIGenerator(_Sampler):
    """A model behind an OpenAI-compatible server."""

    engine: Literal["openai"]
    base_url: str
    model: str
    revision: str | None = Field(default=None, description="what stands for the weights; raise it when they change")
    api_key_env: str | None = Field(default=None, description="environment variable that holds the key")
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 32
    active_parameters: Annotated[float, Field(gt=0)] | None = Field(default=None, description="for FLOPs")
    timeout: Annotated[float, Field(gt=0, description="seconds for one request")] = 600.0


class ReplayGenerator(Section):
    """Completions brought in by `factory import`; what it lacks is exhausted, never sampled."""

    engine: Literal["replay"]
    imported: str


Generator = Annotated[
    TransformersGenerator | VllmGenerator | OpenAIGenerator | ReplayGenerator, Field(discriminator="engine")
]


# --- budget, verify, select, measure, release --------------------------------------------------------


class PerProblem(Section):
    """How many samples each problem gets from each generator."""

    samples: Annotated[int, Field(ge=1)]
    until_correct: Annotated[None, _not_yet("budget.per_problem.until_correct")] = None
    proportional: Annotated[None, _not_yet("budget.per_problem.proportional")] = None
    at_most: Annotated[None, _not_yet("budget.per_problem.at_most")] = None


class Budget(Section):
    """What the run may spend."""

    per_problem: PerProblem
    match: Annotated[None, _not_yet("budget.match")] = None
    amount: Annotated[None, _not_yet("budget.amount")] = None
    total: Annotated[None, _not_yet("budget.total")] = None


class MathOptions(Section):
    """Options of the verifier `math`.

    `percent`: "sign" reads 20% as the number 20 with a sign (equal to 20), "value" as 1/5 (equal to 0.2).
    `last_number`: whether the last number of a text without a marked answer counts as its answer.
    """

    percent: Literal["sign", "value"] = "sign"
    last_number: bool = True


class VerifierConfig(Section):
    """A verifier by name, with its options."""

    name: Literal["math"]
    options: MathOptions = MathOptions()


def _named_verifier(value: object) -> object:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and not {"name", "options"} & set(value):
        ((name, options),) = value.items()
        return {"name": name, "options": options}
    return value


NamedVerifier = Annotated[VerifierConfig, BeforeValidator(_named_verifier)]


class Verify(Section):
    """`decides` makes a sample correct; any fail of a verifier in `also` rejects it all the same."""

    decides: NamedVerifier = VerifierConfig(name="math")
    also: tuple[NamedVerifier, ...] = ()
    workers: Annotated[int, Field(ge=1)] | None = Field(default=None, description="all cores by default")
    time_limit: Annotated[float, Field(gt=0, description="seconds of work for one verdict")] = 5.0

    @field_validator("also", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class ExactRule(Section):
    """Drop a completion whose text, whitespace aside, was kept before."""

    exact: Literal[True] = True


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


DedupRule = Annotated[ExactRule | PathRule | NearRule, BeforeValidator(_named_rule)]


class Select(Section):
    """Which accepted samples are kept; the rules run in the order written."""

    dedup: tuple[DedupRule, ...] = (ExactRule(),)
    per_problem: Annotated[int, Field(ge=1)] | None = Field(default=None, description="at most so many; null: all")
    seed: int = 0
    decontaminate: Annotated[None, _not_yet("select.decontaminate")] = None

    @field_validator("dedup", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class Measure(Section):
    """What is measured: pass@k, coverage@k and diversity@k for these k, pooled and by these columns."""

    k: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4)
    by: tuple[Literal["generator", "source", "difficulty"], ...] = ("generator", "source", "difficulty")
    bootstrap: Annotated[int, Field(ge=100, description="resamples of the problems for the intervals")] = 1000
    seed: int = 0
    false_positives: Annotated[None, _not_yet("measure.false_positives")] = None

    @field_validator("k", "by", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


REQUIREMENT: Final = re.compile(r"^\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$")


class Release(Section):
    """What the release contains and what must hold for it to be made."""

    configs: tuple[Literal["sft", "samples", "problems"], ...] = ("sft", "samples", "problems")
    require: Mapping[str, str] = Field(default_factory=dict, description='as {"coverage@4": ">= 0.2"}')
    license: str | None = None

    @field_validator("configs", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("require")
    @classmethod
    def _comparisons(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, condition in value.items():
            if not REQUIREMENT.match(condition):
                raise ValueError(f"{name}: {condition!r} is not a comparison such as '>= 0.2'")
        return value


class Recipe(Section):
    """One whole recipe. See `schemas/recipe.schema.json` for its JSON Schema."""

    name: Name
    version: Version
    description: str = ""
    problems: Annotated[tuple[ProblemSource, ...], Field(min_length=1)]
    generators: Annotated[Mapping[Name, Generator], Field(min_length=1)]
    budget: Budget
    verify: Verify = Verify()
    select: Select = Select()
    measure: Measure = Measure()
    release: Release = Release()
    train: Annotated[None, _not_yet("train")] = None
    loop: Annotated[None, _not_yet("loop")] = None
    steps: Annotated[None, _not_yet("steps")] = None

    @field_validator("problems", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in self.generators:
            if name in RESERVED_GENERATORS:
                raise ValueError(f"generators.{name}: the name {name!r} is reserved for reference solutions")
        return self

    @property
    def id(self) -> str:
        """name@version, the name of the release it makes."""
        return f"{self.name}@{self.version}"

    def content(self) -> dict[str, Any]:
        """The recipe as plain data: what the manifest keeps and the digest is taken of."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def digest(self) -> str:
        return content_id(self.content())


def load(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe; `overrides` are `key.path=value` texts as given to `--set`.

    Relative paths inside a recipe are relative to the recipe's folder; they stay as written here, so
    that the digest does not depend on the machine, and sources get the folder beside them.
    Raises UsageError with file, line, key, the value found, what is allowed and the nearest spelling.
    """
    return config.load(path, Recipe, overrides)


def verifier_version(base: str, options: MathOptions) -> str:
    """`base`, followed by +8 hex digits of the options when any is not its default."""
    changed = options.model_dump(mode="json") != type(options)().model_dump(mode="json")
    return f"{base}+{content_id(options.model_dump(mode='json'))[:8]}" if changed else base


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe, for editors and for `schemas/recipe.schema.json`."""
    return Recipe.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}

