"""A recipe: which problems, generators, budget, verifiers, selection, measures and release one run makes.

Guarantees: a recipe is data. It is read into the frozen types below and in `*sections.py`, which refuse
unknown keys and wrong types; it holds no code and no import path. What this version does not serve yet
is refused with "not yet", never ignored. Reading YAML, and errors with file and line, are in `config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator

from factory import config
from factory.budget_sections import Budget, Currency, PerProblem
from factory.generator_sections import (
    Decoding,
    Example,
    Generator,
    HumanGenerator,
    Judge,
    OpenAIGenerator,
    Prompt,
    ReplayGenerator,
    TransformersGenerator,
    VllmGenerator,
)
from factory.loop_sections import Evaluate, EvaluationSet, Loop, Start, Stop, check_loop
from factory.measure_sections import FalsePositives, Measure
from factory.records import content_id
from factory.release_sections import (
    FALSE_POSITIVE_UPPER,
    PER_KEPT_ROW,
    REQUIREMENT,
    ROWS,
    Kto,
    Preference,
    Release,
    check_required,
)
from factory.sections import (
    Columns,
    Files,
    GeneratorName,
    Gsm8k,
    HubDataset,
    HumanEval,
    Mbpp,
    Name,
    NotYet,
    ProblemSource,
    ReasoningGym,
    Section,
    StorySums,
    Version,
)
from factory.selection_sections import DedupRule, ExactRule, NearRule, PathRule, Select
from factory.training_sections import OPERATIONAL as TRAINING_OPERATIONAL
from factory.training_sections import Lora, NewModel, Train, Weights
from factory.verifier_sections import (
    ArithmeticOptions,
    ConsensusOptions,
    JudgeOptions,
    JudgeVerifier,
    MathOptions,
    MathVerifier,
    NamedVerifier,
    UnitTestsOptions,
    VerifierConfig,
    VerifierOptions,
    check_judges,
)

__all__ = [
    "FALSE_POSITIVE_UPPER",
    "PER_KEPT_ROW",
    "REQUIREMENT",
    "ROWS",
    "TRAINING_OPERATIONAL",
    "ArithmeticOptions",
    "Budget",
    "Columns",
    "ConsensusOptions",
    "Currency",
    "Decoding",
    "DedupRule",
    "Evaluate",
    "EvaluationSet",
    "ExactRule",
    "Example",
    "FalsePositives",
    "Files",
    "Generator",
    "Gsm8k",
    "HubDataset",
    "HumanEval",
    "HumanGenerator",
    "Judge",
    "JudgeOptions",
    "JudgeVerifier",
    "Kto",
    "Loop",
    "Lora",
    "MathOptions",
    "MathVerifier",
    "Mbpp",
    "Measure",
    "Name",
    "NearRule",
    "NewModel",
    "OpenAIGenerator",
    "PathRule",
    "PerProblem",
    "Preference",
    "ProblemSource",
    "Prompt",
    "ReasoningGym",
    "Recipe",
    "Release",
    "ReplayGenerator",
    "Section",
    "Select",
    "Start",
    "Stop",
    "StorySums",
    "Train",
    "TransformersGenerator",
    "UnitTestsOptions",
    "VerifierConfig",
    "VerifierOptions",
    "Verify",
    "VllmGenerator",
    "Weights",
    "json_schema",
    "load",
    "verifier_version",
]


class Verify(Section):
    """`decides` makes a sample correct; any fail of a verifier in `also` rejects it all the same."""

    decides: NamedVerifier = MathVerifier(name="math")
    also: tuple[NamedVerifier, ...] = ()
    workers: Annotated[int, Field(ge=1)] | None = Field(default=None, description="all cores by default")
    time_limit: Annotated[float, Field(gt=0, description="seconds of work for one verdict")] = 5.0


OPERATIONAL: Final = frozenset(
    {"base_url", "api_key_env", "concurrency", "options", "timeout", "slots", "workers"}
)
"""Keys of generators and of verify that change no row."""


class Recipe(Section):
    """One whole recipe. See `schemas/recipe.schema.json` for its JSON Schema."""

    name: Name
    version: Version
    description: str = ""
    problems: Annotated[tuple[ProblemSource, ...], Field(min_length=1)]
    generators: Annotated[
        Mapping[GeneratorName, Generator],
        Field(min_length=1, json_schema_extra={"additionalProperties": False}),
    ]
    judges: Annotated[
        Mapping[GeneratorName, Judge], Field(json_schema_extra={"additionalProperties": False})
    ] = Field(default_factory=dict, description="generators that only judge: no sample is drawn from them")
    budget: Budget
    verify: Verify = Field(default_factory=Verify)
    select: Select = Field(default_factory=Select)
    measure: Measure = Field(default_factory=Measure)
    release: Release = Field(default_factory=Release)
    train: Train | None = None
    evaluate: Evaluate | None = None
    loop: Loop | None = None
    steps: NotYet = None

    @field_validator("budget")
    @classmethod
    def _counted_are_drawn(cls, value: Budget, info: ValidationInfo) -> Budget:
        if "generators" in info.data:
            there = [
                name for name, one in info.data["generators"].items() if not isinstance(one, HumanGenerator)
            ]
            for name in value.per_problem.by_generator or ():
                if name not in there:
                    raise ValueError(
                        f"per_problem.by_generator: {name!r} is none of the generators whose samples have a "
                        f"number, {', '.join(there) or 'of which there is none'}"
                    )
        return value

    @field_validator("verify")
    @classmethod
    def _judges_are_there(cls, value: Verify, info: ValidationInfo) -> Verify:
        if "generators" in info.data and "judges" in info.data:
            check_judges((value.decides, *value.also), info.data["judges"], info.data["generators"])
        budget = info.data.get("budget")
        if budget is not None and not budget.per_problem.fixed:
            for one in (value.decides, *value.also):
                if isinstance(one.options, ConsensusOptions):
                    raise ValueError(
                        f"consensus is a vote of all samples of a problem, and {budget.per_problem.rule} "
                        "draws by what is correct so far; write per_problem: {samples: N}"
                    )
        return value

    @field_validator("measure")
    @classmethod
    def _auditor_is_there(cls, value: Measure, info: ValidationInfo) -> Measure:
        asked = value.false_positives
        if asked is not None and asked.judge is not None and {"generators", "judges"} <= info.data.keys():
            judge = JudgeVerifier(name="judge", options=asked.judge)
            check_judges((judge,), info.data["judges"], info.data["generators"])
        return value

    @field_validator("release")
    @classmethod
    def _required_is_measured(cls, value: Release, info: ValidationInfo) -> Release:
        measure = info.data.get("measure")
        if measure is not None:
            check_required(value.require, measure.k)
        return value

    @field_validator("select")
    @classmethod
    def _apart_is_there(cls, value: Select, info: ValidationInfo) -> Select:
        there = info.data.get("generators")
        for name in value.apart or ():
            if there is not None and name not in there:
                raise ValueError(f"apart: {name!r} is none of the generators, {', '.join(there)}")
        return value

    @field_validator("loop")
    @classmethod
    def _loop_fits(cls, value: Loop | None, info: ValidationInfo) -> Loop | None:
        if value is not None and "generators" in info.data and "evaluate" in info.data:
            check_loop(value, info.data["generators"], info.data["evaluate"])
        budget = info.data.get("budget")
        if value is not None and budget is not None and budget.per_problem.samples is None:
            raise ValueError(
                "rounds draw a fixed number of samples; write budget.per_problem: {samples: N}, whose number "
                "loop.samples may change by round"
            )
        return value

    @property
    def id(self) -> str:
        """name@version, the name of the release it makes."""
        return f"{self.name}@{self.version}"

    def content(self) -> dict[str, Any]:
        """The recipe as plain data, less what says only where and how fast it is carried out.

        What the manifest keeps and the digest is taken of: the same on every machine. Training, evaluation
        and rounds come after a release and are no part of it.
        """
        content = self.model_dump(mode="json", exclude_none=True, exclude={"train", "evaluate", "loop"})
        models = [*content["generators"].values(), *content["judges"].values()]
        for section in [*models, content["verify"]]:
            for key in OPERATIONAL & set(section):
                del section[key]
        for problem in content["problems"]:
            if "path" in problem:
                problem["path"] = Path(problem["path"]).name
        for one in models:
            if one.get("model", "").startswith((".", "/", "~")):
                one["model"] = Path(one["model"]).name
        return content


def load(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe; `overrides` are `key.path=value` texts as given to `--set`.

    Relative paths inside a recipe are relative to the recipe's folder; they stay as written here, so
    that the digest does not depend on the machine, and sources get the folder beside them.
    Raises UsageError with file, line, key, the value found, what is allowed and the nearest spelling.
    """
    return config.load(path, Recipe, overrides)


def verifier_version(base: str, options: VerifierOptions, **more: str) -> str:
    """`base`, followed by +8 hex digits of the options when any is not its default.

    `more` is what else a verdict depends on: the judge's generator, the draws a consensus is of.
    """
    written = options.model_dump(mode="json", exclude_defaults=True)
    return f"{base}+{content_id(written | more)[:8]}" if written or more else base


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe, for editors and for `schemas/recipe.schema.json`."""
    return Recipe.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
