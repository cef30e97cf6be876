"""The sections of a recipe on verifiers: every option that can change a verdict, with its default.

Guarantees: all that is set here is part of the verifier's version, so two verdicts of one version were
made under one policy; the conventions of mathematics, where people differ, are named options. Left out:
the other sections (`sections.py`, `recipe.py`, which exports these too), and the verifiers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from factory.generator_sections import Generator, HumanGenerator, Judge, ReplayGenerator
from factory.sections import GeneratorName, Section


class MathOptions(Section):
    """Options of the verifier `math`: the conventions by which two answers are the same answer.

    `percent`: "either" reads 20% as 1/5 and, against a bare number above 1, as 20 with a sign; "value"
    always as 1/5; "sign" always as 20 with a sign. `units`: whether a side without a unit agrees with one
    that has one ("optional") or not ("required"); two units agree by conversion only. `order`: "written"
    tells (1, 2) from {1, 2}; "ignored" takes a tuple as a set. `rounding`: "shown" lets a decimal of six
    or more figures agree with the value without end that it is rounded from; "exact" does not.
    `last_number`: whether the last number of a text without a marked answer counts as its answer.
    """

    percent: Literal["either", "value", "sign"] = "either"
    units: Literal["optional", "required"] = "optional"
    order: Literal["written", "ignored"] = "written"
    rounding: Literal["shown", "exact"] = "shown"
    last_number: bool = True


class ArithmeticOptions(Section):
    """Options of the verifier `arithmetic`: every equation of a solution is checked exactly.

    `read`: which equations, those inside calculator annotations, those in free text, or both.
    `on_missing`: the status of a solution without an equation that can be judged.
    """

    read: Literal["both", "annotations", "text"] = "both"
    on_missing: Literal["no_answer", "pass", "fail"] = "no_answer"


class UnitTestsOptions(Section):
    """Options of the verifier `unit_tests`: limits of one program, and how it is confined.

    `cpu_seconds` and `memory_mib` bound the candidate's process. `isolation`: "landlock" confines with
    landlock, seccomp and rlimits; "bubblewrap" puts the same inside namespaces made by bwrap.
    """

    cpu_seconds: Annotated[float, Field(gt=0, le=3600)] = 3.0
    memory_mib: Annotated[int, Field(ge=64)] = 1024
    isolation: Literal["landlock", "bubblewrap"] = "landlock"


class JudgeOptions(Section):
    """Options of the verifier `judge`: a model says whether a completion is right.

    `generator` names an entry of `judges`, or one of `generators`, whose prompt is then not used: the rubric
    is the prompt. `rubric`: "final_answer" compares the answer with the reference, "solution" reads the
    whole solution, "steps" judges each line of it. Of `votes` draws more than the share `agreement` must
    say the same.
    """

    generator: GeneratorName
    rubric: Literal["final_answer", "solution", "steps"] = "solution"
    votes: Annotated[int, Field(ge=1, le=101)] = 1
    agreement: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.5


class ConsensusOptions(Section):
    """Options of the verifier `consensus`: the answer of the majority stands for a reference.

    A problem is decided when at least `answers` of its samples gave an answer and more than the share
    `agreement` of these gave the same one; else it abstains. Answers are read and compared as by `math`.
    """

    answers: Annotated[int, Field(ge=1)] = 4
    agreement: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    math: MathOptions = MathOptions()


class MathVerifier(Section):
    name: Literal["math"]
    options: MathOptions = MathOptions()


class ArithmeticVerifier(Section):
    name: Literal["arithmetic"]
    options: ArithmeticOptions = ArithmeticOptions()


class UnitTestsVerifier(Section):
    name: Literal["unit_tests"]
    options: UnitTestsOptions = UnitTestsOptions()


class JudgeVerifier(Section):
    name: Literal["judge"]
    options: JudgeOptions


class ConsensusVerifier(Section):
    name: Literal["consensus"]
    options: ConsensusOptions = ConsensusOptions()


VerifierConfig = MathVerifier | ArithmeticVerifier | UnitTestsVerifier | JudgeVerifier | ConsensusVerifier
VerifierOptions = MathOptions | ArithmeticOptions | UnitTestsOptions | JudgeOptions | ConsensusOptions

VERIFIER_NAMES: Final = ("math", "arithmetic", "unit_tests", "judge", "consensus")


class MathShort(Section):
    """The short forms with options; only the JSON Schema uses these types."""

    math: MathOptions


class ArithmeticShort(Section):
    arithmetic: ArithmeticOptions


class UnitTestsShort(Section):
    unit_tests: UnitTestsOptions


class JudgeShort(Section):
    judge: JudgeOptions


class ConsensusShort(Section):
    consensus: ConsensusOptions


def _written_out(value: object) -> object:
    """`math` and {math: {percent: value}} as {name: math, options: {...}}."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and not {"name", "options"} & set(value):
        ((name, options),) = value.items()
        return {"name": name, "options": options}
    return value


_Shorts = MathShort | ArithmeticShort | UnitTestsShort | JudgeShort | ConsensusShort
NamedVerifier = Annotated[
    Annotated[VerifierConfig, Field(discriminator="name")],
    BeforeValidator(
        _written_out,
        json_schema_input_type=Literal["math", "arithmetic", "unit_tests", "consensus"]
        | VerifierConfig
        | _Shorts,
    ),
]
"""A verifier by name, with its options. In a recipe also `math`, and `{math: {percent: value}}`."""


def check_judges(
    verifiers: Iterable[VerifierConfig], judges: Mapping[str, Judge], generators: Mapping[str, Generator]
) -> None:
    """Raise ValueError when a judge is named that is not there, or two things have one name."""
    if both := sorted(judges.keys() & generators.keys()):
        raise ValueError(f"{both[0]!r} is a name in judges and in generators; give one of them another name")
    texts = (ReplayGenerator, HumanGenerator)
    models = [name for name, one in generators.items() if not isinstance(one, texts)]
    allowed = [*judges, *models]
    for verifier in verifiers:
        if isinstance(verifier.options, JudgeOptions) and verifier.options.generator not in allowed:
            named = ", ".join(allowed) or "none so far"
            raise ValueError(
                f"the judge {verifier.options.generator!r} is no model of this recipe; allowed: {named}. "
                "Write it under judges, or name one of generators that is a model"
            )
